//! `keep`: keeps accounts warm until a signal ends it, and gives their tokens to programs over a Unix socket.
//!
//! The keeper does the work, in a task of its own. This file chooses the accounts in files, and decides when the command
//! ends. What programs can ask for is in `KEEP.md`.

#[cfg(unix)]
mod answers;
mod events;
mod kept;
mod not_offered;
mod offer;
mod running;
#[cfg(unix)]
mod socket;
#[cfg(not(unix))]
#[path = "keep/no_socket.rs"]
mod socket;
mod table;
mod tidy;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use restream_oauth_keeper::{Keeper, Mode};
use tokio::time::sleep;

use crate::arguments::Keep;
use crate::commands::keep::kept::Kept;
use crate::commands::keep::offer::Offer;
use crate::commands::keep::running::Running;
use crate::commands::keep::socket::Socket;
use crate::commands::keep::tidy::TidyStore;
use crate::configuration;
use crate::database::chosen::Chosen;
use crate::failure::{Exit, Failure};
use crate::signals::Interruptions;
use crate::tokens::shutting_down::join;

/// How often the files are looked at, for what other processes have written.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(options: &Keep) -> Result<(), Failure> {
    match Chosen::of_options(&options.database)? {
        Some(database) => worker::run(options, database).await,
        None => keep_files(options).await,
    }
}

async fn keep_files(options: &Keep) -> Result<(), Failure> {
    let client = configuration::client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let accounts = kept::choose(options, &client)?;
    let interruptions = Interruptions::watch();
    let socket = match &options.socket {
        Some(path) => Some(Socket::bind(path).await?),
        None => None,
    };
    // Nothing is sent before this line.
    let keeper = Keeper::builder(client.clone(), TidyStore::over(accounts.store()?))
        .mode(Mode::Warm)
        .request_limit(options.client.timeout)
        .build()
        .map_err(|error| Failure::usage(format!("--timeout: {error}")))?;
    let kept = Arc::new(Kept::new(keeper.clone(), &accounts)?);
    let names = join(&kept.names());
    let words = match &options.socket {
        Some(path) => format!("keeping {names}; tokens are at the socket {}", path.display()),
        None => format!("keeping {names}"),
    };
    let offer = Offer::Files(Arc::clone(&kept));
    let mut running = Running::start(&keeper, transport, &offer, socket, interruptions, &words);
    let end = loop {
        tokio::select! {
            end = running.ended() => break end,
            () = kept.all_gone() => break Err(all_gone(&kept)),
            () = sleep(LOOK_AGAIN) => {
                kept.catch_up();
                if options.all {
                    kept.look_for_more(&client);
                }
            }
        }
    };
    running.finish(end).await
}

fn all_gone(kept: &Kept) -> Failure {
    let reasons = kept.reasons().into_iter().map(|(name, gone)| format!("account {name}: {gone}"));
    Failure::new(Exit::Reauthorize, reasons.collect::<Vec<_>>().join("\n"))
}
