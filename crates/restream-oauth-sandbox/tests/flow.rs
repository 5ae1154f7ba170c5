//! The documented flow over a socket. The expectations come from Restream's pages.

mod raw;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use raw::{FORM, code, credentials, exchange, login_path, pair, post, profile, refresh, send};
use restream_oauth_sandbox::{AuthorizeError, ClientAuthentication, Sandbox, StartError};

#[test]
fn the_page_offers_approve_and_deny_and_may_not_be_stored() {
    let sandbox = Sandbox::start().unwrap();
    for path in ["/login", "/oauth/authorize"] {
        let path = login_path(&sandbox).replacen("/login", path, 1);
        let page = send(&sandbox, &format!("GET {path}"), "", "");
        assert_eq!(page.status(), 200);
        assert_eq!(page.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control").as_deref(), Some("no-store"));
        assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        assert!(page.body().contains("id=\"approve\"") && page.body().contains("id=\"deny\""));
        assert!(!page.body().contains("<script"));
    }
}

#[test]
fn the_approve_button_redirects_with_code_scope_and_state() {
    let sandbox = Sandbox::start().unwrap();
    let origin = format!("{FORM}Origin: {}\r\n", sandbox.base_url());
    let answer = send(&sandbox, &format!("POST {}", login_path(&sandbox)), &origin, "decision=approve");
    assert_eq!(answer.status(), 302);
    let location = answer.header("location").unwrap();
    let parameters = location.strip_prefix("http://127.0.0.1:8976/callback?").unwrap();
    let names: Vec<_> = parameters.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    assert_eq!(names, ["code", "scope", "state"]);
    assert!(location.ends_with("&state=xyz"));
}

#[test]
fn the_deny_button_redirects_without_any_parameter() {
    let sandbox = Sandbox::start().unwrap();
    let path = login_path(&sandbox);
    let answer = send(&sandbox, &format!("POST {path}"), FORM, "decision=deny");
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.header("location").as_deref(), Some("http://127.0.0.1:8976/callback"));
    let in_process = sandbox.deny(&format!("{}{path}", sandbox.base_url()));
    assert_eq!(in_process.as_deref(), Ok("http://127.0.0.1:8976/callback"));
}

#[test]
fn a_page_of_another_origin_cannot_press_the_buttons() {
    let sandbox = Sandbox::start().unwrap();
    for origin in ["https://evil.example", "null"] {
        let headers = format!("{FORM}Origin: {origin}\r\n");
        let line = format!("POST {}", login_path(&sandbox));
        let answer = send(&sandbox, &line, &headers, "decision=approve");
        assert_ne!(answer.status(), 302, "{origin}");
        assert_eq!(answer.header("location"), None);
    }
    assert_eq!(sandbox.ledger().codes_issued, 0);
}

#[test]
fn an_unknown_client_or_redirect_uri_gets_an_error_page_and_no_redirect() {
    let sandbox = Sandbox::start().unwrap();
    let known = login_path(&sandbox);
    for path in [
        known.replace(sandbox.client_id(), "<b>someone</b>"),
        known.replace(":8976", ":8977"),
        known.replace("callback", "callback<script>"),
    ] {
        let answer = send(&sandbox, &format!("GET {}", path.replace('<', "%3C")), "", "");
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(answer.header("location"), None);
        assert!(!answer.body().contains("<b>") && !answer.body().contains("<script"));
        let url = format!("{}{path}", sandbox.base_url());
        assert!(matches!(sandbox.approve(&url), Err(AuthorizeError::Refused(_))));
    }
    assert_eq!(sandbox.approve("https://api.restream.io/login?x"), Err(AuthorizeError::NotOurs));
}

