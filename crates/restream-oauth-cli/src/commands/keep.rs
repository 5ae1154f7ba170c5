//! `keep`: keeps accounts warm until a signal ends it, and gives their tokens to programs over a Unix socket.
//!
//! The keeper does the work, in a task of its own. This file chooses the accounts, and decides when the command ends.
//! What programs can ask for is in `KEEP.md`.

#[cfg(unix)]
mod answers;
mod events;
mod kept;
#[cfg(unix)]
mod socket;
#[cfg(not(unix))]
#[path = "keep/no_socket.rs"]
mod socket;
mod tidy;

use std::sync::Arc;
use std::time::Duration;

use restream_oauth_keeper::{AlreadyRunning, Keeper, Mode};
use tokio::task::JoinError;
use tokio::time::sleep;

use crate::arguments::Keep;
use crate::commands::keep::kept::Kept;
use crate::commands::keep::socket::Socket;
use crate::commands::keep::tidy::TidyStore;
use crate::configuration;
use crate::failure::{Exit, Failure};
use crate::signals::Interruptions;
use crate::terminal::say;
use crate::tokens::shutting_down::{join, rescue, shut_down};

/// How often the files are looked at, for what other processes have written.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(options: &Keep) -> Result<(), Failure> {
    let client = configuration::client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    let accounts = kept::choose(options, &client)?;
    let mut interruptions = Interruptions::watch();
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
    let printer = events::print(&kept);
    let mut driver = tokio::spawn(keeper.run(async move |call| transport.receive(call).await, sleep));
    let names = join(&kept.names());
    say(&match &options.socket {
        Some(path) => format!("keeping {names}; tokens are at the socket {}", path.display()),
        None => format!("keeping {names}"),
    });
    let server = socket.map(|socket| socket.serve(&kept));

    let end = loop {
        tokio::select! {
            _ = interruptions.next() => break Ok(()),
            () = kept.all_gone() => break Err(all_gone(&kept)),
            ended = &mut driver => break Err(crashed(&ended)),
            () = sleep(LOOK_AGAIN) => {
                kept.catch_up();
                if options.all {
                    kept.look_for_more(&client);
                }
            }
        }
    };
    let left = shut_down(&keeper, &mut interruptions).await;
    if let Some(server) = server {
        server.end().await;
    }
    drop((keeper, driver));
    events::finish(printer).await;
    rescue(|name| kept.export(name), &left?)?;
    end
}

fn all_gone(kept: &Kept) -> Failure {
    let reasons = kept.reasons().into_iter().map(|(name, gone)| format!("account {name}: {gone}"));
    Failure::new(Exit::Reauthorize, reasons.collect::<Vec<_>>().join("\n"))
}

fn crashed(ended: &Result<Result<(), AlreadyRunning>, JoinError>) -> Failure {
    Failure::other(match ended {
        Ok(Err(error)) => error.to_string(),
        _ => "the keeper ended by itself".to_owned(),
    })
}
