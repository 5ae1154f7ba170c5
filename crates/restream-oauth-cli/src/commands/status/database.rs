//! `status --database`: one account of a database, or every one, a page at a time. Nothing is refreshed.

use std::time::SystemTime;

use restream_oauth_core::Client;
use restream_oauth_keeper::Record;
use restream_oauth_keeper_postgres::State;

use crate::arguments::Status;
use crate::configuration;
use crate::database::account::Account;
use crate::database::chosen::Chosen;
use crate::database::connected::Database;
use crate::database::failure::of_store;
use crate::failure::{Exit, Failure};
use crate::terminal::{alert, print};
use crate::tokens::asking;
use crate::tokens::owner::Owner;
use crate::tokens::status::{Whereabouts, status};
use crate::tokens::table::details;
use crate::transport::Transport;

/// How many accounts are listed at a time.
const PAGE: u32 = 500;

pub(super) async fn run(options: &Status, chosen: Chosen) -> Result<(), Failure> {
    let asker = if options.check {
        let client = configuration::anonymous_client(&options.client)?;
        Some((client, configuration::transport(&options.client)?))
    } else {
        None
    };
    let database = chosen.connect().await?;
    let mut showing = Showing { options, asker, now: SystemTime::now(), count: 0, gravest: None };
    if options.all {
        showing.all(&database).await?;
    } else {
        let account = Account::chosen(&database, &options.tokens)?;
        let record = account.record().await?.ok_or_else(|| account.no_tokens())?;
        showing.one(&account, &record).await?;
    }
    showing.end()
}

/// What has been shown. A database may hold more accounts than memory does, so each is printed at once.
struct Showing<'a> {
    options: &'a Status,
    asker: Option<(Client, Transport)>,
    now: SystemTime,
    count: usize,
    /// The failure that the command ends with. The others have been said.
    gravest: Option<Failure>,
}

impl Showing<'_> {
    async fn all(&mut self, database: &Database) -> Result<(), Failure> {
        let mut last = None;
        loop {
            let page = database.store().grants(last.as_ref(), PAGE).await;
            let page = page.map_err(|error| of_store(&error, &database.place()))?;
            for summary in &page {
                // What is left of an account after its logout is no account.
                if summary.state != State::LoggedIn {
                    continue;
                }
                let account = Account::of(database, summary.grant.clone());
                match account.record().await {
                    Ok(Some(record)) => self.one(&account, &record).await?,
                    Ok(None) => {}
                    // One account that cannot be shown hides no other, unless the database is away.
                    Err(failure) if failure.exit() == Exit::TryAgain => return Err(failure),
                    Err(failure) => self.note(failure),
                }
            }
            last = page.last().map(|summary| summary.grant.clone());
            if last.is_none() {
                return Ok(());
            }
        }
    }

    async fn one(&mut self, account: &Account<'_>, record: &Record) -> Result<(), Failure> {
        let mut words = Vec::new();
        if let Some((client, transport)) = &self.asker {
            let owner = Owner::of(&self.options.client, client);
            let (checked, outcome) = asking::ask(record, owner, client, transport).await;
            words.push(("check", checked));
            if let Err(failure) = outcome {
                self.note(failure.about(account));
            }
        }
        let place = Whereabouts::Database { account: &account.name, place: account.database.place() };
        let separator = match (self.count, self.options.all, self.options.json) {
            (_, false, _) => "",
            (0, true, true) => "[",
            (_, true, true) => ",",
            (0, true, false) => "",
            (_, true, false) => "\n",
        };
        self.count = self.count.saturating_add(1);
        if self.options.json {
            let end = if self.options.all { "" } else { "\n" };
            print(&format!("{separator}{}{end}", status(place, record, self.now)))
        } else {
            print(&format!("{separator}{}", details(place, record, &words, self.now)))
        }
    }

    /// Says a failure, unless it is the gravest so far: with that one the command ends.
    fn note(&mut self, failure: Failure) {
        let graver = self.gravest.as_ref().is_none_or(|gravest| failure.exit() as u8 >= gravest.exit() as u8);
        let said = if graver { self.gravest.replace(failure) } else { Some(failure) };
        if let Some(said) = said {
            alert(said.message());
        }
    }

    fn end(self) -> Result<(), Failure> {
        if self.options.all && self.options.json && self.count > 0 {
            print("]\n")?;
        }
        match self.gravest {
            Some(failure) => Err(failure),
            None if self.count == 0 => Err(Failure::new(Exit::Reauthorize, "there are no accounts: log in")),
            None => Ok(()),
        }
    }
}
