//! The remote control: what tests in Rust do through `Sandbox`, done over HTTP.

mod raw;

use raw::{exchange, pair, profile, refresh, send};
use restream_oauth_sandbox::Sandbox;
use restream_oauth_sandbox::rules::{BasicCredentials, Rules};

#[test]
fn faults_are_ordered_and_cleared() {
    let sandbox = Sandbox::start().unwrap();
    let fault = r#"{"what":"status","status":429,"headers":{"Retry-After":"7"},"times":"always"}"#;
    assert_eq!(send(&sandbox, "POST /_sandbox/faults", "", fault).status(), 200);
    let struck = exchange(&sandbox);
    assert_eq!((struck.status(), struck.header("retry-after")), (429, Some("7".to_owned())));
    assert_eq!(send(&sandbox, "DELETE /_sandbox/faults", "", "").status(), 200);
    assert_eq!(exchange(&sandbox).status(), 200);
}

#[test]
fn a_misspelt_fault_gets_an_error_that_says_why() {
    let sandbox = Sandbox::start().unwrap();
    let answer = send(&sandbox, "POST /_sandbox/faults", "", r#"{"what":"gzip","tiems":2}"#);
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json()["error"]["message"], "unknown member `tiems`");
}

#[test]
fn the_ledger_counts_events_and_lists_requests() {
    let sandbox = Sandbox::start().unwrap();
    let (_, refresh_token) = pair(&sandbox);
    refresh(&sandbox, &refresh_token);
    refresh(&sandbox, &refresh_token);
    let answer = send(&sandbox, "GET /_sandbox/ledger", "", "");
    let ledger = answer.json();
    assert_eq!(ledger["refreshes"], 1);
    assert_eq!(ledger["dead_refresh_tokens_used"], 1);
    let requests = ledger["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 3, "requests to the remote control are not listed");
    assert_eq!(requests[2]["status"], 400);
    assert_eq!(requests[2]["client_authentication"], "body");
    assert!(!answer.body().contains(&refresh_token));
}

#[test]
fn approve_and_deny_press_the_buttons() {
    let sandbox = Sandbox::start().unwrap();
    let url = format!("{}{}", sandbox.base_url(), raw::login_path(&sandbox));
    let approved = send(&sandbox, "POST /_sandbox/approve", "", &url).json();
    let callback = approved["callback"].as_str().unwrap();
    assert!(callback.starts_with("http://127.0.0.1:8976/callback?code=") && callback.ends_with("&state=xyz"));
    let denied = send(&sandbox, "POST /_sandbox/deny", "", &url).json();
    assert_eq!(denied["callback"], "http://127.0.0.1:8976/callback");
    assert_eq!(sandbox.ledger().codes_issued, 1);

    let elsewhere = send(&sandbox, "POST /_sandbox/approve", "", "http://127.0.0.1:1/login?response_type=code");
    assert_eq!(elsewhere.status(), 400);
    assert_eq!(elsewhere.json()["error"]["message"], "not the address of this sandbox's login page");
}

#[test]
fn advance_moves_the_clock() {
    let sandbox = Sandbox::start().unwrap();
    let (access, _) = pair(&sandbox);
    assert_eq!(send(&sandbox, "POST /_sandbox/advance", "", r#"{"seconds":3600}"#).status(), 200);
    assert_eq!(profile(&sandbox, &access).status(), 401);
    for wrong in ["", "{}", r#"{"seconds":-1}"#, r#"{"seconds":"1"}"#] {
        assert_eq!(send(&sandbox, "POST /_sandbox/advance", "", wrong).status(), 400, "{wrong}");
    }
}

#[test]
fn rules_are_set_all_or_none() {
    let sandbox = Sandbox::start().unwrap();
    let set = |body| send(&sandbox, "POST /_sandbox/rules", "", body);
    assert_eq!(set(r#"{"basic":"raw"}"#).status(), 200);
    assert_eq!(sandbox.rules().basic, BasicCredentials::Raw);
    assert_eq!(send(&sandbox, "GET /_sandbox/config", "", "").json()["rules"]["basic"], "raw");

    for (wrong, message) in [
        (r#"{"basic":"either","nonsense":"x"}"#, "unknown rule `nonsense`"),
        (r#"{"basic":"rwa"}"#, "`basic`: expected either, raw, decoded"),
        (r#"{"basic":true}"#, "`basic`: expected a word"),
        (r#"["basic"]"#, "expected a map"),
    ] {
        let answer = set(wrong);
        assert_eq!(answer.status(), 400, "{wrong}");
        let told = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(told.contains(message), "{told}");
        assert_eq!(sandbox.rules().basic, BasicCredentials::Raw, "{wrong}");
    }
    send(&sandbox, "POST /_sandbox/reset", "", "");
    assert_eq!(sandbox.rules(), Rules::default(), "a reset returns to the rules of the start");
}

#[test]
fn a_reset_forgets_everything_but_the_credentials() {
    let sandbox = Sandbox::start().unwrap();
    let (access, _) = pair(&sandbox);
    send(&sandbox, "POST /_sandbox/faults", "", r#"{"what":"gzip","times":"always"}"#);
    send(&sandbox, "POST /_sandbox/reset", "", "");
    assert_eq!(sandbox.ledger().requests, []);
    assert_eq!(sandbox.ledger().exchanges, 0);
    assert_eq!(profile(&sandbox, &access).status(), 401);
    assert_eq!(exchange(&sandbox).header("content-encoding"), None);
}

#[test]
fn the_configuration_does_not_contain_the_secret() {
    let sandbox = Sandbox::start().unwrap();
    let answer = send(&sandbox, "GET /_sandbox/config", "", "");
    assert_eq!(answer.json()["client_id"], sandbox.client_id());
    assert_eq!(answer.json()["code_lifetime_seconds"], 60);
    assert!(!answer.body().contains(sandbox.client_secret().unwrap()));
}

#[test]
fn the_canary_counts_its_requests() {
    let sandbox = Sandbox::start().unwrap();
    send(&sandbox, "POST /_sandbox/canary", "", "grant_type=x");
    send(&sandbox, "GET /_sandbox/canary", "", "");
    assert_eq!(sandbox.ledger().canary_hits, 2);
    assert_eq!(sandbox.ledger().requests_to("/_sandbox/canary").count(), 2);
}

#[test]
fn pages_of_other_origins_cannot_use_the_remote_control() {
    let sandbox = Sandbox::start().unwrap();
    for origin in ["https://evil.example", "null"] {
        let answer = send(&sandbox, "GET /_sandbox/ledger", &format!("Origin: {origin}\r\n"), "");
        assert_eq!(answer.status(), 403, "{origin}");
    }
    let own = send(&sandbox, "GET /_sandbox/ledger", "Origin: http://127.0.0.1:5173\r\n", "");
    assert_eq!(own.status(), 200);
}

/// RUSTSEC-2026-0189.
#[test]
fn a_name_that_was_made_to_point_here_does_not_reach_it() {
    use std::io::Write as _;
    let sandbox = Sandbox::start().unwrap();
    let port = raw::authority(&sandbox).rsplit_once(':').unwrap().1;
    for (host, status) in [
        (format!("evil.example:{port}"), 421),
        ("evil.example".to_owned(), 421),
        ("localhost".to_owned(), 421),
        ("127.0.0.1:1".to_owned(), 421),
        ("127.0.0.1:".to_owned(), 421),
        // No name can be rebound to look like an address, so that the port may be missing.
        ("127.0.0.1".to_owned(), 200),
        ("[::1]".to_owned(), 200),
    ] {
        let mut stream = raw::connect(&sandbox);
        let request = format!("GET /_sandbox/ledger HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let reply = raw::read(&stream, std::time::Duration::from_secs(5));
        assert_eq!(reply.status(), status, "{host}");
    }
}
