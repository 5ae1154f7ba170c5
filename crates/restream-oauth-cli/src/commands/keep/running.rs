//! A keeper that runs, with those who listen to it, until a signal ends it.

use restream_oauth_keeper::{AlreadyRunning, Keeper};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;

use crate::commands::keep::events;
use crate::commands::keep::offer::Offer;
use crate::commands::keep::socket::{Server, Socket};
use crate::failure::Failure;
use crate::signals::Interruptions;
use crate::terminal::say;
use crate::tokens::shutting_down::{rescue, shut_down};
use crate::transport::Transport;

/// A keeper that runs.
pub(crate) struct Running {
    keeper: Keeper,
    driver: JoinHandle<Result<(), AlreadyRunning>>,
    printer: JoinHandle<()>,
    server: Option<Server>,
    interruptions: Interruptions,
}

impl Running {
    /// Drives the keeper, prints its events, says `words`, and serves the socket.
    pub(crate) fn start(
        keeper: &Keeper,
        transport: Transport,
        offer: &Offer,
        socket: Option<Socket>,
        interruptions: Interruptions,
        words: &str,
    ) -> Self {
        let printer = events::print(offer, keeper.events());
        let driver = tokio::spawn(keeper.run(async move |call| transport.receive(call).await, sleep));
        say(words);
        let server = socket.map(|socket| socket.serve(offer));
        Self { keeper: keeper.clone(), driver, printer, server, interruptions }
    }

    /// Waits for a signal, or for the end of a keeper that nobody has ended.
    pub(crate) async fn ended(&mut self) -> Result<(), Failure> {
        tokio::select! {
            _ = self.interruptions.next() => Ok(()),
            ended = &mut self.driver => Err(crashed(&ended)),
        }
    }

    /// Finishes what is under way, and saves what cannot be stored. `end` is how it ended before.
    pub(crate) async fn finish(mut self, end: Result<(), Failure>) -> Result<(), Failure> {
        let left = shut_down(&self.keeper, &mut self.interruptions).await;
        if let Some(server) = self.server {
            server.end().await;
        }
        drop(self.driver);
        events::finish(self.printer).await;
        rescue(|name| self.keeper.export(name.as_str()), &left?)?;
        end
    }
}

fn crashed(ended: &Result<Result<(), AlreadyRunning>, JoinError>) -> Failure {
    Failure::other(match ended {
        Ok(Err(error)) => error.to_string(),
        _ => "the keeper ended by itself".to_owned(),
    })
}
