//! The rules, over a socket: what other servers do, with tokens that work.

mod raw;

use std::time::Duration;

use raw::{Reply, code, credentials, exchange, login_path, post, profile, refresh, send};
use restream_oauth_sandbox::rules::{Denial, ErrorStyle, GrantedScope, Lifetime, RefreshTokens, Rotation, Rules};
use restream_oauth_sandbox::rules::{Shape, TokenFormat};
use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};

fn sandbox_with(change: impl FnOnce(&mut Rules)) -> Sandbox {
    let mut rules = Rules::default();
    change(&mut rules);
    Sandbox::builder().rules(rules).start().unwrap()
}

/// The names of the members, in their order.
fn members(reply: &Reply) -> Vec<String> {
    let value = reply.json();
    let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    names.sort_by_key(|name| reply.body().find(&format!("\"{name}\":")));
    names
}

/// Percent-encodes everything that is not a letter or a digit.
fn encoded(text: &str) -> String {
    let each = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") };
    text.bytes().map(each).collect()
}

#[test]
fn each_shape_has_its_members_and_living_tokens() {
    let snake = ["access_token", "expires", "expires_in", "refresh_token", "scope", "token_type"];
    let minimal = ["access_token", "token_type", "expires_in", "refresh_token", "scope"];
    let camel = [
        "accessToken",
        "accessTokenExpiresIn",
        "accessTokenExpiresAt",
        "accessTokenExpiresEpoch",
        "refreshToken",
        "refreshTokenExpiresIn",
        "refreshTokenExpiresAt",
        "refreshTokenExpiresEpoch",
        "scopeJson",
        "tokenType",
    ];
    for (shape, names, access_token, refresh_token) in [
        (Shape::Documented, [&snake[..], &camel[..]].concat(), "access_token", "refreshToken"),
        (Shape::Snake, snake.to_vec(), "access_token", "refresh_token"),
        (Shape::Camel, camel.to_vec(), "accessToken", "refreshToken"),
        (Shape::Minimal, minimal.to_vec(), "access_token", "refresh_token"),
    ] {
        let sandbox = sandbox_with(|rules| rules.shape = shape);
        let reply = exchange(&sandbox);
        assert_eq!(members(&reply), names, "{shape:?}");
        let member = |name: &str| reply.json()[name].as_str().unwrap().to_owned();
        assert_eq!(profile(&sandbox, &member(access_token)).status(), 200);
        let refreshed = refresh(&sandbox, &member(refresh_token));
        assert_eq!(refreshed.status(), 200);
        assert_eq!(members(&refreshed), names, "{shape:?}");
    }
}

#[test]
fn a_token_response_can_leave_lifetimes_out() {
    for (shape, lifetime, kept) in [
        (Shape::Snake, Lifetime::Full, &["expires", "expires_in"][..]),
        (Shape::Snake, Lifetime::Absolute, &["expires"]),
        (Shape::Snake, Lifetime::None, &[]),
        (Shape::Minimal, Lifetime::Full, &["expires_in"]),
        (Shape::Minimal, Lifetime::Absolute, &["expires"]),
        (Shape::Minimal, Lifetime::None, &[]),
        (
            Shape::Camel,
            Lifetime::Absolute,
            &["accessTokenExpiresAt", "accessTokenExpiresEpoch", "refreshTokenExpiresAt", "refreshTokenExpiresEpoch"],
        ),
        (Shape::Camel, Lifetime::None, &[]),
    ] {
        let sandbox = sandbox_with(|rules| (rules.shape, rules.lifetime) = (shape, lifetime));
        let mut names = members(&exchange(&sandbox));
        names.retain(|name| name.to_lowercase().contains("expires"));
        assert_eq!(names, kept, "{shape:?}, {lifetime:?}");
    }
}

#[test]
fn a_token_response_can_leave_the_refresh_token_out() {
    let sandbox = sandbox_with(|rules| rules.refresh_token = RefreshTokens::Exchange);
    let first = exchange(&sandbox).json();
    let old = first["refresh_token"].as_str().unwrap();
    for _ in 0..2 {
        let next = refresh(&sandbox, old);
        assert_eq!(next.status(), 200);
        assert!(!members(&next).iter().any(|name| name.to_lowercase().starts_with("refresh")), "{}", next.body());
        assert_eq!(profile(&sandbox, next.json()["access_token"].as_str().unwrap()).status(), 200);
    }

    let sandbox = sandbox_with(|rules| rules.refresh_token = RefreshTokens::Never);
    let only = exchange(&sandbox);
    assert!(!only.body().contains("refresh"), "{}", only.body());
    assert_eq!(profile(&sandbox, only.json()["access_token"].as_str().unwrap()).status(), 200);
}

#[test]
fn an_approval_can_grant_fewer_scopes_and_says_so() {
    let sandbox = sandbox_with(|rules| rules.granted_scope = GrantedScope::Narrower);
    let callback = sandbox.approve(&format!("{}{}", sandbox.base_url(), login_path(&sandbox))).unwrap();
    assert!(callback.contains("&scope=profile.read+channels.read+chat.read&"), "{callback}");
    let body = exchange(&sandbox).json();
    assert_eq!(body["scope"], "profile.read channels.read chat.read");
    assert_eq!(body["scopeJson"].as_array().unwrap().len(), 3);
}

