//! `token` while a refresh has no known outcome: the API is asked before the old token is printed.

use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Setup, kept};
use crate::token::{TOKEN, age, line};

/// The profile call answers that the access token is dead.
fn refuses_the_token() -> Fault {
    let body = r#"{"error":{"statusCode":401,"name":"invalid_token","message":"access token has expired"}}"#;
    Fault::new(What::Status { status: 401, headers: Vec::new(), body: body.into() }).on(Endpoint::Profile)
}

#[test]
fn in_doubt_a_token_that_the_api_refuses_is_not_printed() {
    // The server has acted, and forgives nothing: the replay proves the loss.
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3600 - 30);
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token));
    let outcome = setup.run(&TOKEN).expect(3);
    assert!(outcome.stderr.contains("lost answer"), "{}", outcome.stderr);
    assert_eq!(setup.sandbox.ledger().requests_to("/v2/user/profile").count(), 2, "one of them by the login");

    // The server has not acted.
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3600 - 30);
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting());
    setup.sandbox.inject(refuses_the_token());
    let outcome = setup.run(&TOKEN).expect(0);
    assert_eq!(outcome.stdout, line(&path));
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
}

#[test]
fn a_later_run_asks_the_api_again_before_it_prints_a_token_in_doubt() {
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3600 - 30);
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting());
    setup.run(&TOKEN).expect(0);
    assert_eq!(kept(&path)["doubt"]["witnessed"], true);
    // The first request is that of the login.
    let asked = || setup.sandbox.ledger().requests_to("/v2/user/profile").count() - 1;
    assert_eq!(asked(), 1);
    let outcome = setup.run(&TOKEN).expect(0);
    assert_eq!(outcome.stdout, line(&path));
    assert_eq!((asked(), setup.sandbox.ledger().refreshes), (2, 0));
    // Anything but 401 says that it may live.
    setup.sandbox.inject(Fault::new(What::status(503)).on(Endpoint::Profile));
    assert_eq!(setup.run(&TOKEN).expect(0).stdout, line(&path));
    setup.sandbox.inject(refuses_the_token());
    let before = line(&path);
    assert_ne!(setup.run(&TOKEN).expect(0).stdout, before);
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
}

/// Such tokens are never refreshed, so a refused one is left to `refresh`.
#[test]
fn tokens_in_doubt_from_standard_input_are_printed_unless_the_api_refuses_them() {
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3600 - 30);
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting());
    setup.run(&TOKEN).expect(0);
    let in_doubt = std::fs::read_to_string(&path).unwrap();
    let asked = || setup.sandbox.ledger().requests_to("/v2/user/profile").count();
    let before = (asked(), setup.token_requests());

    assert_eq!(setup.run_with_input(&["token"], &in_doubt).expect(0).stdout, line(&path));
    setup.sandbox.inject(Fault::new(What::status(503)).on(Endpoint::Profile));
    assert_eq!(setup.run_with_input(&["token"], &in_doubt).expect(0).stdout, line(&path));
    setup.sandbox.inject(refuses_the_token());
    let outcome = setup.run_with_input(&["token"], &in_doubt).expect(6);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("refresh --tokens -"), "{}", outcome.stderr);
    assert_eq!((asked(), setup.token_requests()), (before.0 + 3, before.1));
}

#[test]
fn replays_within_a_run_end_after_twenty_seconds() {
    let setup = Setup::new();
    let path = setup.token_file();
    age(&path, 3601);
    setup.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting().always());
    let outcome = setup.run(&TOKEN).expect(4);
    // At 1, 4 and 15 seconds. The next one would come at 28.
    assert_eq!(setup.token_requests(), 1 + 4);
    assert_eq!(kept(&path)["doubt"]["sends"], 4);
    assert!(outcome.stderr.contains("tokens.json remembers this"), "{}", outcome.stderr);
}