#[test]
fn the_token_response_has_the_documented_members_in_their_order() {
    let sandbox = Sandbox::start().unwrap();
    let answer = exchange(&sandbox);
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    let body = answer.body();
    let documented = [
        "access_token",
        "expires",
        "expires_in",
        "refresh_token",
        "scope",
        "token_type",
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
    let places: Vec<_> = documented.iter().map(|name| body.find(&format!("\"{name}\":")).expect(name)).collect();
    assert!(places.is_sorted(), "{body}");

    let answer = answer.json();
    assert_eq!(answer.as_object().unwrap().len(), documented.len());
    for (name, twin) in [
        ("access_token", "accessToken"),
        ("refresh_token", "refreshToken"),
        ("expires_in", "accessTokenExpiresIn"),
        ("expires", "accessTokenExpiresEpoch"),
        ("token_type", "tokenType"),
    ] {
        assert_eq!(answer[name], answer[twin]);
    }
    assert_eq!(answer["expires_in"], 3600);
    assert_eq!(answer["refreshTokenExpiresIn"], 31_536_000);
    assert_eq!(answer["scope"], "profile.read channels.read chat.read stream.read");
    assert_eq!(answer["scopeJson"], serde_json::json!(["profile.read", "channels.read", "chat.read", "stream.read"]));
    assert_eq!(answer["token_type"], "Bearer");
    for token in ["access_token", "refresh_token"] {
        let token = answer[token].as_str().unwrap();
        assert!(token.len() == 40 && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}

#[test]
fn a_refresh_issues_a_new_pair_and_kills_the_old_one() {
    let sandbox = Sandbox::start().unwrap();
    let (access, refresh_token) = pair(&sandbox);
    assert_eq!(profile(&sandbox, &access).status(), 200);

    let renewed = refresh(&sandbox, &refresh_token);
    assert_eq!(renewed.status(), 200);
    assert_eq!(profile(&sandbox, &access).status(), 401);
    let new_access = renewed.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(profile(&sandbox, &new_access).status(), 200);

    let again = refresh(&sandbox, &refresh_token);
    assert_eq!(again.status(), 400);
    assert_eq!(
        again.body(),
        r#"{"error":{"statusCode":400,"status":400,"code":400,"message":"Invalid grant: refresh token is invalid","name":"invalid_grant"}}"#
    );
    let ledger = sandbox.ledger();
    assert_eq!((ledger.exchanges, ledger.refreshes, ledger.dead_refresh_tokens_used), (1, 1, 1));
}

#[test]
fn tokens_begin_with_the_configured_prefix() {
    let sandbox = Sandbox::builder().token_prefix("c4nary7Qx2Vb").start().unwrap();
    let (access, refresh_token) = pair(&sandbox);
    for token in [&access, &refresh_token] {
        assert!(token.starts_with("c4nary7Qx2Vb") && token.len() == 40, "{token}");
    }
    assert_ne!(access, refresh_token);
}

#[test]
fn a_code_can_be_exchanged_only_once() {
    let sandbox = Sandbox::start().unwrap();
    let form = raw::exchange_form(&sandbox);
    let first = post(&sandbox, "/oauth/token", &form).json();
    let second = post(&sandbox, "/oauth/token", &form);
    assert_eq!(second.status(), 400);
    assert_eq!(second.json()["error"]["message"], "Invalid grant: authorization code is invalid");
    assert_eq!(profile(&sandbox, first["access_token"].as_str().unwrap()).status(), 401);
    assert_eq!(sandbox.ledger().codes_replayed, 1);
}

#[test]
fn codes_and_access_tokens_expire_when_the_clock_is_advanced() {
    let sandbox = Sandbox::start().unwrap();
    let (access, _) = pair(&sandbox);
    let form = raw::exchange_form(&sandbox);
    sandbox.advance(Duration::from_secs(61));
    assert_eq!(post(&sandbox, "/oauth/token", &form).json()["error"]["name"], "invalid_grant");
    assert_eq!(profile(&sandbox, &access).status(), 200);
    sandbox.advance(Duration::from_secs(3600));
    let expired = profile(&sandbox, &access);
    assert_eq!(expired.status(), 401);
    assert_eq!(expired.header("www-authenticate").as_deref(), Some("Bearer error=\"invalid_token\""));
}

#[test]
fn revoking_either_token_kills_both_and_the_answer_is_always_an_empty_200() {
    let sandbox = Sandbox::start().unwrap();
    for by_refresh_token in [false, true] {
        let (access, refresh_token) = pair(&sandbox);
        let token = if by_refresh_token { &refresh_token } else { &access };
        for form in [
            format!("token={token}&token_type_hint=access_token"),
            format!("token={token}"),
            "token=unknown".to_owned(),
            String::new(),
        ] {
            let answer = post(&sandbox, "/oauth/revoke", &form);
            assert_eq!((answer.status(), answer.body().as_str()), (200, ""), "{form}");
            assert_eq!(answer.header("content-length").as_deref(), Some("0"));
        }
        assert_eq!(profile(&sandbox, &access).status(), 401);
        assert_eq!(refresh(&sandbox, &refresh_token).status(), 400);
    }
    assert_eq!(sandbox.ledger().revocations, 2);
}

#[test]
fn the_profile_needs_a_living_access_token() {
    let sandbox = Sandbox::start().unwrap();
    let (access, refresh_token) = pair(&sandbox);
    let answer = profile(&sandbox, &access).json();
    assert!(answer["id"].is_u64() && answer["username"].is_string() && answer["email"].is_string());

    for wrong in [refresh_token.as_str(), "unknown"] {
        let refused = profile(&sandbox, wrong);
        assert_eq!(
            refused.body(),
            r#"{"error":{"statusCode":401,"status":401,"code":401,"message":"Invalid token: access token is invalid","name":"invalid_token"}}"#
        );
    }
    assert_eq!(send(&sandbox, "GET /v2/user/profile", "", "").status(), 401);
}

#[test]
fn a_client_authenticates_by_header_or_form() {
    let sandbox = Sandbox::builder().client_id("an id").client_secret("p:s+&").start().unwrap();
    let basic = |credentials: &str| format!("{FORM}Authorization: Basic {}\r\n", STANDARD.encode(credentials));
    let grant =
        |code: String| format!("grant_type=authorization_code&redirect_uri=http://127.0.0.1:8976/callback&code={code}");
    let in_body = "&client_id=an%20id&client_secret=p%3As%2B%26";
    let token = "POST /oauth/token";

    let good = basic("an%20id:p%3As%2B%26");
    assert_eq!(send(&sandbox, token, &good, &grant(code(&sandbox))).status(), 200);
    assert_eq!(send(&sandbox, token, FORM, &(grant(code(&sandbox)) + in_body)).status(), 200);

    let both = send(&sandbox, token, &good, &(grant(code(&sandbox)) + in_body));
    assert_eq!(both.status(), 200, "the ledger shows it");

    let wrong = send(&sandbox, token, &basic("an%20id:wrong"), &grant(code(&sandbox)));
    assert_eq!((wrong.status(), &wrong.json()["error"]["name"]), (401, &"invalid_client".into()));
    assert!(wrong.header("www-authenticate").unwrap().starts_with("Basic"));

    let nobody = send(&sandbox, token, FORM, &grant(code(&sandbox)));
    assert_eq!((nobody.status(), &nobody.json()["error"]["name"]), (400, &"invalid_client".into()));
    assert_eq!(nobody.header("www-authenticate"), None);

    let ledger = sandbox.ledger();
    let seen: Vec<_> = ledger.requests_to("/oauth/token").map(|request| request.client_authentication).collect();
    let (basic, body) = (ClientAuthentication::Basic, ClientAuthentication::Body);
    assert_eq!(seen, [basic, body, ClientAuthentication::Both, basic, ClientAuthentication::None]);
}

#[test]
fn a_public_client_needs_its_id_only() {
    let sandbox = Sandbox::builder().public_client().client_id("app").start().unwrap();
    let form = format!(
        "grant_type=authorization_code&redirect_uri=http://127.0.0.1:8976/callback&client_id=app&code={}",
        code(&sandbox)
    );
    assert_eq!(post(&sandbox, "/oauth/token", &form).status(), 200);
}

#[test]
fn a_malformed_token_request_gets_an_error_and_leaves_the_code_valid() {
    let sandbox = Sandbox::start().unwrap();
    let form = raw::exchange_form(&sandbox);
    let repeated = post(&sandbox, "/oauth/token", &format!("{form}&code=x"));
    assert_eq!(repeated.json()["error"]["name"], "invalid_request");
    let json = "Content-Type: application/json\r\n";
    let wrong_type = send(&sandbox, "POST /oauth/token", json, &form);
    assert_eq!(wrong_type.json()["error"]["name"], "invalid_request");
    let wrong_method = send(&sandbox, &format!("GET /oauth/token?{form}"), "", "");
    assert_eq!(wrong_method.status(), 405);
    assert_eq!(wrong_method.header("allow").as_deref(), Some("POST"));
    assert_eq!(sandbox.ledger().exchanges, 0);
    assert_eq!(post(&sandbox, "/oauth/token", &form).status(), 200, "the code is still good");
}

#[test]
fn pages_of_other_origins_may_read_answers() {
    let sandbox = Sandbox::start().unwrap();
    let asked = "Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n\
                 Access-Control-Request-Headers: authorization\r\n";
    let preflight = send(&sandbox, "OPTIONS /v2/user/profile", asked, "");
    assert_eq!(preflight.status(), 204);
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(preflight.header("access-control-allow-origin").as_deref(), Some("*"));
    let answer = exchange(&sandbox);
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("*"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("Date"));
}

#[test]
fn the_ledger_shows_names_of_parameters_and_never_their_values() {
    let sandbox = Sandbox::start().unwrap();
    let form = raw::exchange_form(&sandbox);
    send(&sandbox, "POST /oauth/token?q=1", &format!("{FORM}User-Agent: test/1\r\n"), &form);
    let ledger = sandbox.ledger();
    let seen = ledger.requests.last().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/oauth/token"));
    assert_eq!(seen.query_parameters, ["q"]);
    assert_eq!(seen.form_parameters, ["grant_type", "redirect_uri", "code", "client_id", "client_secret"]);
    assert_eq!(seen.headers, ["host", "connection", "content-type", "user-agent", "content-length"]);
    assert_eq!(seen.user_agent.as_deref(), Some("test/1"));
    assert_eq!(seen.content_type.as_deref(), Some("application/x-www-form-urlencoded"));
    assert_eq!((seen.status, seen.fault), (Some(200), None));

    let printed = format!("{sandbox:?} {ledger:?} {}", ledger.to_json());
    for secret in form.split(['=', '&']).filter(|part| part.len() == 40) {
        let is_public = secret == sandbox.client_id();
        assert!(is_public || !printed.contains(secret), "{printed}");
    }
}

#[test]
fn a_connection_serves_several_requests() {
    use std::io::Write as _;
    let sandbox = Sandbox::start().unwrap();
    let mut stream = raw::connect(&sandbox);
    let get = format!("GET /v2/user/profile HTTP/1.1\r\nHost: {}\r\n\r\n", raw::authority(&sandbox));
    let last = raw::request(&sandbox, "GET /v2/user/profile", "", "");
    stream.write_all(format!("{get}{get}{last}").as_bytes()).unwrap();
    let reply = raw::read(&stream, Duration::from_secs(5));
    assert_eq!(reply.text().matches("HTTP/1.1 401").count(), 3);
    assert_eq!(sandbox.ledger().connections, 1);
}

#[test]
fn a_connection_closes_after_one_request_if_so_configured() {
    use std::io::Write as _;
    let sandbox = Sandbox::builder().one_request_per_connection().start().unwrap();
    let mut stream = raw::connect(&sandbox);
    let get = format!("GET /v2/user/profile HTTP/1.1\r\nHost: {}\r\n\r\n", raw::authority(&sandbox));
    stream.write_all(get.as_bytes()).unwrap();
    let reply = raw::read(&stream, Duration::from_secs(5));
    assert_eq!((reply.status(), reply.header("connection").as_deref()), (401, Some("close")));
    assert_eq!(reply.ended, raw::Ended::Closed);
}

#[test]
fn the_answer_to_a_head_request_has_no_body() {
    use std::io::Write as _;
    let sandbox = Sandbox::start().unwrap();
    let mut stream = raw::connect(&sandbox);
    let head = format!("HEAD /login HTTP/1.1\r\nHost: {}\r\n\r\n", raw::authority(&sandbox));
    let last = raw::request(&sandbox, "GET /v2/user/profile", "", "");
    stream.write_all(format!("{head}{last}").as_bytes()).unwrap();
    let reply = raw::read(&stream, Duration::from_secs(5));
    assert_eq!(reply.status(), 405);
    assert!(reply.body().starts_with("HTTP/1.1 401"));
}

#[test]
fn a_body_over_the_limit_gets_an_error_before_it_is_read() {
    use std::io::Write as _;
    let sandbox = Sandbox::start().unwrap();
    let mut stream = raw::connect(&sandbox);
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: {}\r\n{FORM}Content-Length: 1048577\r\n\r\n",
        raw::authority(&sandbox)
    );
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(raw::read(&stream, Duration::from_secs(5)).status(), 413);
}

#[test]
fn an_address_that_other_machines_reach_must_be_allowed() {
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let refused = Sandbox::builder().address(everywhere).start();
    assert!(matches!(refused, Err(StartError::NotLoopback(_))));
    let allowed = Sandbox::builder().address(everywhere).allow_non_loopback().start().unwrap();
    assert!(allowed.base_url().starts_with("http://127.0.0.1:"), "a client can connect to the address");
    assert_eq!(exchange(&allowed).status(), 200);
}

#[test]
fn an_invalid_setting_is_an_error_at_the_start() {
    for builder in [
        Sandbox::builder().client_id(""),
        Sandbox::builder().client_secret("t\u{e4}st"),
        Sandbox::builder().redirect_uri("/callback"),
        Sandbox::builder().redirect_uri("http://127.0.0.1/#fragment"),
        Sandbox::builder().scopes(["two words"]),
        Sandbox::builder().token_prefix("two words"),
        Sandbox::builder().token_prefix("x".repeat(21)),
    ] {
        assert!(matches!(builder.start(), Err(StartError::Setting(_))));
    }
}

#[test]
fn dropping_the_sandbox_closes_its_port_and_its_connections() {
    let sandbox = Sandbox::start().unwrap();
    let idle = raw::connect(&sandbox);
    let address = raw::authority(&sandbox).to_owned();
    assert!(sandbox.wait_until(Duration::from_secs(5), |ledger| ledger.connections == 1));
    drop(sandbox);
    assert!(std::net::TcpStream::connect(address).is_err());
    assert_eq!(raw::read(&idle, Duration::from_secs(5)).ended, raw::Ended::Closed);
}

#[test]
fn the_ready_line_is_one_line_of_json() {
    let sandbox = Sandbox::builder().redirect_uri("http://127.0.0.1:1/\"a").start();
    let sandbox = sandbox.unwrap();
    let line = sandbox.ready_line();
    assert!(!line.contains('\n'));
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["base_url"], sandbox.base_url());
    assert_eq!(value["client_id"], sandbox.client_id());
    assert_eq!(value["client_secret"], sandbox.client_secret().unwrap());
    assert_eq!(value["redirect_uris"], serde_json::json!(["http://127.0.0.1:1/\"a"]));
    assert!(credentials(&sandbox).contains(sandbox.client_id()));
}
