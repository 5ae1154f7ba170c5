//! Logins: what a browser and an attacker see.

use crate::support::{CALLBACK, World};

/// Browser-based apps draft §6.1, Browser-based apps draft §6.3: the secret stays with the broker.
#[test]
fn a_user_logs_in_and_the_device_gets_a_handle_and_never_the_refresh_token() {
    let world = World::new();
    let (consent, cookie) = world.leave(&[("scope", "chat.read stream.read")], None);
    assert!(consent.contains("scope=chat.read%20stream.read"), "{consent}");
    let back = world.browse(&world.sandbox.approve(&consent).unwrap(), Some(&cookie));
    assert!(back.location().starts_with(&format!("{CALLBACK}?code=")), "{back:?}");
    assert_eq!((back.parameter("state"), back.parameter("iss")), ("s&t=é".into(), world.base.clone()));
    let answer = world.redeem(&back.parameter("code"));
    let tokens = answer.tokens();
    assert!(world.accepts(&tokens.access_token));
    assert_eq!(tokens.refresh_token.len(), 96);
    // Restream promises an hour, and the keeper keeps a minute of it for itself.
    assert!((3500..=3540).contains(&tokens.expires_in), "{tokens:?}");
    assert_eq!(answer.json()["token_type"], "Bearer");
    let members: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert!(members.iter().all(|name| !name.starts_with("expires") || name == "expires_in"), "{members:?}");
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.exchanges, ledger.refreshes, ledger.revocations), (1, 0, 0));
}

/// RFC 6749 §10.12.
/// Browser-based apps draft §6.1.
#[test]
fn a_forged_login_is_refused_in_every_browser_but_its_own() {
    let world = World::new();
    // The attacker begins a login, approves it, and sends the way back to somebody else.
    let (consent, cookie) = world.leave(&[], None);
    let (_, other) = world.leave(&[], None);
    let callback = world.sandbox.approve(&consent).unwrap();
    assert_eq!(world.browse(&callback, None).status, 400);
    assert_eq!(world.browse(&callback, Some(&other)).status, 400);
    assert_eq!(world.sandbox.ledger().exchanges, 0);
    // In its own browser it still works, once.
    assert_eq!(world.browse(&callback, Some(&cookie)).status, 303);
    assert_eq!(world.browse(&callback, Some(&cookie)).status, 400);
    assert_eq!(world.sandbox.ledger().exchanges, 1);
}

#[test]
fn a_login_that_an_attacker_began_at_obs_s_door_gives_its_code_to_nobody_else() {
    let world = World::new();
    let away = world.get("/obs/v1/restream/redirect");
    let callback = world.sandbox.approve(away.location()).unwrap();
    let victim = world.get("/obs/v1/restream/redirect").cookie().unwrap();
    for cookie in [None, Some(victim.as_str())] {
        let answer = world.browse(&callback, cookie);
        assert_eq!((answer.status, answer.location()), (400, ""));
    }
    assert_eq!(world.sandbox.ledger().exchanges, 0);
}

#[test]
fn several_logins_of_one_browser_go_on_at_once() {
    let world = World::new();
    let (one, cookie) = world.leave(&[("state", "one")], None);
    let (two, same) = world.leave(&[("state", "two")], Some(&cookie));
    assert_eq!(cookie, same);
    for (consent, state) in [(two, "two"), (one, "one")] {
        let back = world.browse(&world.sandbox.approve(&consent).unwrap(), Some(&cookie));
        assert_eq!(back.parameter("state"), state);
        assert_eq!(back.cookie(), None, "the cookie is reused and not cleared");
        world.redeem(&back.parameter("code")).tokens();
    }
}

#[test]
fn a_denial_reaches_the_device_with_its_state_and_the_issuer() {
    let world = World::new();
    let (consent, cookie) = world.leave(&[], None);
    let callback = world.sandbox.deny(&consent).unwrap();
    let back = world.browse(&callback, Some(&cookie));
    assert_eq!(back.parameter("error"), "access_denied");
    assert_eq!((back.parameter("state"), back.parameter("iss")), ("s&t=é".into(), world.base.clone()));
    assert_eq!(world.browse(&callback, Some(&cookie)).status, 400, "it is told once");
    assert_eq!(world.browse(&callback, None).status, 400);
}

#[test]
fn restream_s_refusal_of_a_code_reaches_the_device_as_an_error() {
    let world = World::new();
    let (consent, cookie) = world.leave(&[], None);
    let callback = world.sandbox.approve(&consent).unwrap();
    world.sandbox.advance(std::time::Duration::from_secs(3600));
    let back = world.browse(&callback, Some(&cookie));
    assert_eq!((back.parameter("error"), back.parameter("state")), ("server_error".into(), "s&t=é".into()));
    assert!(world.devices().is_empty());
}

#[test]
fn a_page_that_was_fetched_in_advance_uses_nothing_up() {
    let world = World::new();
    let (consent, cookie) = world.leave(&[], None);
    let callback = world.sandbox.approve(&consent).unwrap();
    let url = callback.strip_prefix(&world.base).unwrap();
    let agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None).build();
    let agent: ureq::Agent = agent.into();
    let prefetched =
        agent.get(format!("{}{url}", world.base)).header("cookie", &cookie).header("sec-purpose", "prefetch");
    assert_eq!(prefetched.call().unwrap().status(), 503);
    let head = agent.head(format!("{}{url}", world.base)).header("cookie", &cookie);
    assert_eq!(head.call().unwrap().status(), 503);
    assert_eq!(world.sandbox.ledger().exchanges, 0);
    assert_eq!(world.browse(&callback, Some(&cookie)).status, 303);
}
