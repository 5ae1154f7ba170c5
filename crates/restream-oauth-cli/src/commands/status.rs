//! `status`: what is known of an account without a request, or with one.

mod database;

use std::time::{Duration, SystemTime};

use restream_oauth_keeper::Record;
use serde_json::Value;

use crate::arguments::Status;
use crate::configuration;
use crate::database::chosen::Chosen;
use crate::failure::{Exit, Failure};
use crate::runtime::block_on;
use crate::terminal::{alert, print, print_json};
use crate::tokens::asking;
use crate::tokens::file::TokenFile;
use crate::tokens::owner::Owner;
use crate::tokens::place::{Place, TokensPath, accounts};
use crate::tokens::status::status;
use crate::tokens::table::details;

pub(crate) fn run(options: &Status) -> Result<(), Failure> {
    if let Some(database) = Chosen::of(&options.database, &options.tokens)? {
        return block_on(database::run(options, database));
    }
    let place = Place::of(&options.tokens)?;
    let places = match place.file() {
        _ if options.all => accounts()?,
        Some(file) => vec![file.clone()],
        None => return Err(Failure::usage("`status` shows a file: give --account NAME or --tokens FILE")),
    };
    let (mut shown, mut failures) = (Vec::new(), Vec::new());
    for place in places {
        match look(place) {
            Ok(account) => shown.push(account),
            // A logout may leave an empty file in the place of an account.
            Err(failure) if options.all && failure.exit() == Exit::Reauthorize => {}
            Err(failure) => failures.push(failure),
        }
    }
    if shown.is_empty() && failures.is_empty() {
        return Err(Failure::new(Exit::Reauthorize, "there are no accounts: log in"));
    }
    if options.check {
        block_on(check(&mut shown, options))?;
    }
    show(&shown, options)?;
    failures.extend(shown.into_iter().filter_map(|account| account.check.and_then(|(_, outcome)| outcome.err())));
    // One account that cannot be shown, or is not alive, hides no other. The gravest failure is the exit code.
    let last = failures.iter().enumerate().max_by_key(|(_, failure)| failure.exit() as u8).map(|(index, _)| index);
    let Some(last) = last.map(|index| failures.remove(index)) else { return Ok(()) };
    for failure in &failures {
        alert(failure.message());
    }
    Err(last)
}

/// What is known of one account.
struct Account {
    place: TokensPath,
    record: Box<Record>,
    check: Option<(String, Result<(), Failure>)>,
}

fn look(place: TokensPath) -> Result<Account, Failure> {
    let stored = TokenFile::at(&place, Duration::ZERO)?;
    let record = stored.record()?.ok_or_else(|| stored.no_tokens())?;
    Ok(Account { place, record, check: None })
}

/// Checks each account.
async fn check(accounts: &mut [Account], options: &Status) -> Result<(), Failure> {
    let client = configuration::anonymous_client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let owner = Owner::of(&options.client, &client);
    for account in accounts {
        let (words, outcome) = asking::ask(&account.record, owner, &client, &transport).await;
        account.check = Some((words, outcome.map_err(|failure| failure.about(&account.place))));
    }
    Ok(())
}

fn show(accounts: &[Account], options: &Status) -> Result<(), Failure> {
    let now = SystemTime::now();
    if options.json {
        let mut all: Vec<_> = accounts.iter().map(|it| status(&it.place, &it.record, now)).collect();
        if options.all {
            return print_json(&Value::Array(all));
        }
        return all.pop().map_or(Ok(()), |one| print_json(&one));
    }
    let table = |Account { place, record, check }: &Account| {
        let checked = check.as_ref().map(|(words, _)| ("check", words.clone()));
        details(place, record, checked.as_slice(), now)
    };
    print(&accounts.iter().map(table).collect::<Vec<_>>().join("\n"))
}
