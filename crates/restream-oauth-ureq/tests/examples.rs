//! The example does what it says, against a sandbox.

#[path = "../examples/bot.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod bot;

use std::cell::RefCell;
use std::time::Duration;

use restream_oauth_core::{Advice, Error, Tokens};
use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};

const PAUSE: Duration = Duration::from_millis(1);

#[test]
fn the_bot_follows_advice_until_it_has_a_pair_and_saves_each_pair_once() {
    // The margin of the bot is a minute: with tokens that live for half of one it refreshes before each call.
    let sandbox = Sandbox::builder().access_token_lifetime(Duration::from_secs(30)).start().unwrap();
    let saved = RefCell::new(Vec::new());
    let mut bot = bot::start(&sandbox, PAUSE, |document| saved.borrow_mut().push(document)).unwrap();
    bot.profile().unwrap();
    assert_eq!(sandbox.ledger().refreshes, 1);

    let salvageable = r#"{"token_type":"Bearer","refresh_token":"TOKEN"}"#;
    let newest = Tokens::from_saved(saved.borrow()[1].expose_secret()).unwrap();
    let salvageable = salvageable.replace("TOKEN", newest.refresh_token().unwrap().expose_secret());
    for what in
        [What::retry_after(429, "0"), What::html(502), What::lost_answer(), What::body("application/json", salvageable)]
    {
        sandbox.inject(Fault::new(what).on(Endpoint::Token).before_acting());
    }
    bot.profile().unwrap();
    let ledger = sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.dead_refresh_tokens_used), (2, 0));
    assert_eq!(ledger.requests.iter().filter(|request| request.fault.is_some()).count(), 4);
    drop(bot);
    assert_eq!(saved.take().len(), 3, "the login's pair and two more");
}

#[test]
fn the_bot_refreshes_when_the_api_refuses_a_token_that_should_be_alive() {
    let sandbox = Sandbox::start().unwrap();
    let mut bot = bot::start(&sandbox, PAUSE, drop).unwrap();
    bot.profile().unwrap();
    assert_eq!(sandbox.ledger().refreshes, 0);
    sandbox.advance(Duration::from_secs(3600));
    bot.profile().unwrap();
    assert_eq!(sandbox.ledger().refreshes, 1);
}

#[test]
fn the_bot_gives_up_when_only_a_person_can_help() {
    let sandbox = Sandbox::builder().access_token_lifetime(Duration::from_secs(30)).start().unwrap();
    let mut bot = bot::start(&sandbox, PAUSE, drop).unwrap();
    // The server rotated, and its answer was lost: the old token is dead.
    sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).after_acting());
    let error = bot.profile().unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().unwrap().advice(), Advice::Reauthorize);
    assert_eq!(sandbox.ledger().dead_refresh_tokens_used, 1);

    sandbox.reset();
    let mut bot = bot::start(&sandbox, PAUSE, drop).unwrap();
    sandbox.inject(Fault::new(What::html(502)).on(Endpoint::Token).before_acting().always());
    assert!(bot.profile().unwrap_err().to_string().starts_with("no new tokens after five tries"));
}
