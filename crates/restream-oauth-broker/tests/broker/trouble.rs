//! What a device and an operator see when something is wrong that neither of them did.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::obs_studio::{Obs, Read, has_curl};
use crate::program::Program;
use crate::support::{CALLBACK, World};

const HOUR: Duration = Duration::from_secs(3600);

/// The first line of the log about this event. A thread of its own writes the log.
fn logged(world: &World, event: &str) -> String {
    let wanted = format!(r#""event":"{event}""#);
    world.wait_for(event, |world| world.log.text().contains(&wanted));
    world.log.text().lines().find(|line| line.contains(&wanted)).unwrap().to_owned()
}

/// A disk that is not mounted must not look like devices that have ended: all of their users would log in again.
#[test]
fn a_store_that_is_not_there_asks_nobody_for_a_login() {
    let world = World::new();
    let handle = world.log_in().refresh_token;
    let (there, away) = (world.folder.join("devices"), world.folder.join("elsewhere"));
    std::fs::rename(&there, &away).unwrap();
    for _ in 0..3 {
        assert_eq!(world.refresh(&handle).refusal(), (503, "temporarily_unavailable".into()));
    }
    assert_eq!(world.health(), (503, r#"{"status":"store_fails"}"#.into()));
    assert!(logged(&world, "store_fails").contains("devices: No such file"));
    std::fs::rename(&away, &there).unwrap();
    world.refresh(&handle).tokens();
    assert_eq!(world.health().0, 200);
    // Three requests failed, and one line says so.
    assert_eq!(world.log.text().matches(r#""event":"store_fails""#).count(), 1);
}

/// A folder of grants that is away is found by the keeper.
#[test]
fn a_store_without_its_grants_is_not_healthy() {
    let world = World::new();
    let handle = world.log_in().refresh_token;
    let (there, away) = (world.folder.join("grants"), world.folder.join("elsewhere"));
    std::fs::rename(&there, &away).unwrap();
    world.advance(HOUR);
    assert_eq!(world.refresh(&handle).status, 503);
    assert_eq!(world.health().0, 503);
    std::fs::rename(&away, &there).unwrap();
    world.advance(HOUR);
    world.wait_for("a token", |world| world.refresh(&handle).status == 200);
}

#[test]
fn a_new_store_is_told() {
    let program = Program::new();
    let told = |log: &str| log.contains(r#""event":"new_store""#);
    assert!(told(&program.start().end("-TERM").1));
    assert!(!told(&program.start().end("-TERM").1));
}

#[test]
fn a_warning_about_the_configuration_is_a_line_of_the_log_like_every_other() {
    let program = Program::new();
    let text = std::fs::read_to_string(&program.config).unwrap();
    std::fs::write(&program.config, text.replace("issuer = \"http:", "issuer = \"https:")).unwrap();
    let log = program.start().end("-TERM").1;
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["event"], &lines[0]["level"]), (&"configuration".into(), &"warn".into()), "{log}");
}

#[test]
fn a_login_that_restream_refuses_says_why_in_the_log() {
    let world = World::new();
    let refusal = What::Status {
        status: 401,
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: br#"{"error":"invalid_client"}"#.to_vec(),
    };
    world.sandbox.inject(Fault::new(refusal).on(Endpoint::Token).before_acting());
    let (consent, cookie) = world.leave(&[], None);
    let back = world.browse(&world.sandbox.approve(&consent).unwrap(), Some(&cookie));
    assert_eq!(back.parameter("error"), "server_error");
    let line = logged(&world, "login_failed");
    assert!(line.contains("invalid_client") && line.contains("401"), "{line}");
}

#[test]
fn a_login_that_cannot_be_stored_says_why_in_the_log_and_is_revoked() {
    let world = World::new();
    let (consent, cookie) = world.leave(&[], None);
    let callback = world.sandbox.approve(&consent).unwrap();
    std::fs::rename(world.folder.join("devices"), world.folder.join("elsewhere")).unwrap();
    let back = world.browse(&callback, Some(&cookie));
    assert_eq!(back.parameter("error"), "server_error");
    let line = logged(&world, "login_failed");
    assert!(line.contains("devices") && line.contains("No such file"), "{line}");
    assert_eq!(world.sandbox.ledger().revocations, 1);
    let failed = r#"restream_oauth_broker_logins_total{step="failed"} 1"#;
    assert!(world.metrics().contains(failed), "{}", world.metrics());
}

/// The client secret was changed at Restream, for example. That is not the device's fault, and its login lives.
#[test]
fn a_refresh_that_restream_refuses_for_the_broker_s_own_fault_is_a_passing_failure() {
    let world = World::new();
    let handle = world.log_in().refresh_token;
    world.advance(HOUR);
    let refusal = What::Status {
        status: 401,
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: br#"{"error":"invalid_client"}"#.to_vec(),
    };
    world.sandbox.inject(Fault::new(refusal).on(Endpoint::Token).before_acting());
    let answer = world.refresh(&handle);
    assert_eq!(answer.refusal(), (503, "temporarily_unavailable".into()), "{answer:?}");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    world.wait_for("the reason in the log", |world| world.log.text().contains("invalid_client"));
}

/// Through the plain door, as through OBS's: `cut_off.rs`.
#[test]
fn a_refresh_in_doubt_is_a_passing_failure_at_the_plain_door() {
    let world = World::new();
    let handle = world.log_in().refresh_token;
    world.advance(HOUR);
    world.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token).before_acting().always());
    let answer = world.refresh(&handle);
    assert_eq!(answer.refusal(), (503, "temporarily_unavailable".into()), "{answer:?}");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    world.sandbox.clear_faults();
    world.wait_for("a token", |world| {
        world.advance(Duration::from_secs(60));
        world.refresh(&handle).status == 200
    });
}

/// The browser is led back before the request has had its minute, so that the program that began the login hears of it.
#[test]
fn a_login_that_takes_too_long_is_told_to_its_device_and_revoked() {
    let world = World::new();
    let (consent, cookie) = world.leave(&[], None);
    let callback = world.sandbox.approve(&consent).unwrap();
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(55))).on(Endpoint::Token));
    let back = world.browse(&callback, Some(&cookie));
    assert!(back.location().starts_with(CALLBACK), "{back:?}");
    assert_eq!((&*back.parameter("error"), &*back.parameter("state")), ("temporarily_unavailable", "s&t=é"));
    world.wait_until(|ledger| ledger.exchanges == 1);
    world.wait_for("the grant to be kept", |world| !world.devices().is_empty());
    world.advance(Duration::from_secs(66));
    world.wait_until(|ledger| ledger.revocations == 1);
}

