//! Bounds: what a hostile client can send, and what it cannot reach.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use restream_oauth_broker::limits::Rates;
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{PATIENCE, World, generous};

/// Sends bytes and reads until the other end closes.
fn raw(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.base.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The other end may close before everything is written.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn post(length: usize, body: &str) -> Vec<u8> {
    format!(
        "POST /token HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn a_body_or_a_head_of_more_than_64_kib_is_refused() {
    let world = World::new();
    let body = "x".repeat(64 * 1024 + 1);
    assert!(raw(&world, &post(body.len(), &body)).starts_with("HTTP/1.1 413"));
    let fits = format!("grant_type={}", "x".repeat(64 * 1024 - 11));
    assert!(raw(&world, &post(fits.len(), &fits)).starts_with("HTTP/1.1 400"));
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(70 * 1024));
    let answer = raw(&world, head.as_bytes());
    // The rest of a head that is not read lets the system throw the answer away.
    assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
    let endless = format!("POST /token HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(20));
    assert!(raw(&world, endless.as_bytes()).starts_with("HTTP/1.1 413"));
}

#[test]
fn a_device_that_hangs_up_in_the_middle_of_a_refresh_cancels_nothing() {
    let world = World::new();
    let tokens = world.log_in();
    world.advance(Duration::from_secs(3600));
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(700))).on(Endpoint::Token));
    let form = format!("grant_type=refresh_token&client_id=overlay&refresh_token={}", tokens.refresh_token);
    let mut stream = TcpStream::connect(world.base.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(&post(form.len(), &form)).unwrap();
    world.wait_until(|ledger| ledger.requests_to("/oauth/token").count() == 2);
    drop(stream);
    world.wait_until(|ledger| ledger.refreshes == 1);
    let next = world.refresh(&tokens.refresh_token).tokens();
    assert_ne!(next.access_token, tokens.access_token);
    assert_eq!(world.sandbox.ledger().refreshes, 1);
}

#[test]
fn a_stop_finishes_a_refresh_that_is_in_flight() {
    let mut world = World::new();
    let tokens = world.log_in();
    world.advance(Duration::from_secs(3600));
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(700))).on(Endpoint::Token));
    let (base, handle) = (world.base.clone(), tokens.refresh_token.clone());
    let asked = std::thread::spawn(move || {
        let form = [("grant_type", "refresh_token"), ("client_id", "overlay"), ("refresh_token", handle.as_str())];
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        agent.post(format!("{base}/token")).send_form(form).map(|answer| answer.status().as_u16())
    });
    world.wait_until(|ledger| ledger.requests_to("/oauth/token").count() == 2);
    world.stop();
    assert_eq!(asked.join().unwrap().unwrap(), 200, "it has its answer");
    world.restart();
    world.refresh(&tokens.refresh_token).tokens();
    assert_eq!(world.sandbox.ledger().refreshes, 1);
}

/// Limits that a test runs into on purpose. A minute's worth of requests stays below what a slow machine sends.
fn strict(per_device: u32, per_address: u32) -> Rates {
    let rate = |number| NonZeroU32::new(number).unwrap();
    Rates { per_device: rate(per_device), per_address: rate(per_address) }
}

#[test]
fn a_flood_from_one_device_is_turned_away_and_does_not_stop_the_others() {
    let world = World::with(|sandbox| sandbox, Rates { per_device: NonZeroU32::MIN, ..generous() });
    let (flooding, other) = (world.log_in(), world.log_in());
    let mut refused = None;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let answer = world.refresh(&flooding.refresh_token);
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a refusal");
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    world.refresh(&other.refresh_token).tokens();
}

#[test]
fn over_a_limit_obs_gets_the_status_that_it_takes_for_a_passing_failure() {
    let world = World::with(|sandbox| sandbox, strict(1, 1));
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let mut statuses = Vec::new();
    for _ in 0..500 {
        statuses.push(world.post("/obs/v1/restream/token", &form).status);
        if statuses.contains(&503) {
            break;
        }
    }
    assert!(statuses.contains(&503) && !statuses.contains(&429), "{statuses:?}");
}
