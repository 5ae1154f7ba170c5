//! What the ledger names, so that a person who tests a client sees what the client does.

mod raw;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use raw::{FORM, credentials, login_path, pair, post, refresh, send};
use restream_oauth_sandbox::rules::{BasicCredentials, GrantedScope, Rotation, Rules, TokenFormat};
use restream_oauth_sandbox::{
    Endpoint, Fault, Oddity, PreviousAnswer, RefreshTokenUse, Sandbox, SeenRequest, What, spellings,
};

fn last(sandbox: &Sandbox) -> SeenRequest {
    sandbox.ledger().requests.pop().unwrap()
}

fn last_use(sandbox: &Sandbox) -> RefreshTokenUse {
    last(sandbox).refresh_token_use.expect("the last request is a refresh")
}

fn with_rules(change: impl FnOnce(&mut Rules)) -> Sandbox {
    let mut rules = Rules::default();
    change(&mut rules);
    Sandbox::builder().rules(rules).start().unwrap()
}

fn refresh_with_basic(sandbox: &Sandbox, refresh_token: &str) -> u16 {
    let credentials = format!("{}:{}", sandbox.client_id(), sandbox.client_secret().unwrap());
    let headers = format!("{FORM}Authorization: Basic {}\r\n", STANDARD.encode(credentials));
    let form = format!("grant_type=refresh_token&refresh_token={refresh_token}");
    send(sandbox, "POST /oauth/token", &headers, &form).status()
}

#[test]
fn the_uses_of_each_refresh_token_are_counted() {
    let sandbox = Sandbox::start().unwrap();
    let (_, first) = pair(&sandbox);
    assert_eq!(last(&sandbox).refresh_token_use, None, "an exchange is no refresh");
    let (_, other) = pair(&sandbox);
    for (token, number) in [(&first, 1), (&first, 2), (&other, 1), (&first, 3)] {
        refresh(&sandbox, token);
        let this = last_use(&sandbox);
        assert_eq!(this.number, number);
        assert_eq!(this.since_previous.is_some(), number > 1);
        assert_eq!(this.previous_answer, (number > 1).then_some(PreviousAnswer::Sent));
        assert!(!this.other_authentication);
    }
    std::thread::sleep(Duration::from_millis(30));
    refresh(&sandbox, &first);
    assert!(last_use(&sandbox).since_previous.unwrap() >= Duration::from_millis(30));

    sandbox.reset();
    refresh(&sandbox, &first);
    assert_eq!(last_use(&sandbox).number, 1, "a reset forgets the uses");
}

/// Go's `x/oauth2` repeats a failed refresh with the other kind of credentials.
#[test]
fn a_repeat_with_another_authentication_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let (_, token) = pair(&sandbox);
    assert_eq!(refresh_with_basic(&sandbox, &token), 200);
    refresh(&sandbox, &token);
    assert!(last_use(&sandbox).other_authentication);
    assert!(last(&sandbox).notes()[0].contains("authenticates in another way"), "{:?}", last(&sandbox).notes());
    refresh(&sandbox, &token);
    assert!(!last_use(&sandbox).other_authentication, "compared with the previous use only");
}

#[test]
fn a_repeat_after_a_closed_connection_is_named() {
    for what in [
        What::lost_answer(),
        What::reset(),
        What::Truncate {
            after: 9,
            framing: restream_oauth_sandbox::BodyFraming::Length,
            ending: restream_oauth_sandbox::Ending::Close,
        },
    ] {
        let sandbox = Sandbox::start().unwrap();
        let (_, token) = pair(&sandbox);
        sandbox.inject(Fault::new(what.clone()).on(Endpoint::Token));
        refresh(&sandbox, &token);
        refresh(&sandbox, &token);
        assert_eq!(last_use(&sandbox).previous_answer, Some(PreviousAnswer::Lost), "{what:?}");
        assert!(last(&sandbox).notes()[0].contains("did not receive the whole previous answer"));
    }
}

#[test]
fn a_second_request_in_parallel_is_named() {
    let slow = || Fault::new(What::Delay(Duration::from_secs(1))).on(Endpoint::Token);
    for fault in [slow().before_acting(), slow().after_acting()] {
        let sandbox = Sandbox::start().unwrap();
        let (_, token) = pair(&sandbox);
        sandbox.inject(fault);
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| refresh(&sandbox, &token));
            let arrived = |ledger: &restream_oauth_sandbox::Ledger| ledger.requests.len() == 2;
            assert!(sandbox.wait_until(Duration::from_secs(5), arrived));
            refresh(&sandbox, &token);
            assert_eq!(last_use(&sandbox).previous_answer, Some(PreviousAnswer::Pending));
            assert!(last(&sandbox).notes()[0].contains("has no answer yet"));
            slow.join().unwrap();
        });
    }
}