#[test]
fn each_style_of_errors_holds_at_every_oauth_endpoint_and_not_at_the_remote_control() {
    for (style, name, message) in [
        (ErrorStyle::Nested, "/error/name", "/error/message"),
        (ErrorStyle::Flat, "/error", "/error_description"),
        (ErrorStyle::Bare, "/name", "/message"),
    ] {
        let sandbox = sandbox_with(|rules| rules.errors = style);
        sandbox.inject(Fault::new(What::Http10).on(Endpoint::Token).before_acting());
        let twice = format!("token=x&token=x{}", credentials(&sandbox));
        for (reply, status, error) in [
            (exchange(&sandbox), 503, "server_error"),
            (refresh(&sandbox, "unknown"), 400, "invalid_grant"),
            (post(&sandbox, "/oauth/revoke", &twice), 400, "invalid_request"),
            (profile(&sandbox, "unknown"), 401, "invalid_token"),
        ] {
            assert_eq!(reply.status(), status);
            let body = reply.json();
            assert_eq!(body.pointer(name).and_then(|name| name.as_str()), Some(error), "{style:?}: {body}");
            assert!(body.pointer(message).is_some_and(serde_json::Value::is_string), "{style:?}: {body}");
        }
        let control = send(&sandbox, "POST /_sandbox/rules", "", "{\"errors\":\"?\"}");
        assert_eq!(control.json()["error"]["name"], "invalid_request");
    }
}

#[test]
fn tokens_of_every_format_work() {
    for (format, length) in [
        (TokenFormat::Hex, 40),
        (TokenFormat::Base64, 58),
        (TokenFormat::Jwt(1024), 1024),
        (TokenFormat::Jwt(4096), 4096),
    ] {
        let sandbox = sandbox_with(|rules| rules.token_format = format);
        assert_eq!(code(&sandbox).len(), 40, "a code stays short");
        let first = exchange(&sandbox).json();
        let (access, refresh_token) = (&first["access_token"], first["refresh_token"].as_str().unwrap());
        assert_eq!((access.as_str().unwrap().len(), refresh_token.len()), (length, length));
        assert_ne!(access, refresh_token);
        assert_eq!(profile(&sandbox, access.as_str().unwrap()).status(), 200, "{format:?}");
        // Unescaped, a `+` means a space.
        let unescaped = refresh(&sandbox, refresh_token).status();
        assert_eq!(unescaped, if format == TokenFormat::Base64 { 400 } else { 200 }, "{format:?}");
        if format == TokenFormat::Base64 {
            assert_eq!(refresh(&sandbox, &encoded(refresh_token)).status(), 200);
        }
    }
}

#[test]
fn a_denial_can_carry_an_error_and_the_state() {
    let sandbox = sandbox_with(|rules| rules.denial = Denial::WithParameters);
    let denied = send(&sandbox, &format!("POST {}", login_path(&sandbox)), raw::FORM, "decision=deny");
    let location = denied.header("location").unwrap();
    assert!(location.starts_with("http://127.0.0.1:8976/callback?error=access_denied&"), "{location}");
    assert!(location.ends_with("&state=xyz"), "{location}");
    assert_eq!(sandbox.ledger().codes_issued, 0);
}

#[test]
fn each_rotation_treats_the_old_tokens_in_its_way() {
    // Once refreshed: is the old access token alive, what does the old refresh token get, is the new pair alive then?
    for (rotation, old_access, reuse, new_access) in [
        (Rotation::Strict, 401, 400, 200),
        (Rotation::Grace(Duration::from_secs(30)), 401, 200, 200),
        (Rotation::Family, 401, 400, 401),
        (Rotation::None, 200, 200, 200),
    ] {
        let sandbox = sandbox_with(|rules| rules.rotation = rotation);
        let (access, refresh_token) = raw::pair(&sandbox);
        let next = refresh(&sandbox, &refresh_token).json();
        let repeated = next["refresh_token"] == refresh_token.as_str();
        assert_eq!(repeated, rotation == Rotation::None, "{rotation:?}");
        assert_eq!(profile(&sandbox, &access).status(), old_access, "{rotation:?}");
        assert_eq!(refresh(&sandbox, &refresh_token).status(), reuse, "{rotation:?}");
        assert_eq!(profile(&sandbox, next["access_token"].as_str().unwrap()).status(), new_access, "{rotation:?}");
    }
}

#[test]
fn a_grace_ends_after_its_seconds() {
    let sandbox = Sandbox::start().unwrap();
    assert_eq!(send(&sandbox, "POST /_sandbox/rules", "", r#"{"rotation":"grace=5"}"#).status(), 200);
    let (_, refresh_token) = raw::pair(&sandbox);
    let statuses = [0, 0, 5].map(|seconds| {
        sandbox.advance(Duration::from_secs(seconds));
        refresh(&sandbox, &refresh_token).status()
    });
    assert_eq!(statuses, [200, 200, 400]);
    let ledger = sandbox.ledger();
    assert_eq!((ledger.refreshes, ledger.refreshes_in_grace, ledger.dead_refresh_tokens_used), (2, 1, 1));
}

#[test]
fn the_old_name_of_the_family_rule_still_works() {
    let sandbox = Sandbox::builder().revoke_grant_on_reuse().start().unwrap();
    assert_eq!(sandbox.rules().rotation, Rotation::Family);
    let config = send(&sandbox, "GET /_sandbox/config", "", "").json();
    assert_eq!((&config["revoke_grant_on_reuse"], &config["rules"]["rotation"]), (&true.into(), &"family".into()));
}
