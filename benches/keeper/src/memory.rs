//! The memory of a hundred thousand idle grants.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use restream_oauth_keeper::store::{Store, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Grant, GrantName, Keeper, Stored};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::fixtures::{LIFE, client, record, text};
use crate::live;

/// How many bytes a grant takes, all in, when this many have their tokens, nothing is under way, and the program has the
/// handles.
pub(crate) fn ours(grants: usize) -> f64 {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let before = live::bytes();
    let keeper = Keeper::open(client(), Elsewhere { since: SystemTime::now() });
    let send = async |_| unreachable!("nothing expires in this time");
    runtime.spawn(keeper.run(send, tokio::time::sleep));
    let mut kept = Vec::new();
    for number in 0..grants {
        let grant = keeper.grant(&format!("grant-{number:06}")).expect("a good name");
        runtime.block_on(grant.token()).expect("the store has a token");
        kept.push(grant);
    }
    let handles = kept.capacity() * size_of::<Grant>();
    each(before + handles, grants, (kept, keeper))
}

/// A store whose records are on another machine.
struct Elsewhere {
    since: SystemTime,
}

impl Store for Elsewhere {
    async fn execute(&self, grant: &GrantName, op: StoreOp) -> StoreOutcome {
        assert_eq!(op, StoreOp::Read, "nothing expires in this time");
        let number = grant.as_str().trim_start_matches("grant-").parse().expect("a number");
        StoreOutcome::Read { stored: Stored::Grant(Box::new(record(number, self.since))), left: false }
    }
}

/// The same for one task and one channel a credential.
pub(crate) fn peer(grants: usize) -> f64 {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let before = live::bytes();
    let credentials: Vec<_> = (0..grants).map(|number| Credential::new(&runtime, number)).collect();
    runtime.block_on(async {
        for credential in &credentials {
            credential.token().await;
        }
    });
    // The programs on both sides keep the handles themselves.
    let handles = credentials.capacity() * size_of::<Credential>();
    each(before + handles, grants, credentials)
}

fn each<T>(before: usize, grants: usize, kept: T) -> f64 {
    let bytes = live::bytes() - before;
    drop(black_box(kept));
    #[expect(clippy::cast_precision_loss, reason = "there are not so many bytes")]
    {
        bytes as f64 / grants as f64
    }
}

/// The shape of google-cloud-auth 1.19 (`token_cache.rs`): a task that refreshes, and a channel that shows the token.
/// Metadata, errors, retries and the boxed futures of its trait objects are left out, which favours it.
struct Credential {
    token: watch::Receiver<Option<(Token, EntityTag)>>,
    _abort_guard: Arc<AbortOnDrop>,
}

#[derive(Clone)]
struct Token {
    text: String,
    _type: String,
    expires_at: Option<tokio::time::Instant>,
}

#[derive(Clone)]
struct EntityTag(#[expect(dead_code, reason = "nobody compares it here")] u64);

/// Holds the refresh token.
struct Provider {
    number: usize,
    refresh_token: String,
}

impl Provider {
    async fn token(&self) -> Token {
        tokio::task::yield_now().await;
        black_box(&self.refresh_token);
        let expires_at = Some(tokio::time::Instant::now() + LIFE);
        Token { text: text('a', self.number), _type: "Bearer".to_owned(), expires_at }
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Credential {
    fn new(runtime: &Runtime, number: usize) -> Self {
        let (sender, token) = watch::channel(None);
        let provider = Arc::new(Provider { number, refresh_token: text('r', number) });
        let handle = runtime.spawn(refresh(provider, sender)).abort_handle();
        Self { token, _abort_guard: Arc::new(AbortOnDrop(handle)) }
    }

    async fn token(&self) -> Option<Token> {
        let mut token = self.token.clone();
        let (token, _) = token.wait_for(Option::is_some).await.ok()?.clone()?;
        black_box(&token.text);
        Some(token)
    }
}

async fn refresh(provider: Arc<Provider>, sender: watch::Sender<Option<(Token, EntityTag)>>) {
    while sender.receiver_count() > 0 {
        let token = provider.token().await;
        let Some(expires_at) = token.expires_at else { return };
        if sender.send(Some((token, EntityTag(0)))).is_err() {
            return;
        }
        tokio::time::sleep_until(expires_at - Duration::from_mins(4)).await;
    }
}
