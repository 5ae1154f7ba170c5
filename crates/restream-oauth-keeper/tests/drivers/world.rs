//! A local Restream, its client, and a store with grants.

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use http::Response;
use restream_oauth_core::{Client, Endpoints, Entropy, Tokens};
use restream_oauth_keeper::store::{MemoryStore, Store, StoreError, StoreErrorKind, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Event, EventKind, Events, GrantName, Keeper, Record, Stored};
use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};
use restream_oauth_ureq::ureq;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A local Restream, its client, and a store with grants.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
    pub(crate) store: Arc<Shelf>,
}

impl World {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::start().unwrap();
        let client = Client::builder(sandbox.client_id())
            .secret(sandbox.client_secret().unwrap())
            .redirect_uri(&sandbox.redirect_uris()[0])
            .endpoints(Endpoints::at(sandbox.base_url()))
            .build()
            .unwrap();
        Self { sandbox, client, store: Arc::default() }
    }

    /// A world whose grant `default` has an access token that expired a moment ago.
    pub(crate) fn with_expired_token() -> Self {
        let world = Self::new();
        world.put("default", HOUR);
        world
    }

    pub(crate) fn keeper(&self) -> Keeper {
        Keeper::open(self.client.clone(), Arc::clone(&self.store))
    }

    /// Logs in, this long ago.
    pub(crate) fn log_in(&self, ago: Duration) -> Tokens {
        let mut login = self.client.login(Entropy::from([7; 64]));
        let callback = self.sandbox.approve(login.url().as_str()).unwrap();
        let code = login.read_callback(&callback).unwrap();
        let (request, reader) = self.client.exchange(&code).into_parts(SystemTime::now() - ago);
        let agent = ureq::Agent::new_with_defaults();
        let response = agent.run(request.map(|body| body.as_ref().to_vec())).unwrap();
        let (head, mut body) = response.into_parts();
        let tokens = reader.read(Response::from_parts(head, body.read_to_vec().unwrap())).unwrap();
        self.sandbox.advance(ago);
        tokens
    }

    /// Stores the pair of a login of so long ago.
    pub(crate) fn put(&self, name: &str, ago: Duration) {
        let tokens = self.log_in(ago);
        let usable_until = tokens.expires_at() - Duration::from_secs(60);
        self.store.inner.put(&name.parse().unwrap(), Record::of_login(tokens, usable_until));
    }

    pub(crate) fn stored(&self) -> Stored {
        self.store.inner.get(&name())
    }

    pub(crate) fn stored_generation(&self) -> Option<u64> {
        self.stored().record().map(|record| record.generation)
    }

    /// Orders a fault of the next refresh.
    pub(crate) fn order(&self, what: What) {
        self.sandbox.inject(Fault::new(what).on(Endpoint::Token));
    }

    /// Orders that the next answer of the token endpoint comes late, so that there is time to do something meanwhile.
    pub(crate) fn order_delay(&self) {
        self.order(What::Delay(Duration::from_millis(400)));
    }

    pub(crate) fn token_requests(&self) -> usize {
        self.sandbox.ledger().requests_to("/oauth/token").count()
    }

    /// Waits until the sandbox has seen so many requests to the token endpoint. The login made the first.
    pub(crate) fn wait_for_token_requests(&self, count: usize) {
        assert!(self.sandbox.wait_until(LONG, |ledger| ledger.requests_to("/oauth/token").count() >= count));
    }
}

pub(crate) fn name() -> GrantName {
    "default".parse().unwrap()
}

/// Waits for an event.
pub(crate) fn wait_for(events: &mut Events, wanted: impl Fn(&EventKind) -> bool) -> Event {
    loop {
        let event = events.wait().expect("the event comes before the keeper ends");
        if wanted(&event.kind) {
            return event;
        }
    }
}

/// A store in memory that can be told to fail.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) inner: MemoryStore,
    /// How many of the next commits fail.
    pub(crate) failing_commits: AtomicU32,
    /// How many of the next claims panic.
    pub(crate) panicking_claims: AtomicU32,
}

fn strikes(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Store for Shelf {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        match &op {
            StoreOp::Commit { .. } if strikes(&self.failing_commits) => {
                StoreOutcome::Failed(StoreError::new(StoreErrorKind::NoRoom, "no room"))
            }
            StoreOp::Claim if strikes(&self.panicking_claims) => panic_any("the store panics, as this test wants"),
            _ => self.inner.execute(grant, op).await,
        }
    }
}