/// OBS's embedded browser waits for the page, and OBS learns of the login when it is finished.
#[test]
fn a_slow_restream_delays_the_login_of_obs_and_loses_nothing() {
    if !has_curl() {
        return;
    }
    let world = World::new();
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(8))).on(Endpoint::Token));
    let mut obs = Obs::new(format!("{}/obs/", world.base), &world.sandbox);
    assert_eq!(obs.log_in(), Read::Token);
    assert!(obs.can_stream());
}

#[test]
fn a_handle_that_is_used_from_two_addresses_at_once_is_logged() {
    let world = World::new();
    let handle = world.log_in().refresh_token;
    let form = format!("grant_type=refresh_token&client_id=overlay&refresh_token={handle}");
    for address in ["127.0.0.1", "127.0.0.2"] {
        let mut stream = connect_from(address, world.address);
        let head = "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded";
        write!(stream, "{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{form}", form.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let line = logged(&world, "two_addresses");
    assert!(line.contains("127.0.0.1") && line.contains("127.0.0.2") && line.contains(&handle[..32]), "{line}");
    assert!(!line.contains(&handle));
}

fn connect_from(address: &str, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        socket.connect(to).await.unwrap()
    });
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream
}

/// A page of a listed origin can read the real answers, and not only ask in advance.
#[test]
fn answers_to_a_listed_origin_can_be_read_by_its_page() {
    let world = World::new();
    let tokens = world.log_in();
    let origin = [("origin", "https://overlay.example")];
    let refresh =
        [("grant_type", "refresh_token"), ("client_id", "overlay"), ("refresh_token", &*tokens.refresh_token)];
    let revoke = [("client_id", "overlay"), ("token", &*tokens.refresh_token)];
    for (path, form) in [("/token", &refresh[..]), ("/revoke", &revoke[..]), ("/token", &refresh[..])] {
        let answer = world.post_with(path, form, &origin);
        assert_eq!(answer.header("access-control-allow-origin"), "https://overlay.example", "{answer:?}");
        assert_eq!(answer.header("set-cookie"), "");
    }
    assert_eq!(world.get("/.well-known/oauth-authorization-server").header("set-cookie"), "");
}

#[test]
fn without_an_address_of_its_own_there_are_no_metrics_and_a_faulty_configuration_does_not_start() {
    let program = Program::new();
    let text = std::fs::read_to_string(&program.config).unwrap();
    let line = "admin_listen = \"127.0.0.1:0\"";
    assert!(text.contains(line));
    std::fs::write(&program.config, text.replace(line, "")).unwrap();
    let running = program.start();
    assert!(running.ready["admin_url"].is_null(), "{}", running.ready);
    for path in ["/metrics", "/healthz"] {
        assert_eq!(program.world.get(path).status, 404);
    }
    assert_eq!(running.end("-TERM").0, Some(0));
    std::fs::write(&program.config, text.replace("issuer =", "isuer =").replace("kind =", "kin =")).unwrap();
    let refused = program.output(&[]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("isuer") && said.contains("kin"), "{said}");
}

/// An operator ends a device while its refresh is under way: the pair that comes is the one that is revoked.
#[test]
fn a_device_is_ended_after_the_refresh_that_is_under_way() {
    let program = Program::new();
    let running = program.start();
    let handle = program.world.log_in().refresh_token;
    assert_eq!(running.end("-TERM").0, Some(0));
    program.let_tokens_expire();
    let running = program.start();
    let world = &program.world;
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(3))).on(Endpoint::Token));
    std::thread::scope(|threads| {
        let asked = threads.spawn(|| world.refresh(&handle));
        world.wait_until(|ledger| ledger.requests_to("/oauth/token").count() == 2);
        let ended = program.output(&["devices", "end", &handle[..32]]);
        assert!(ended.status.success(), "{ended:?}");
        let answer = asked.join().unwrap();
        assert!(answer.status != 200 || !world.accepts(&answer.tokens().access_token), "{answer:?}");
    });
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.revocations, ledger.dead_refresh_tokens_used), (1, 1, 0));
    assert_eq!(world.refresh(&handle).refusal(), (400, "invalid_grant".into()));
    assert_eq!(running.end("-TERM").0, Some(0));
}