#[test]
fn the_old_refresh_token_after_a_rotation_is_named() {
    for (rotation, status, old) in [
        (Rotation::Strict, 400, true),
        (Rotation::Grace(Duration::from_secs(30)), 200, true),
        (Rotation::Family, 400, true),
        (Rotation::None, 200, false),
    ] {
        let sandbox = with_rules(|rules| rules.rotation = rotation);
        let (_, token) = pair(&sandbox);
        refresh(&sandbox, &token);
        assert_eq!(last(&sandbox).oddities, [], "{rotation:?}");
        for _ in 0..2 {
            assert_eq!(refresh(&sandbox, &token).status(), status, "{rotation:?}");
            assert_eq!(last(&sandbox).oddities.contains(&Oddity::OldRefreshToken), old, "{rotation:?}");
        }
    }
    let sandbox = Sandbox::start().unwrap();
    let (_, token) = pair(&sandbox);
    post(&sandbox, "/oauth/revoke", &format!("token={token}"));
    refresh(&sandbox, &token);
    assert_eq!(last(&sandbox).oddities, [], "a revoked token was not replaced");
    refresh(&sandbox, "unknown");
    assert_eq!(last(&sandbox).oddities, []);
}

#[test]
fn a_redirect_uri_that_differs_only_in_its_query_is_named() {
    let registered = "http://127.0.0.1:8976/callback?tenant=1";
    let sandbox = Sandbox::builder().redirect_uri(registered).start().unwrap();
    let path =
        |uri: &str| format!("/login?response_type=code&client_id={}&redirect_uri={uri}&state=s", sandbox.client_id());
    for (uri, differs) in [
        (registered, false),
        ("http://127.0.0.1:8976/callback", true),
        ("http://127.0.0.1:8976/callback?tenant=2", true),
        ("http://127.0.0.1:8976/callback%3Ftenant=1%26a=b", true),
        ("http://127.0.0.1:8976/elsewhere?tenant=1", false),
    ] {
        send(&sandbox, &format!("GET {}", path(uri)), "", "");
        assert_eq!(last(&sandbox).oddities.contains(&Oddity::RedirectUriDiffersInQuery), differs, "{uri}");

        let callback = sandbox.approve(&format!("{}{}", sandbox.base_url(), path(registered))).unwrap();
        let code = callback.split("code=").nth(1).unwrap().split('&').next().unwrap();
        let form = format!("grant_type=authorization_code&code={code}&redirect_uri={uri}{}", credentials(&sandbox));
        let status = post(&sandbox, "/oauth/token", &form).status();
        assert_eq!(status, if uri == registered { 200 } else { 400 });
        assert_eq!(last(&sandbox).oddities.contains(&Oddity::RedirectUriDiffersInQuery), differs, "{uri}");
    }
}

#[test]
fn a_refresh_without_the_secret_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let (_, token) = pair(&sandbox);
    for id in ["", &format!("&client_id={}", sandbox.client_id())] {
        post(&sandbox, "/oauth/token", &format!("grant_type=refresh_token&refresh_token={token}{id}"));
        assert_eq!(last(&sandbox).oddities, [Oddity::RefreshWithoutSecret]);
    }
    let sandbox = Sandbox::builder().public_client().start().unwrap();
    let form = format!("grant_type=refresh_token&refresh_token=x&client_id={}", sandbox.client_id());
    post(&sandbox, "/oauth/token", &form);
    assert_eq!(last(&sandbox).oddities, [], "a public client has no secret");
}

