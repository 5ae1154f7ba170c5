//! `accounts`: lists the accounts.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::arguments::Accounts;
use crate::failure::Failure;
use crate::terminal::{print, print_json, say};
use crate::tokens::file::TokenFile;
use crate::tokens::place::accounts;
use crate::tokens::status::status;
use crate::tokens::table::list;

pub(crate) fn run(options: &Accounts) -> Result<(), Failure> {
    let (mut all, mut damaged) = (Vec::new(), Ok(()));
    for place in accounts()? {
        match TokenFile::at(&place, Duration::ZERO)?.record() {
            Ok(record) => all.extend(record.map(|record| (place, record))),
            Err(failure) => damaged = Err(after(damaged, failure)),
        }
    }
    let now = SystemTime::now();
    if options.json {
        print_json(&Value::Array(all.iter().map(|(place, record)| status(place, record, now)).collect()))?;
    } else if !all.is_empty() {
        print(&list(all.iter().map(|(place, record)| (place, &**record)), now))?;
    } else if damaged.is_ok() {
        say("there are no accounts: log in");
    }
    // One damaged file hides no other, and is not passed over.
    damaged
}

fn after(earlier: Result<(), Failure>, failure: Failure) -> Failure {
    match earlier {
        Ok(()) => failure,
        Err(earlier) => earlier.and(failure.message()),
    }
}
