//! Calls that fail: their kind, delivery and advice, and what the server saw.

use std::time::{Duration, Instant};

use crate::support::{self, Setup};
use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery, Error, Tokens};
use restream_oauth_hyper::Transport;
use restream_oauth_sandbox::{BodyFraming, Ending, Endpoint, Fault, Point, What};

/// Sends a refresh to a server with a fault.
async fn refresh(what: What) -> (Setup, Result<Tokens, Error>) {
    let setup = Setup::new();
    let tokens = setup.tokens().await;
    setup.sandbox.inject(Fault::new(what).on(Endpoint::Token).always());
    let begun = Instant::now();
    let outcome = setup.transport.send(setup.client.refresh(tokens.refresh_token().unwrap())).await;
    let limit = support::limits().total + Duration::from_secs(1);
    assert!(begun.elapsed() < limit, "a call ends at most a second after its time limit");
    assert_eq!(setup.token_requests(), 2, "the exchange and one refresh, never sent twice");
    assert_eq!(setup.sandbox.ledger().canary_hits, 0, "no redirect is followed");
    (setup, outcome)
}

async fn refresh_error(what: What) -> Error {
    refresh(what).await.1.unwrap_err()
}

#[tokio::test]
async fn a_refused_connection_proves_that_nothing_was_sent() {
    let setup = Setup::new();
    let tokens = setup.tokens().await;
    let Setup { sandbox, client, transport } = setup;
    drop(sandbox);
    let error = transport.send(client.refresh(tokens.refresh_token().unwrap())).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Connect));
    assert_eq!((error.delivery(), error.advice()), (Delivery::NotSent, Advice::Retry { after: None }));
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_lost_answer_leaves_a_refresh_in_doubt() {
    for (what, kind) in [
        (What::lost_answer(), FailureKind::Interrupted),
        (What::reset(), FailureKind::Interrupted),
        (What::Drop { point: Point::InHead, ending: Ending::Close }, FailureKind::Interrupted),
        (What::Hang(Point::BeforeHead), FailureKind::Timeout),
        (What::Hang(Point::AfterHead), FailureKind::Timeout),
        (What::Hang(Point::InBody(40)), FailureKind::Timeout),
    ] {
        let (setup, outcome) = refresh(what.clone()).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Transport(kind), "{what:?}");
        assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{what:?}");
        assert_eq!(setup.sandbox.ledger().refreshes, 1, "{what:?}: the server rotated");
    }
}

#[tokio::test]
async fn a_pair_that_arrived_before_the_answer_broke_off_is_kept() {
    let ways = [BodyFraming::Length, BodyFraming::UntilClose, BodyFraming::Chunked]
        .into_iter()
        .flat_map(|framing| [Ending::Close, Ending::Reset].map(|ending| (framing, ending)));
    for (framing, ending) in ways {
        let (_, outcome) = refresh(What::Truncate { after: 400, framing, ending }).await;
        let tokens = outcome.unwrap_or_else(|error| panic!("{framing:?} {ending:?}: {error}"));
        assert!(tokens.oddities().any(|oddity| oddity == Oddity::Truncated), "{framing:?} {ending:?}");
    }
    for what in [What::WrongLength { by: 100 }, What::Hang(Point::InBody(400)), What::BadChunk] {
        assert!(refresh(what.clone()).await.1.is_ok(), "{what:?}");
    }
}

/// CVE-2026-54605, RFC 9700 §4.12.
#[tokio::test]
async fn a_redirect_is_reported_and_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let error = refresh_error(What::redirect(status)).await;
        assert!(matches!(error.kind(), ErrorKind::Redirected(_)), "{status}: {error}");
        // Servers often send 303 after they acted on the POST.
        let expected = match status {
            303 => (Delivery::Unknown, Advice::Replay),
            _ => (Delivery::Refused, Advice::FixConfiguration),
        };
        assert_eq!((error.delivery(), error.advice()), expected, "{status}");
    }
}

#[tokio::test]
async fn an_error_status_arrives_with_its_body_and_headers() {
    let error = refresh_error(What::retry_after(429, "7")).await;
    assert_eq!(error.advice(), Advice::Retry { after: Some(Duration::from_secs(7)) });
    assert_eq!(error.delivery(), Delivery::Refused);
    let error = refresh_error(What::html(502)).await;
    assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay));
}

/// the oauth2 crate's adapters.
#[tokio::test]
async fn an_endless_body_ends_at_the_body_limit() {
    let error = refresh_error(What::Endless { answer_first: false }).await;
    assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }), "{error}");
    let (_, outcome) = refresh(What::Endless { answer_first: true }).await;
    assert!(outcome.is_ok(), "the pair arrived before the limit");
}