#[test]
fn a_plus_that_became_a_space_is_named() {
    let plus = |sandbox: &Sandbox| last(sandbox).oddities.contains(&Oddity::PlusBecameSpace);
    let sandbox = with_rules(|rules| rules.token_format = TokenFormat::Base64);
    let (_, token) = pair(&sandbox);
    assert_eq!(refresh(&sandbox, &token).status(), 400);
    assert!(plus(&sandbox));
    assert_eq!(refresh(&sandbox, &token.replace('+', "%2B")).status(), 200);
    assert!(!plus(&sandbox));
    post(&sandbox, "/oauth/revoke", &format!("token={token}"));
    assert!(plus(&sandbox));
    refresh(&sandbox, "a%20b");
    assert!(!plus(&sandbox), "an escaped space was no `+`");

    let sandbox = Sandbox::builder().client_id("an+id").client_secret("p+q r").start().unwrap();
    let form = "grant_type=refresh_token&refresh_token=x";
    for (client, became) in [
        ("&client_id=an%2Bid&client_secret=p%2Bq+r", false),
        ("&client_id=an+id&client_secret=p%2Bq+r", true),
        ("&client_id=an%20id&client_secret=p%2Bq+r", false),
        ("&client_id=an%2Bid&client_secret=p+q+r", true),
        ("&client_id=an%2Bid&client_secret=p+q", false),
    ] {
        post(&sandbox, "/oauth/token", &format!("{form}{client}"));
        assert_eq!(plus(&sandbox), became, "{client}");
    }
    let sandbox = Sandbox::builder().redirect_uri("http://127.0.0.1:8976/a+b").start().unwrap();
    for (uri, became) in [("http://127.0.0.1:8976/a+b", true), ("http://127.0.0.1:8976/a%2Bb", false)] {
        let path = format!("/login?response_type=code&client_id={}&redirect_uri={uri}&state=s", sandbox.client_id());
        send(&sandbox, &format!("GET {path}"), "", "");
        assert_eq!(plus(&sandbox), became, "{uri}");
    }
    let sandbox = Sandbox::builder().client_id("an+id").client_secret("p+q r").start().unwrap();
    // In a Basic header a raw `+` becomes a space where the server decodes.
    let headers = format!("{FORM}Authorization: Basic {}\r\n", STANDARD.encode("an+id:p+q r"));
    for (reading, became) in [(BasicCredentials::Either, false), (BasicCredentials::Decoded, true)] {
        let mut rules = Rules::default();
        rules.basic = reading;
        sandbox.set_rules(rules);
        send(&sandbox, "POST /oauth/token", &headers, form);
        assert_eq!(plus(&sandbox), became, "{reading:?}");
    }
}

#[test]
fn a_refresh_that_asks_for_a_scope_which_its_grant_lacks_is_named() {
    let sandbox = with_rules(|rules| rules.granted_scope = GrantedScope::Narrower);
    for (scope, named) in [("profile.read", false), ("profile.read+stream.read", true), ("nonsense", true)] {
        let (_, token) = pair(&sandbox);
        let form = format!("grant_type=refresh_token&refresh_token={token}&scope={scope}{}", credentials(&sandbox));
        post(&sandbox, "/oauth/token", &form);
        assert_eq!(last(&sandbox).oddities.contains(&Oddity::ScopeNotGranted), named, "{scope}");
    }
    // At the login all scopes of the application may be asked for.
    send(&sandbox, &format!("GET {}&scope=stream.read", login_path(&sandbox)), "", "");
    assert_eq!(last(&sandbox).oddities, []);
}

#[test]
fn the_ledgers_json_has_the_notes_and_no_value_of_a_form() {
    const SECRET: &str = "s3cretOfTheClient";
    const TOKEN: &str = "t0kenOfTheGrant";
    let sandbox = Sandbox::builder().client_secret(SECRET).token_prefix(TOKEN).start().unwrap();
    let (_, token) = pair(&sandbox);
    refresh(&sandbox, &token);
    let form =
        format!("grant_type=refresh_token&refresh_token={token}&scope={SECRET}&{TOKEN}=x{}", credentials(&sandbox));
    post(&sandbox, "/oauth/token", &form);
    let ledger = send(&sandbox, "GET /_sandbox/ledger", "", "");
    let request = ledger.json()["requests"][2].clone();
    assert_eq!(request["refresh_token_use"]["number"], 2);
    assert_eq!(request["refresh_token_use"]["previous_answer"], "sent");
    assert_eq!(request["refresh_token_use"]["other_authentication"], false);
    assert!(request["refresh_token_use"]["milliseconds_since_previous"].is_u64());
    let notes: Vec<_> = request["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert!(notes[0].starts_with("This refresh token is used for the 2nd time, "), "{notes:?}");
    assert_eq!(notes.len(), 1 + request["oddities"].as_array().unwrap().len());
    // The name of a parameter is no value, and this one is short enough to be shown.
    let said = ledger.body().replace(&format!("\"{TOKEN}\""), "");
    for word in [SECRET, TOKEN] {
        assert!(!spellings(word).iter().any(|spelling| said.contains(spelling)), "{said}");
    }
}
