//! The examples do what they say, against a sandbox.

#[path = "../examples/bot.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod bot;
#[path = "../examples/script.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod script;
#[path = "../examples/service.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod service;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use restream_oauth_keeper::store::MemoryStore;
use restream_oauth_keeper::{Gone, TokenError};
use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// Waits until a line is said that contains this.
fn wait_for(said: &Receiver<String>, wanted: &str) {
    loop {
        let line = said.recv_timeout(LONG).unwrap_or_else(|_| panic!("nobody says {wanted:?}"));
        if line.contains(wanted) {
            return;
        }
    }
}

#[test]
fn the_bot_says_in_plain_words_what_happens() {
    let sandbox = Arc::new(Sandbox::builder().access_token_lifetime(Duration::from_secs(2)).start().unwrap());
    let (say, said) = channel();
    let server = Arc::clone(&sandbox);
    let bot = std::thread::spawn(move || {
        let tasks = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let say = move |line| drop(say.send(line));
        tasks.block_on(bot::run(&server, Duration::from_millis(50), say)).unwrap();
    });
    wait_for(&said, "keeper: default: logged in (generation 0)");
    wait_for(&said, "bot: works for user");
    wait_for(&said, "keeper: default: refreshed (generation 1)");
    sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting());
    wait_for(&said, "in doubt: 1 refreshes sent, and no answer known");
    wait_for(&said, "no longer in doubt");
    wait_for(&said, "bot: works for user");
    sandbox.end_grants();
    wait_for(&said, "bot: the API refuses the token");
    wait_for(&said, "bot: stops, the server ended the grant: log in again");
    bot.join().unwrap();
}

#[test]
fn the_script_refreshes_only_what_has_to_be_refreshed() {
    let sandbox = Sandbox::start().unwrap();
    let client = script::client(&sandbox).unwrap();
    let store = Arc::new(MemoryStore::new());
    let early = script::script(&client, Arc::clone(&store)).unwrap_err();
    let early = early.downcast_ref::<TokenError>();
    assert!(matches!(early, Some(TokenError::Gone(Gone::NeverLoggedIn))), "{early:?}");
    script::log_in(&sandbox, &client, Arc::clone(&store)).unwrap();
    for _ in 0..2 {
        assert!(script::script(&client, Arc::clone(&store)).unwrap().ends_with("(generation 0)"));
    }
    assert_eq!(sandbox.ledger().refreshes, 0);
}

#[test]
fn scripts_that_run_at_once_refresh_once() {
    let sandbox = Sandbox::builder().access_token_lifetime(Duration::from_secs(1)).start().unwrap();
    let client = script::client(&sandbox).unwrap();
    let store = Arc::new(MemoryStore::new());
    script::log_in(&sandbox, &client, Arc::clone(&store)).unwrap();
    while sandbox.ledger().refreshes < 2 {
        std::thread::scope(|threads| {
            for _ in 0..4 {
                // On a slow machine the token may expire on its way to the API.
                threads.spawn(|| drop(script::script(&client, Arc::clone(&store))));
            }
        });
    }
    let ledger = sandbox.ledger();
    let requests = u64::try_from(ledger.requests_to("/oauth/token").count()).unwrap();
    assert_eq!((ledger.dead_refresh_tokens_used, requests), (0, ledger.exchanges + ledger.refreshes));
}

#[test]
fn the_service_serves_its_users_and_forgets_those_who_log_out() {
    let sandbox = Sandbox::builder().access_token_lifetime(Duration::from_secs(1)).start().unwrap();
    let tasks = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    tasks.block_on(async {
        let service = Arc::new(service::Service::start(&sandbox).unwrap());
        for user in 0..5 {
            service.log_in(&sandbox, user).await.unwrap();
        }
        // Until each of them was refreshed once.
        while service.refreshes() < 5 {
            for user in 0..5 {
                // On a slow machine the token may expire on its way to the API.
                drop(service.request(user).await);
            }
        }
        service.grant(3).unwrap().log_out().await.unwrap();
        assert!(service.request(3).await.is_err());
        assert!(service.grant(4).unwrap().token().await.unwrap().generation() > 0);
        assert!(service.stop().await.is_nothing());
    });
    let ledger = sandbox.ledger();
    assert_eq!((ledger.revocations, ledger.dead_refresh_tokens_used), (1, 0));
}
