//! `keep --database`: keeps what is due in the database, beside any number of other processes.

use std::sync::Arc;

use restream_oauth_keeper::store::StoreError;
use restream_oauth_keeper::{Keeper, Mode};
use restream_oauth_keeper_postgres::Worker;

use crate::arguments::{Keep, TokensOption};
use crate::commands::keep::offer::Offer;
use crate::commands::keep::running::Running;
use crate::commands::keep::socket::Socket;
use crate::commands::keep::table::Table;
use crate::configuration;
use crate::database::chosen::Chosen;
use crate::failure::Failure;
use crate::runtime::prove_descriptors;
use crate::signals::Interruptions;
use crate::terminal::{alert, say};
use crate::tokens::place::account_name;

/// Descriptors for requests and connections of the database. The socket proves its own.
const DESCRIPTORS: usize = 128;

pub(crate) async fn run(options: &Keep, chosen: Chosen) -> Result<(), Failure> {
    if !options.accounts.is_empty() {
        return Err(Failure::usage(
            "`keep` keeps whatever is due in a database, whoever else keeps it too: leave --account out",
        ));
    }
    let client = configuration::client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let default = account_name(&TokensOption { account: None, file: None })?;
    prove_descriptors(DESCRIPTORS)?;
    let database = chosen.prepare_for_all().await?;
    let (store, place) = (database.store().clone(), database.place().to_owned());
    say(&format!("{place}: {}", store.durability()));
    let interruptions = Interruptions::watch();
    let socket = match &options.socket {
        Some(path) => Some(Socket::bind(path).await?),
        None => None,
    };
    // Nothing is sent to Restream before this line.
    let keeper = Keeper::builder(client, store.clone())
        .mode(Mode::Warm)
        .request_limit(options.client.timeout)
        .build()
        .map_err(|error| Failure::usage(format!("--timeout: {error}")))?;
    let offer = Offer::Table(Arc::new(Table::new(keeper.clone(), database, default)));
    let words = match &options.socket {
        Some(path) => format!("keeping what is due in {place}; tokens are at the socket {}", path.display()),
        None => format!("keeping what is due in {place}"),
    };
    let mut running = Running::start(&keeper, transport, &offer, socket, interruptions, &words);
    let worker = Worker::new(store);
    let mut reach = Reach { place: &place, is_away: false };
    let end = tokio::select! {
        end = running.ended() => end,
        // It has no end.
        () = worker.run_and_tell(&keeper, |picked| reach.tell(picked)) => Ok(()),
    };
    running.finish(end).await
}

/// Whether the database answers. Each change is said once.
struct Reach<'a> {
    place: &'a str,
    is_away: bool,
}

impl Reach<'_> {
    fn tell(&mut self, picked: Result<u32, &StoreError>) {
        match picked {
            Err(error) if !std::mem::replace(&mut self.is_away, true) => {
                let served = "tokens that are promised are given out meanwhile, and it is tried again";
                alert(&format!("{}: {error}; {served}", self.place));
            }
            Ok(_) if std::mem::take(&mut self.is_away) => say(&format!("{}: it answers again", self.place)),
            _ => {}
        }
    }
}
