mod requests;

use std::time::{Duration, SystemTime};

use http::Method;
use zeroize::Zeroizing;

use self::requests::{CALLBACK, CHALLENGE, VERIFIER, field, get, post, protocol, query_of, raw_post, text};
use super::*;
use crate::devices::{CodeBinding, DeviceId, Hash, Key, Login, Owner};

fn key() -> Key {
    Key::new(DeviceId::from([1; 16]), [2; 32])
}

fn authorize(changes: &[(&str, Option<&str>)]) -> String {
    let mut parameters = vec![
        ("client_id", "overlay"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "a b&c=é"),
    ];
    for (name, value) in changes {
        parameters.retain(|(known, _)| known != name);
        parameters.extend(value.map(|value| (*name, value)));
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("/authorize?{query}")
}

fn login(owner: Owner, redirect_uri: Option<&str>, state: Option<&str>) -> Login {
    let binding = redirect_uri.map(|uri| CodeBinding { redirect_uri: uri.into(), code_challenge: CHALLENGE.into() });
    Login {
        state: Hash::of("s"),
        browser: Hash::of("b"),
        owner,
        binding,
        device_state: state.map(str::to_owned),
        saved: Zeroizing::new(String::new()),
        began_at: SystemTime::UNIX_EPOCH,
    }
}

fn overlay_login() -> Login {
    login(Owner::Client("overlay".into()), Some(CALLBACK), Some("a b&c=é"))
}

/// RFC 8414 §3.2.
#[test]
fn the_metadata_names_every_endpoint_under_the_issuer() {
    let answer = get("/.well-known/oauth-authorization-server").answer();
    let metadata: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(metadata["issuer"], "https://broker.example");
    assert_eq!(metadata["authorization_endpoint"], "https://broker.example/authorize");
    assert_eq!(metadata["token_endpoint"], "https://broker.example/token");
    assert_eq!(metadata["revocation_endpoint"], "https://broker.example/revoke");
    assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], serde_json::json!(["none"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(field(&answer, "content-type"), "application/json");
}

/// RFC 9700 §4.4: the user sees who asks, and goes on by a link of his own.
/// The cookie: Browser-based apps draft §6.1.
#[test]
fn the_page_names_the_client_and_leads_on_in_its_own_browser_alone() {
    let Decision::Ask(ask) = get(&authorize(&[("scope", Some("chat.read profile.read"))])).decide() else { panic!() };
    let page = ask.page(protocol().rules(), [7; 32]);
    let cookie = field(&page, "set-cookie");
    assert_eq!(
        cookie,
        format!("__Host-restream-oauth-broker={}; Path=/; HttpOnly; SameSite=Lax; Secure", "07".repeat(32))
    );
    let html = text(&page);
    assert!(html.contains("<strong>overlay</strong>") && html.contains("https://overlay.example</strong>"), "{html}");
    assert!(!html.contains("<script") && !html.contains("<form"), "{html}");
    let link = html.split_once("href=\"").unwrap().1.split_once('"').unwrap().0.replace("&amp;", "&");
    assert!(link.starts_with("/authorize/continue?"), "{link}");
    let cookie = cookie.split_once(';').unwrap().0;
    let Decision::Begin(begin) = get(&link).with("cookie", &format!("x=y; {cookie}")).decide() else { panic!() };
    assert_eq!(begin.target.owner, Owner::Client("overlay".into()));
    assert_eq!(begin.target.device_state.as_deref(), Some("a b&c=é"));
    let binding = begin.target.binding.as_ref().unwrap();
    assert_eq!((binding.redirect_uri.as_str(), binding.code_challenge.as_str()), (CALLBACK, CHALLENGE));
    assert_eq!(
        begin.target.scopes.iter().map(restream_oauth_core::Scope::as_str).collect::<Vec<_>>(),
        ["chat.read", "profile.read"]
    );
    // A browser that has the cookie keeps it.
    let away = begin.leave(protocol().rules(), &begin.browser([9; 32]), "https://api.restream.io/login?x");
    assert_eq!((field(&away, "location"), field(&away, "set-cookie")), ("https://api.restream.io/login?x", ""));

    let other = format!("__Host-restream-oauth-broker={}", "08".repeat(32));
    for refused in [get(&link), get(&link).with("cookie", &other), get(&link.replace("overlay", "%3Cbot%3E"))] {
        assert_eq!(refused.answer().status(), 400);
    }
}

/// RFC 6749 §4.1.2.1 and §10.15.
#[test]
fn a_request_whose_client_or_redirect_uri_is_wrong_leads_nowhere() {
    for changes in [
        ("client_id", None),
        ("client_id", Some("stranger")),
        ("client_id", Some("obs")),
        ("redirect_uri", None),
        ("redirect_uri", Some("https://evil.example/callback")),
        ("redirect_uri", Some("https://overlay.example/callback/")),
        ("redirect_uri", Some("https://overlay.example/callback#x")),
        ("redirect_uri", Some("https://overlay.example@evil.example/callback")),
        ("redirect_uri", Some("http://127.0.0.1/callback")),
    ] {
        let answer = get(&authorize(&[changes])).answer();
        assert_eq!((answer.status().as_u16(), field(&answer, "location")), (400, ""), "{changes:?}");
    }
    for doubled in ["&client_id=overlay", "&state=1", "&redirect_uri=x", "&x=%zz"] {
        let answer = get(&(authorize(&[]) + doubled)).answer();
        assert_eq!((answer.status().as_u16(), field(&answer, "location")), (400, ""), "{doubled}");
    }
}

#[test]
fn any_other_fault_goes_back_to_the_client_with_its_state_and_the_issuer() {
    let long = "x".repeat(2049);
    for (changes, error) in [
        (("response_type", None), "invalid_request"),
        (("response_type", Some("token")), "unsupported_response_type"),
        (("code_challenge", None), "invalid_request"),
        (("code_challenge", Some("short")), "invalid_request"),
        (("code_challenge_method", None), "invalid_request"),
        (("code_challenge_method", Some("plain")), "invalid_request"),
        (("client_secret", Some("hunter2")), "invalid_request"),
        (("scope", Some("a\"b")), "invalid_scope"),
        (("scope", Some(&long)), "invalid_scope"),
        (("state", Some(&long)), "invalid_request"),
    ] {
        let answer = get(&authorize(&[changes])).answer();
        let location = field(&answer, "location");
        assert!(answer.status() == 303 && location.starts_with("https://overlay.example/callback?"), "{changes:?}");
        assert!(!location.contains("hunter2"));
        let query = query_of(location);
        assert!(query.contains(&("error".into(), error.into())), "{changes:?}: {location}");
        assert!(query.contains(&("iss".into(), "https://broker.example".into())));
        let state = query.iter().find(|(name, _)| name == "state").map(|(_, value)| value.as_str());
        assert_eq!(state, (changes.0 != "state").then_some("a b&c=é"));
    }
}

#[test]
fn what_a_browser_or_a_program_asks_in_advance_uses_nothing_up() {
    let urls = ["/authorize/continue?a=b&confirm=c", "/callback?code=a&state=b", "/obs/v1/restream/redirect"];
    for url in urls.into_iter().chain(["/obs/app-auth/restream?action=redirect"]) {
        assert_eq!(get(url).method(Method::HEAD).answer().status(), 503, "{url}");
        for (name, value) in [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "Prefetch")] {
            assert_eq!(get(url).with(name, value).answer().status(), 503, "{url} {name}");
        }
        assert_eq!(get(url).method(Method::POST).answer().status(), 405, "{url}");
    }
}

/// RFC 6749 §10.12.
#[test]
fn a_callback_without_the_cookie_or_with_strange_parameters_is_no_way_back() {
    let cookie = format!("__Host-restream-oauth-broker={}", "07".repeat(32));
    for query in ["code=a&state=b", "", "error=access_denied&state=b"] {
        let url = format!("/callback?{query}");
        assert_eq!(get(&url).answer().status(), 400, "{query}");
        assert_eq!(get(&url).with("cookie", &cookie[..80]).answer().status(), 400, "{query}");
        // The name that http has. Another host of the same site could have set it.
        assert_eq!(get(&url).with("cookie", &cookie["__Host-".len()..]).answer().status(), 400, "{query}");
        let Decision::CallBack(back) = get(&url).with("cookie", &cookie).decide() else { panic!("{query}") };
        assert_eq!(back.browser.hash(), Hash::of("07".repeat(32)));
        assert_eq!(back.state, (!query.is_empty()).then(|| Hash::of("b")));
    }
    for query in ["code=a", "code=a&state=b&state=c", "code=%zz&state=b", "state="] {
        let answer = get(&format!("/callback?{query}")).with("cookie", &cookie);
        // `state=` alone is Restream's denial as some proxies write it.
        if query != "state=" {
            assert_eq!(answer.answer().status(), 400, "{query}");
        }
    }
}

/// RFC 9207 §2, RFC 6749 §4.1.2.
#[test]
fn the_way_back_has_the_code_the_state_as_it_came_and_the_issuer() {
    let (rules, key) = (protocol(), key());
    let location = field(&returned(rules.rules(), &overlay_login(), &key), "location").to_owned();
    assert!(location.starts_with("https://overlay.example/callback?code="), "{location}");
    let expected = [("code", key.expose_secret()), ("state", "a b&c=é"), ("iss", "https://broker.example")];
    assert_eq!(query_of(&location), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let with_query = login(Owner::Client("overlay".into()), Some("https://overlay.example/cb?tenant=1"), None);
    let location = field(&returned(rules.rules(), &with_query, &key), "location").to_owned();
    assert!(location.starts_with("https://overlay.example/cb?tenant=1&code=") && !location.contains("state"));

    let obs = login(Owner::Obs, None, None);
    let location = field(&returned(rules.rules(), &obs, &key), "location").to_owned();
    // OBS takes what stands between the first `code=` and the next `&`, else up to the end.
    assert_eq!(location, format!("https://broker.example/obs/v1/restream/finalise?code={}", key.expose_secret()));
}

/// RFC 9207 §2.
#[test]
fn a_denial_reaches_the_device_as_access_denied_with_its_state_and_the_issuer() {
    let rules = protocol();
    let answer = denials(rules.rules(), &[overlay_login()]);
    let query = query_of(field(&answer, "location"));
    for expected in [("error", "access_denied"), ("state", "a b&c=é"), ("iss", "https://broker.example")] {
        assert!(query.contains(&(expected.0.to_owned(), expected.1.to_owned())), "{query:?}");
    }
    // OBS hears of no error: its user sees a page outside of its base.
    let answer = denials(rules.rules(), &[login(Owner::Obs, None, None)]);
    assert_eq!((answer.status().as_u16(), field(&answer, "location")), (200, ""));
    // Restream does not say which login it was.
    let bot = login(Owner::Client("<bot>".into()), Some("http://127.0.0.1/callback"), None);
    let answer = denials(rules.rules(), &[overlay_login(), bot, login(Owner::Obs, None, None)]);
    let html = text(&answer);
    assert_eq!(html.matches("<a href=").count(), 2, "{html}");
    assert!(html.contains("&lt;bot&gt;") && !html.contains("<bot>"), "{html}");
    assert_eq!(denials(rules.rules(), &[]).status(), 400);
}

#[test]
fn a_code_and_a_handle_are_read_from_a_form() {
    let key = key();
    let code = [
        ("grant_type", "authorization_code"),
        ("client_id", "overlay"),
        ("code", key.expose_secret()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("resource", "ignored"),
    ];
    let Decision::Redeem(redeem) = post("/token", &code).decide() else { panic!() };
    assert_eq!((redeem.door, redeem.owner.client_id()), (Door::Plain, "overlay"));
    assert_eq!(redeem.shown(), Some((CALLBACK, VERIFIER)));
    let handle = [("grant_type", "refresh_token"), ("client_id", "overlay"), ("refresh_token", key.expose_secret())];
    let Decision::Refresh(refresh) = post("/token", &handle).decide() else { panic!() };
    assert_eq!((refresh.owner, refresh.handle.id()), (Owner::Client("overlay".into()), key.id()));
    let shown = format!("{redeem:?} {:?}", refresh.handle);
    assert!(!shown.contains(VERIFIER) && !shown.contains(key.expose_secret()), "{shown}");
}

/// RFC 6749 §5.2.
#[test]
fn what_is_wrong_with_a_token_request_is_said_in_the_flat_form() {
    let id = ("client_id", "overlay");
    let refresh = ("grant_type", "refresh_token");
    let form = |pairs: &[(&str, &str)]| post("/token", pairs).refusal();
    let told = |status, error: &str| (status, error.to_owned());
    assert_eq!(form(&[]), told(400, "invalid_request"));
    assert_eq!(form(&[id]), told(400, "invalid_request"));
    assert_eq!(form(&[refresh, ("refresh_token", "x")]), told(400, "invalid_request"));
    assert_eq!(form(&[refresh, id]), told(400, "invalid_request"));
    assert_eq!(form(&[refresh, id, ("refresh_token", "x")]), told(400, "invalid_grant"));
    assert_eq!(form(&[refresh, ("client_id", "obs"), ("refresh_token", "x")]), told(400, "invalid_client"));
    assert_eq!(form(&[("grant_type", "password"), id]), told(400, "unsupported_grant_type"));
    let code = ("grant_type", "authorization_code");
    assert_eq!(form(&[code, id, ("code", "x")]), told(400, "invalid_request"));
    let bound = [("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    assert_eq!(form(&[code, id, ("code", "x"), bound[0], bound[1]]), told(400, "invalid_grant"));
    assert_eq!(form(&[code, id, id, ("code", "x"), bound[0], bound[1]]), told(400, "invalid_request"));
    assert_eq!(raw_post("/token", "grant_type=%zz").refusal(), told(400, "invalid_request"));
    let json = get("/token").method(Method::POST).with("content-type", "application/json");
    assert_eq!(json.refusal(), told(400, "invalid_request"));
    assert_eq!(get("/token").answer().status(), 405);
}

/// RFC 6749 §2.3: the clients are public ones, and nobody may learn that some secret is accepted.
#[test]
fn a_secret_from_a_public_client_is_refused() {
    let key = key();
    let token = ("refresh_token", key.expose_secret());
    for path in ["/token", "/revoke"] {
        let form = [("grant_type", "refresh_token"), ("client_id", "overlay"), token, ("token", token.1)];
        for secret in [("client_secret", "hunter2"), ("client_assertion", "e30.e30.")] {
            let refusal = post(path, &[&form[..], &[secret]].concat()).refusal();
            assert_eq!(refusal, (400, "invalid_client".into()), "{path} {secret:?}");
        }
        let basic = post(path, &form).with("authorization", "Basic b3ZlcmxheTpodW50ZXIy");
        assert_eq!(basic.refusal(), (401, "invalid_client".into()));
        assert!(field(&basic.answer(), "www-authenticate").starts_with("Basic "));
    }
    let obs = format!("grant_type=refresh_token&refresh_token={}&client_secret=x", key.expose_secret());
    assert_eq!(raw_post("/obs/v1/restream/token", &obs).refusal().0, 400);
}

#[test]
fn pages_of_listed_origins_alone_may_use_the_endpoints_for_programs() {
    let key = key();
    let form = [("grant_type", "refresh_token"), ("client_id", "overlay"), ("refresh_token", key.expose_secret())];
    let foreign = ["https://evil.example", "null", "https://overlay.example:444", "http://overlay.example", ""];
    for path in ["/token", "/revoke", "/.well-known/oauth-authorization-server"] {
        for origin in foreign {
            for sent in [post(path, &form), get(path), get(path).method(Method::OPTIONS)] {
                let answer = sent.with("origin", origin).answer();
                assert_eq!(answer.status(), 403, "{path} {origin}");
                assert_eq!(field(&answer, "access-control-allow-origin"), "");
            }
        }
        let preflight = get(path).method(Method::OPTIONS).with("origin", "https://overlay.example").answer();
        assert_eq!(
            (preflight.status().as_u16(), field(&preflight, "access-control-allow-headers")),
            (204, "content-type")
        );
        assert_eq!(field(&preflight, "access-control-allow-origin"), "https://overlay.example");
        assert_eq!(field(&preflight, "vary"), "origin");
    }
    let listed = post("/token", &form).with("origin", "https://overlay.example");
    assert!(matches!(listed.decide(), Decision::Refresh(_)));
    // The page of one client does not act for another.
    assert_eq!(post("/token", &form).with("origin", "https://bot.example").answer().status(), 403);
    let twice = post("/token", &form).with("origin", "https://overlay.example").with("origin", "null");
    assert_eq!(twice.answer().status(), 403);
    let obs = raw_post("/obs/v1/restream/token", "grant_type=refresh_token&refresh_token=x");
    assert_eq!(obs.with("origin", "https://overlay.example").answer().status(), 403, "OBS is no page");
}

#[test]
fn a_revocation_names_its_client_and_a_token_of_any_kind() {
    let Decision::Revoke(revoke) =
        post("/revoke", &[("client_id", "overlay"), ("token", "t"), ("token_type_hint", "x")]).decide()
    else {
        panic!()
    };
    assert_eq!((revoke.owner.client_id(), revoke.expose_token()), ("overlay", "t"));
    assert_eq!((Revoke::done().status().as_u16(), Revoke::done().body().len()), (200, 0));
    assert_eq!(post("/revoke", &[("client_id", "overlay")]).refusal(), (400, "invalid_request".into()));
    assert_eq!(post("/revoke", &[("token", "t")]).refusal(), (400, "invalid_request".into()));
}

#[test]
fn obs_is_served_on_its_present_and_its_older_paths() {
    for url in [
        "/obs/v1/restream/redirect",
        "/obs/app-auth/restream?action=redirect",
        "/obs/app-auth/restream-auth.php?action=redirect",
    ] {
        let Decision::Begin(begin) = get(url).decide() else { panic!("{url}") };
        assert_eq!((&begin.target.owner, &begin.target.binding), (&Owner::Obs, &None));
        let scopes: Vec<_> = begin.target.scopes.iter().map(restream_oauth_core::Scope::as_str).collect();
        assert_eq!(scopes, ["stream.default.read", "chat.default.read"]);
        assert!(begin.options().is_ok());
    }
    for url in ["/obs/v1/restream/finalise?code=x", "/obs/app-auth/restream?code=x", "/obs/app-auth/restream-auth.php"]
    {
        let page = get(url).answer();
        assert_eq!((page.status().as_u16(), text(&page).contains("code=")), (200, false), "{url}");
    }
    let key = key();
    for path in ["/obs/v1/restream/token", "/obs/app-auth/restream-token"] {
        let secret = key.expose_secret();
        let code = format!("action=redirect&client_id=&grant_type=authorization_code&code={secret}");
        let Decision::Redeem(redeem) = raw_post(path, &code).decide() else { panic!() };
        assert_eq!((redeem.door, &redeem.owner, redeem.shown()), (Door::Obs, &Owner::Obs, None));
        let handle = format!("action=redirect&client_id=ab cd&grant_type=refresh_token&refresh_token={secret}");
        assert!(matches!(raw_post(path, &handle).decide(), Decision::Refresh(_)));
    }
    assert_eq!(get("/obs/v1/twitch/redirect").answer().status(), 404);
}

/// libcurl fails on a status of 400, so OBS would never read it and never ask for a login.
#[test]
fn obs_reads_invalid_grant_with_status_200_and_everything_else_as_a_failure() {
    let refresh = |form: &str| raw_post("/obs/v1/restream/token", form).refusal();
    let invalid_grant = (200, "invalid_grant".to_owned());
    assert_eq!(refresh("grant_type=refresh_token&refresh_token=unknown"), invalid_grant);
    assert_eq!(refresh("grant_type=authorization_code&code=unknown"), invalid_grant);
    assert_eq!(refresh("grant_type=refresh_token").0, 400);
    assert_eq!(refresh("grant_type=refresh_token&refresh_token=a&refresh_token=b").0, 400);
    assert_eq!(refresh("grant_type=password").0, 400);
    assert_eq!(refresh("").0, 400);
    for refusal in [Refusal::Code, Refusal::Handle, Refusal::Grant] {
        assert_eq!(
            (refused(Door::Obs, refusal).status(), refused(Door::Plain, refusal).status()),
            (200.try_into().unwrap(), 400.try_into().unwrap())
        );
    }
    let later = refused(Door::Obs, Refusal::Later(Duration::from_secs(7)));
    assert_eq!((later.status().as_u16(), field(&later, "retry-after")), (503, "7"));
    assert!(text(&later).contains("\"temporarily_unavailable\""));
    assert_eq!(
        (busy(Duration::ZERO, true).status().as_u16(), busy(Duration::ZERO, false).status().as_u16()),
        (503, 429)
    );
}

#[test]
fn tokens_are_told_in_numbers_and_text_and_stored_by_no_cache() {
    let answer = granted(&Granted {
        access_token: "a\"t",
        expires_in: Duration::from_millis(3_540_900),
        refresh_token: Some("h"),
        scope: None,
    });
    assert_eq!(text(&answer), r#"{"access_token":"a\"t","token_type":"Bearer","expires_in":3540,"refresh_token":"h"}"#);
    assert_eq!((field(&answer, "cache-control"), field(&answer, "pragma")), ("no-store", "no-cache"));
}

#[test]
fn every_answer_forbids_frames_caches_and_referrers() {
    for answer in [
        get("/").answer(),
        get("/authorize").answer(),
        get("/obs/v1/restream/finalise?code=x").answer(),
        get("/.well-known/oauth-authorization-server").answer(),
        returned(protocol().rules(), &overlay_login(), &key()),
        post("/token", &[]).answer(),
    ] {
        assert!(field(&answer, "content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(field(&answer, "referrer-policy"), "no-referrer");
        assert_eq!(field(&answer, "cache-control"), "no-store");
        assert_eq!(field(&answer, "x-content-type-options"), "nosniff");
    }
}

#[test]
fn over_http_on_loopback_the_cookie_has_a_plain_name() {
    let protocol = Protocol::new(Rules {
        issuer: "http://127.0.0.1:8080".into(),
        obs_prefix: Some("/obs/".into()),
        ..Rules::default()
    });
    let headers = http::HeaderMap::new();
    let request =
        Request { method: &Method::GET, path: "/obs/v1/restream/redirect", query: "", headers: &headers, body: b"" };
    let Decision::Begin(begin) = protocol.decide(&request) else { panic!() };
    let answer = begin.leave(protocol.rules(), &begin.browser([1; 32]), "http://127.0.0.1:1/login");
    let cookie = field(&answer, "set-cookie");
    assert!(cookie.starts_with("restream-oauth-broker=") && !cookie.contains("Secure"), "{cookie}");
}