#[tokio::test]
async fn informational_answers_are_skipped_until_there_are_too_many() {
    for status in [100, 102, 103] {
        let every = Duration::ZERO;
        let (_, outcome) = refresh(What::Informational { status, times: Some(3), every }).await;
        assert!(outcome.is_ok(), "{status}");
    }
    let slow = Duration::from_millis(1);
    for every in [Duration::ZERO, slow] {
        let error = refresh_error(What::Informational { status: 103, times: None, every }).await;
        assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Protocol), "{error}");
        assert_eq!(error.delivery(), Delivery::Unknown);
    }
}

#[tokio::test]
async fn slow_informational_answers_do_not_extend_the_time_limit() {
    let every = Duration::from_millis(100);
    let error = refresh_error(What::Informational { status: 103, times: None, every }).await;
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Timeout), "{error}");
    assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay));
}

#[tokio::test]
async fn a_profile_call_has_no_body_so_its_failure_never_proves_that_nothing_was_sent() {
    let setup = Setup::new();
    let tokens = setup.tokens().await;
    let Setup { sandbox, client, transport } = setup;
    drop(sandbox);
    let error = transport.send(client.profile(tokens.access_token()).unwrap()).await.unwrap_err();
    assert_eq!(error.delivery(), Delivery::Unknown);
    assert_eq!(error.advice(), Advice::Retry { after: None });
}

#[tokio::test]
async fn the_connect_limit_covers_the_tls_handshake() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let client = restream_oauth_core::Client::builder("id")
        .secret("secret")
        .redirect_uri("https://app.example/callback")
        .endpoints(restream_oauth_core::Endpoints::at(&base_url))
        .build()
        .unwrap();
    let begun = Instant::now();
    let call = client.refresh(&restream_oauth_core::RefreshToken::new("r0"));
    let error = support::short().send(call).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Timeout));
    assert_eq!(error.delivery(), Delivery::NotSent);
    assert!(begun.elapsed() < support::limits().total, "the connect limit is the shorter one");
}

/// Stops the whole program, as Ctrl-Z does, once the server has the request. Its answer comes while nobody looks, and the
/// time limit passes.
async fn refresh_while_stopped(what: What, stop: Duration) -> Result<Tokens, Error> {
    let setup = Setup::new();
    let tokens = setup.tokens().await;
    setup.sandbox.inject(Fault::new(what).on(Endpoint::Token));
    let stopped = async {
        let requests = || setup.sandbox.ledger().requests_to("/oauth/token").count();
        while requests() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The test has one thread for everything but the sandbox.
        std::thread::sleep(stop);
    };
    let call = setup.client.refresh(tokens.refresh_token().unwrap());
    tokio::join!(setup.transport.send(call), stopped).0
}

#[tokio::test]
async fn an_answer_that_came_while_the_program_was_stopped_is_read_after_the_time_limit() {
    // The limit is a second.
    for stop in [Duration::from_millis(1500), Duration::from_millis(4500)] {
        let late = What::Delay(Duration::from_millis(300));
        let outcome = refresh_while_stopped(late, stop).await;
        assert!(outcome.is_ok(), "{stop:?}: {outcome:?}");
    }
    // Nothing comes, so the call ends.
    let begun = Instant::now();
    let error = refresh_while_stopped(What::Hang(Point::BeforeHead), Duration::from_millis(1500)).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Timeout));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_call_can_be_given_less_time_than_the_others() {
    let setup = Setup::new();
    let tokens = setup.tokens().await;
    let call = || setup.client.profile(tokens.access_token()).unwrap();
    let hasty = Transport::builder().build().unwrap().at_most(Duration::from_millis(500));
    setup.sandbox.inject(Fault::new(What::Hang(Point::BeforeHead)).on(Endpoint::Profile));
    let begun = Instant::now();
    let error = hasty.clone().at_most(Duration::from_secs(60)).send(call()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Timeout));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(hasty.send(call()).await.is_ok());
}

#[tokio::test]
async fn a_received_answer_gives_its_bytes_before_it_is_interpreted() {
    let setup = Setup::new();
    let tokens = setup.tokens().await;
    setup.sandbox.inject(Fault::new(What::body("text/html", "<html>")).on(Endpoint::Token));
    let answer = setup.transport.receive(setup.client.refresh(tokens.refresh_token().unwrap())).await;
    assert_eq!(answer.expose_body(), b"<html>");
    assert!(answer.is_whole());
    assert_eq!(answer.interpret().unwrap_err().advice(), Advice::Replay);
}
