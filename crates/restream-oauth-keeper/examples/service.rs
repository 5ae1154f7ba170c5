//! A service that acts for many users: one keeper holds all their grants.
//!
//!     cargo run -p restream-oauth-keeper --example service
//!
//! starts a local Restream whose tokens live for five seconds, logs fifty users in, and serves requests for ten seconds.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use restream_oauth_core::{Advice, Client, Endpoints};
use restream_oauth_hyper::{Transport, entropy};
use restream_oauth_keeper::store::MemoryStore;
use restream_oauth_keeper::{EventKind, Grant, Keeper, Left, Policy};
use restream_oauth_sandbox::Sandbox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::builder().access_token_lifetime(Duration::from_secs(5)).start()?;
    let service = Arc::new(Service::start(&sandbox)?);
    for user in 0..50 {
        service.log_in(&sandbox, user).await?;
    }
    for round in 0..20 {
        // Many requests at once, also several of the same user.
        let mut requests = Vec::new();
        for number in 0..100 {
            let (service, user) = (Arc::clone(&service), (round * 7 + number) % 50);
            requests.push(tokio::spawn(async move { service.request(user).await.map_err(|error| error.to_string()) }));
        }
        for request in requests {
            request.await??;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    service.grant(7)?.log_out().await?;
    let left = service.stop().await;
    println!("2000 requests of 50 users took {} refreshes; left behind: {left:?}", service.refreshes());
    Ok(())
}

pub(crate) struct Service {
    client: Client,
    transport: Transport,
    keeper: Keeper,
    refreshes: Arc<AtomicUsize>,
}

impl Service {
    pub(crate) fn start(sandbox: &Sandbox) -> Result<Self, Box<dyn Error>> {
        let client = Client::builder(sandbox.client_id())
            .secret(sandbox.client_secret().unwrap_or_default())
            .redirect_uri(&sandbox.redirect_uris()[0])
            .endpoints(Endpoints::at(sandbox.base_url())) // leave this out for the real Restream
            .build()?;
        let transport = Transport::new()?;
        // Spread, so that many logins in one minute do not become many refreshes in one minute, every hour.
        let policy = Policy { spread: true, ..Policy::default() };
        // In a real service: a store that outlives the process.
        let keeper = Keeper::builder(client.clone(), MemoryStore::new()).policy(policy).build()?;
        let sender = transport.clone();
        tokio::spawn(keeper.run(async move |call| sender.receive(call).await, tokio::time::sleep));

        // What an operator has to know.
        let refreshes = Arc::new(AtomicUsize::new(0));
        let (count, mut events) = (Arc::clone(&refreshes), keeper.events());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event.kind {
                    EventKind::Rotated { .. } | EventKind::Recovered { .. } => {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    EventKind::Dead { .. } => println!("ask this user to log in again: {event}"),
                    EventKind::Stranded { .. } => println!("ALARM, do not stop the process: {event}"),
                    EventKind::InDoubt { .. } | EventKind::Failed(_) | EventKind::Throttled => println!("{event}"),
                    _ => {}
                }
            }
        });
        Ok(Self { client, transport, keeper, refreshes })
    }

    /// The grant of a user. It costs nothing to ask for it again.
    pub(crate) fn grant(&self, user: usize) -> Result<Grant, Box<dyn Error>> {
        Ok(self.keeper.grant(&format!("user-{user}"))?)
    }

    /// What the callback of the login does. A real service shows `login.url()` to the user.
    pub(crate) async fn log_in(&self, sandbox: &Sandbox, user: usize) -> Result<(), Box<dyn Error>> {
        let mut login = self.client.login(entropy()?);
        let code = login.read_callback(&sandbox.approve(login.url().as_str())?)?;
        let tokens = self.transport.send(self.client.exchange(&code)).await?;
        self.grant(user)?.log_in(&tokens).await?;
        Ok(())
    }

    /// What the service does for a user. A token that the API refuses is replaced, once.
    pub(crate) async fn request(&self, user: usize) -> Result<String, Box<dyn Error>> {
        let grant = self.grant(user)?;
        let token = grant.token().await?;
        match self.transport.send(self.client.profile(token.access_token())?).await {
            Err(error) if error.advice() == Advice::Refresh => {
                grant.rejected(&token);
                let token = grant.token().await?;
                Ok(self.transport.send(self.client.profile(token.access_token())?).await?.id().to_owned())
            }
            outcome => Ok(outcome?.id().to_owned()),
        }
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::Relaxed)
    }

    /// Waits for what is under way. Give service managers a stop limit of 90 seconds or more.
    pub(crate) async fn stop(&self) -> Left {
        self.keeper.shut_down().await
    }
}
