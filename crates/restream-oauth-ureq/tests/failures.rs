//! Calls that fail: their kind, delivery and advice.

mod sandboxed;

use std::time::Instant;

use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::token::Oddity;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{AccessToken, Advice, Client, Delivery, Endpoints, RefreshToken};
use restream_oauth_sandbox::{BodyFraming, Ending, Endpoint, Fault, Point, Sandbox, What};
use restream_oauth_ureq::Transport;
use sandboxed::{client, short, tokens};

fn with_short_limits() -> Transport {
    Transport::builder().limits(short()).build().unwrap()
}

#[test]
fn a_refused_connection_proves_that_nothing_was_sent() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    drop(sandbox);
    let error = Transport::new().unwrap().send(client.refresh(&RefreshToken::new("r1"))).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Connect));
    assert_eq!((error.delivery(), error.advice()), (Delivery::NotSent, Advice::Retry { after: None }));
}

#[test]
fn a_name_that_does_not_resolve_proves_that_nothing_was_sent() {
    let client = Client::builder("id")
        .secret("s")
        .redirect_uri("https://app.example/callback")
        .endpoints(Endpoints::at("https://nowhere.invalid"))
        .build()
        .unwrap();
    let error = Transport::new().unwrap().send(client.refresh(&RefreshToken::new("r1"))).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Connect));
    assert_eq!(error.delivery(), Delivery::NotSent);
}

#[test]
fn a_failed_call_without_a_body_never_proves_that_nothing_was_sent() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    drop(sandbox);
    let error = Transport::new().unwrap().send(client.profile(&AccessToken::new("a1")).unwrap()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Connect));
    assert_eq!(error.delivery(), Delivery::Unknown);
}

#[test]
fn a_lost_answer_leaves_a_refresh_in_doubt() {
    let sandbox = Sandbox::start().unwrap();
    let (client, transport) = (client(&sandbox), Transport::new().unwrap());
    for what in [What::lost_answer(), What::reset(), What::Drop { point: Point::InHead, ending: Ending::Close }] {
        let before = tokens(&sandbox, &transport);
        sandbox.inject(Fault::new(what.clone()).on(Endpoint::Token));
        let error = transport.send(client.refresh(before.refresh_token().unwrap())).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Interrupted), "{what:?}");
        assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay));
    }
    assert_eq!(sandbox.ledger().refreshes, 3);
}

#[test]
fn silence_at_any_point_ends_at_the_time_limit() {
    let points = [Point::BeforeHead, Point::InHead, Point::AfterHead, Point::InBody(40)];
    for point in points {
        let sandbox = Sandbox::start().unwrap();
        let before = tokens(&sandbox, &Transport::new().unwrap());
        sandbox.inject(Fault::new(What::Hang(point)).on(Endpoint::Token));
        let started = Instant::now();
        let call = client(&sandbox).refresh(before.refresh_token().unwrap());
        let error = with_short_limits().send(call).unwrap_err();
        assert!(started.elapsed() < short().total + std::time::Duration::from_secs(1), "{point:?}");
        assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Timeout), "{point:?}");
        assert_eq!((error.delivery(), error.advice()), (Delivery::Unknown, Advice::Replay), "{point:?}");
    }
}

#[test]
fn a_slow_answer_and_endless_informational_answers_end_at_the_time_limit() {
    let drip = What::Drip { bytes: 1, every: std::time::Duration::from_millis(20) };
    let endless_early_hints =
        What::Informational { status: 103, times: None, every: std::time::Duration::from_millis(5) };
    for what in [drip, endless_early_hints] {
        let sandbox = Sandbox::start().unwrap();
        let before = tokens(&sandbox, &Transport::new().unwrap());
        sandbox.inject(Fault::new(what.clone()).on(Endpoint::Token));
        let started = Instant::now();
        let call = client(&sandbox).refresh(before.refresh_token().unwrap());
        let error = with_short_limits().send(call).unwrap_err();
        assert!(started.elapsed() < short().total + std::time::Duration::from_secs(1), "{what:?}");
        assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Timeout), "{what:?}");
    }
}

#[test]
fn a_pair_that_arrived_is_kept_whatever_follows_it() {
    let sandbox = Sandbox::start().unwrap();
    let (client, transport) = (client(&sandbox), Transport::new().unwrap());
    let truncate = |framing| What::Truncate { after: 300, framing, ending: Ending::Close };
    for what in [
        truncate(BodyFraming::Length),
        truncate(BodyFraming::Chunked),
        truncate(BodyFraming::UntilClose),
        What::BadChunk,
        What::WrongLength { by: 50 },
        What::WrongLength { by: -50 },
        What::Oversize { bytes: 4 << 20, answer_first: true },
        What::Endless { answer_first: true },
    ] {
        let before = tokens(&sandbox, &transport);
        sandbox.inject(Fault::new(what.clone()).on(Endpoint::Token));
        let after = transport.send(client.refresh(before.refresh_token().unwrap())).unwrap();
        assert_ne!(after.refresh_token(), before.refresh_token(), "{what:?}");
        transport.send(client.profile(after.access_token()).unwrap()).unwrap();
        let complete = matches!(what, What::Oversize { .. } | What::Endless { .. });
        assert!(complete || after.oddities().any(|oddity| oddity == Oddity::Truncated), "{what:?}");
    }
}

/// the oauth2 crate's adapters.
#[test]
fn an_answer_of_any_size_takes_bounded_memory() {
    let sandbox = Sandbox::start().unwrap();
    let (client, transport) = (client(&sandbox), Transport::new().unwrap());
    for what in [What::Endless { answer_first: false }, What::Oversize { bytes: 1 << 30, answer_first: false }] {
        let before = tokens(&sandbox, &transport);
        sandbox.inject(Fault::new(what).on(Endpoint::Token));
        let error = transport.send(client.refresh(before.refresh_token().unwrap())).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::TooLarge { limit: 256 * 1024 });
        assert_eq!(error.delivery(), Delivery::Unknown);
    }
    let before = tokens(&sandbox, &transport);
    sandbox.inject(Fault::new(What::HugeHeader { bytes: 1 << 20 }).on(Endpoint::Token));
    let error = transport.send(client.refresh(before.refresh_token().unwrap())).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Protocol));
    assert_eq!(error.delivery(), Delivery::Unknown);
}
