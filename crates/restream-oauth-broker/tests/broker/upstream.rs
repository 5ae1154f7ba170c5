//! What Restream sees of devices, and what devices see of Restream: both are built anew. And what nobody but operators
//! sees.

use std::collections::BTreeSet;
use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{CALLBACK, VERIFIER, World, generous};

const HOUR: Duration = Duration::from_secs(3600);

/// Browser-based apps draft §6.1.
#[test]
fn unknown_parameters_and_header_fields_of_a_device_never_reach_restream() {
    let world = World::new();
    // RFC 6749 §3.1 and §3.2: they are ignored.
    let (consent, cookie) = world.leave(&[("evil", "1"), ("prompt", "none")], None);
    let asked: BTreeSet<_> =
        consent.split_once('?').unwrap().1.split('&').map(|it| it.split('=').next().unwrap()).collect();
    let known = ["response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method"];
    assert_eq!(asked, known.into());
    let code = world.browse(&world.sandbox.approve(&consent).unwrap(), Some(&cookie)).parameter("code");
    let headers = [("x-evil", "1"), ("cookie", "a=b"), ("user-agent", "evil"), ("x-forwarded-for", "192.0.2.1")];
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "overlay"),
        ("code", &*code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("evil", "1"),
        ("scope", "everything"),
    ];
    let tokens = world.post_with("/token", &form, &headers).tokens();
    world.advance(HOUR);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "overlay"),
        ("refresh_token", &*tokens.refresh_token),
        ("evil", "1"),
        ("scope", "everything"),
    ];
    world.post_with("/token", &form, &headers).tokens();
    let form = [("client_id", "overlay"), ("token", &*tokens.refresh_token), ("evil", "1"), ("token_type_hint", "x")];
    assert_eq!(world.post_with("/revoke", &form, &headers).status, 200);
    world.wait_until(|ledger| ledger.revocations == 1);
    let ledger = world.sandbox.ledger();
    let forms: Vec<_> = ledger.requests.iter().map(|request| request.form_parameters.join(" ")).collect();
    assert!(forms.iter().any(|form| form == "grant_type refresh_token"), "{forms:?}");
    let allowed = ["grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "token", "token_type_hint"];
    for request in
        ledger.requests.iter().filter(|request| request.method == "POST" && request.path.starts_with("/oauth/"))
    {
        assert!(request.form_parameters.iter().all(|name| allowed.contains(&&**name)), "{request:?}");
        assert!(request.query_parameters.is_empty(), "{request:?}");
        for name in ["x-evil", "cookie", "x-forwarded-for", "forwarded", "origin"] {
            assert!(!request.headers.iter().any(|sent| sent == name), "{request:?}");
        }
        assert_ne!(request.user_agent.as_deref(), Some("evil"));
    }
}

#[test]
fn no_header_field_and_no_unknown_member_of_restream_s_answer_passes() {
    let world = World::new();
    let handle = world.log_in().refresh_token;
    world.advance(HOUR);
    let fields = [
        ("content-type", "application/json"),
        ("set-cookie", "restream=1"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=1"),
        ("www-authenticate", "Bearer"),
        ("cache-control", "public"),
        ("access-control-allow-origin", "*"),
    ];
    let headers = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let body = br#"{"access_token":"the-next","refresh_token":"the-next-too","token_type":"Bearer","expires_in":3600,"evil":"1"}"#;
    let answer = What::Status { status: 200, headers, body: body.to_vec() };
    world.sandbox.inject(Fault::new(answer).on(Endpoint::Token).times(1));
    let answer = world.refresh(&handle);
    assert_eq!(answer.tokens().access_token, "the-next");
    let names: BTreeSet<_> = answer.headers.keys().map(http::HeaderName::as_str).collect();
    let ours = [
        "cache-control",
        "content-length",
        "content-security-policy",
        "content-type",
        "date",
        "pragma",
        "referrer-policy",
        "vary",
        "x-content-type-options",
        "x-frame-options",
    ];
    assert_eq!(names, ours.into());
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!answer.body.contains("evil") && !answer.body.contains("the-next-too"), "{answer:?}");
}

#[test]
fn metrics_and_health_are_on_their_own_listener_alone() {
    let world = World::new();
    for path in ["/metrics", "/healthz", "/admin/metrics"] {
        assert_eq!(world.get(path).status, 404, "{path}");
    }
    let admin = |path: &str| world.browse(&format!("{}{path}", world.admin_url()), None);
    let health = admin("/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, r#"{"status":"ok"}"#));
    assert!(admin("/metrics").header("content-type").starts_with("text/plain; version=0.0.4"));
    for path in ["/token", "/authorize", "/callback", "/obs/v1/restream/redirect"] {
        assert_eq!(admin(path).status, 404, "{path}");
    }
}

/// An address behind a proxy that nobody named counts as the proxy's own.
/// CVE-2026-40575.
#[test]
fn a_flood_from_one_address_is_turned_away_whatever_it_says_of_itself() {
    let one = std::num::NonZeroU32::MIN;
    let world = World::with(|sandbox| sandbox, restream_oauth_broker::limits::Rates { per_address: one, ..generous() });
    let mut refused = None;
    for number in 0..500 {
        let address = format!("192.0.2.{}", number % 250);
        let answer =
            world.post_with("/token", &[], &[("x-forwarded-for", &*address), ("forwarded", &format!("for={address}"))]);
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a refusal");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.json()["error"], "temporarily_unavailable");
}
