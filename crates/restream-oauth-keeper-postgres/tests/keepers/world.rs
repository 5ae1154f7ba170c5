//! A local Restream, its client, and keepers on one database.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use restream_oauth_core::{Client, Endpoints, Tokens};
use restream_oauth_hyper::{Transport, entropy};
use restream_oauth_keeper::{Keeper, Mode, Now};
use restream_oauth_keeper_postgres::PostgresStore;
use restream_oauth_sandbox::Sandbox;
use tokio::task::JoinHandle;

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
    pub(crate) transport: Transport,
}

/// A keeper and the task that drives it: one process.
pub(crate) struct Process {
    pub(crate) keeper: Keeper,
    driver: JoinHandle<()>,
}

impl World {
    pub(crate) fn new(sandbox: Sandbox) -> Self {
        let client = Client::builder(sandbox.client_id())
            .secret(sandbox.client_secret().unwrap())
            .redirect_uri(&sandbox.redirect_uris()[0])
            .endpoints(Endpoints::at(sandbox.base_url()))
            .build()
            .unwrap();
        Self { sandbox, client, transport: Transport::new().unwrap() }
    }

    pub(crate) async fn log_in(&self) -> Tokens {
        let mut login = self.client.login(entropy().unwrap());
        let callback = self.sandbox.approve(login.url().as_str()).unwrap();
        let code = login.read_callback(&callback).unwrap();
        self.transport.send(self.client.exchange(&code)).await.unwrap()
    }

    pub(crate) fn process(&self, store: PostgresStore, mode: Mode) -> Process {
        self.process_at(store, mode, Arc::new(SystemTime::now))
    }

    /// A process with a wall clock of its own.
    pub(crate) fn process_at(
        &self,
        store: PostgresStore,
        mode: Mode,
        wall: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    ) -> Process {
        let keeper = self.keeper_at(store, mode, wall);
        let (transport, handle) = (self.transport.clone(), keeper.clone());
        let driver = tokio::spawn(async move {
            handle.run(async move |call| transport.receive(call).await, tokio::time::sleep).await.unwrap();
        });
        Process { keeper, driver }
    }

    /// A keeper that nobody drives: a process that dies before it does anything.
    pub(crate) fn keeper(&self, store: PostgresStore, mode: Mode) -> Keeper {
        self.keeper_at(store, mode, Arc::new(SystemTime::now))
    }

    fn keeper_at(&self, store: PostgresStore, mode: Mode, wall: Arc<dyn Fn() -> SystemTime + Send + Sync>) -> Keeper {
        let start = std::time::Instant::now();
        let clock = move || Now { wall: wall(), steady: Duration::from_secs(1_000_000) + start.elapsed() };
        Keeper::builder(self.client.clone(), store).mode(mode).clock(clock).build().unwrap()
    }

    /// How many refreshes the server answered with a new pair. The login made the first request.
    pub(crate) fn token_requests(&self) -> usize {
        self.sandbox.ledger().requests_to("/oauth/token").count()
    }
}

impl Process {
    /// The process dies, with everything that it has in memory.
    pub(crate) fn die(self) {
        self.driver.abort();
    }
}
