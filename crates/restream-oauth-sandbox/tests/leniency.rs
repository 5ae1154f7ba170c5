//! What real clients send although specifications do not ask for it: accepted, and noted in the ledger.

mod raw;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use raw::{FORM, credentials, exchange_form, login_path, pair, post, send};
use restream_oauth_sandbox::rules::{BasicCredentials, Rules};
use restream_oauth_sandbox::{BasicEncoding, ClientAuthentication, Oddity, Sandbox, SeenRequest};

fn last(sandbox: &Sandbox) -> SeenRequest {
    sandbox.ledger().requests.pop().unwrap()
}

/// Exchanges a new code with these Basic credentials and returns the status.
fn exchange_with_basic(sandbox: &Sandbox, decoded: &str) -> u16 {
    let header = format!("{FORM}Authorization: Basic {}\r\n", STANDARD.encode(decoded));
    let form = format!(
        "grant_type=authorization_code&redirect_uri=http://127.0.0.1:8976/callback&code={}",
        raw::code_for(sandbox, "an%20id")
    );
    send(sandbox, "POST /oauth/token", &header, &form).status()
}

#[test]
fn basic_credentials_are_read_as_the_rule_says_and_the_ledger_names_their_encoding() {
    let sandbox = Sandbox::builder().client_id("an id").client_secret("p:s+&").start().unwrap();
    for (sent, encoding, raw, decoded) in [
        ("an id:p:s+&", BasicEncoding::Raw, 200, 401),
        ("an+id:p%3As%2B%26", BasicEncoding::Form, 401, 200),
        ("an%20id:p%3As%2B%26", BasicEncoding::Percent, 401, 200),
        ("an id:p%3As+&", BasicEncoding::ColonEscaped, 401, 401),
    ] {
        for (reading, status) in
            [(BasicCredentials::Either, 200), (BasicCredentials::Raw, raw), (BasicCredentials::Decoded, decoded)]
        {
            let mut rules = Rules::default();
            rules.basic = reading;
            sandbox.set_rules(rules);
            assert_eq!(exchange_with_basic(&sandbox, sent), status, "{sent}, {reading:?}");
            assert_eq!(last(&sandbox).basic_encoding, Some(encoding), "{sent}");
        }
    }
    assert_eq!(exchange_with_basic(&sandbox, "an id:wrong"), 401);
    assert_eq!(last(&sandbox).basic_encoding, None);
}

#[test]
fn a_secret_in_header_and_form_is_noted_and_an_id_beside_the_header_is_not() {
    let sandbox = Sandbox::start().unwrap();
    let (id, secret) = (sandbox.client_id(), sandbox.client_secret().unwrap());
    let header = format!("{FORM}Authorization: Basic {}\r\n", STANDARD.encode(format!("{id}:{secret}")));
    let form = exchange_form(&sandbox);
    let without_secret = form.split_once("&client_secret").unwrap().0;
    assert_eq!(send(&sandbox, "POST /oauth/token", &header, without_secret).status(), 200);
    assert_eq!(last(&sandbox).oddities, []);
    assert_eq!(last(&sandbox).basic_encoding, Some(BasicEncoding::Plain));

    assert_eq!(send(&sandbox, "POST /oauth/token", &header, &exchange_form(&sandbox)).status(), 200);
    assert_eq!(last(&sandbox).oddities, [Oddity::SecretInHeaderAndForm]);
    assert_eq!(last(&sandbox).client_authentication, ClientAuthentication::Both);
}

#[test]
fn odd_forms_are_accepted_and_noted() {
    let sandbox = Sandbox::start().unwrap();
    for (extra, oddities) in [
        ("", &[][..]),
        ("&scope", &[Oddity::ParameterWithoutEqualsSign]),
        ("&scope=", &[]),
        ("&scope=profile.read%20chat.read", &[]),
        ("&scope=profile.read+chat.read", &[]),
        ("&scope=profile.read chat.read", &[Oddity::UnescapedSpace]),
        ("&scope=+profile.read++chat.read", &[]),
        ("&audience=x", &[Oddity::UnknownParameter]),
        ("&redirect_uri=http://127.0.0.1:8976/callback", &[Oddity::RedirectUriInRefresh]),
        ("&scope=offline_access", &[Oddity::ScopeNotGranted]),
        ("&", &[]),
    ] {
        let (_, refresh_token) = pair(&sandbox);
        let form = format!("grant_type=refresh_token&refresh_token={refresh_token}{}{extra}", credentials(&sandbox));
        let status = post(&sandbox, "/oauth/token", &form).status();
        assert_eq!((status, &last(&sandbox).oddities[..]), (200, oddities), "{extra}");
    }
}

#[test]
fn a_content_type_may_have_a_charset() {
    let sandbox = Sandbox::start().unwrap();
    for content_type in ["application/x-www-form-urlencoded;charset=UTF-8", "Application/X-WWW-Form-URLEncoded ; a=b"] {
        let headers = format!("Content-Type: {content_type}\r\n");
        assert_eq!(send(&sandbox, "POST /oauth/token", &headers, &exchange_form(&sandbox)).status(), 200);
        assert_eq!(last(&sandbox).oddities, []);
    }
}

#[test]
fn a_host_without_its_port_is_accepted_and_noted() {
    use std::io::Write as _;
    let sandbox = Sandbox::start().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let request = raw::request(&sandbox, "POST /oauth/token", FORM, &exchange_form(&sandbox));
        let request = request.replacen(&format!("Host: {}", raw::authority(&sandbox)), &format!("Host: {host}"), 1);
        let mut stream = raw::connect(&sandbox);
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(raw::read(&stream, std::time::Duration::from_secs(5)).status(), 200, "{host}");
        assert_eq!(last(&sandbox).oddities, [Oddity::HostWithoutPort], "{host}");
    }
}

#[test]
fn an_authorization_request_without_state_is_accepted_and_noted() {
    let sandbox = Sandbox::start().unwrap();
    let path = login_path(&sandbox);
    assert_eq!(send(&sandbox, &format!("GET {path}"), "", "").status(), 200);
    assert_eq!(last(&sandbox).oddities, []);
    let path = path.replace("&state=xyz", "");
    assert_eq!(send(&sandbox, &format!("GET {path}"), "", "").status(), 200);
    assert_eq!(last(&sandbox).oddities, [Oddity::NoState]);
    let callback = sandbox.approve(&format!("{}{path}", sandbox.base_url())).unwrap();
    assert!(!callback.contains("state"), "{callback}");
}

#[test]
fn a_redirect_uri_that_is_registered_in_both_forms_is_not_odd() {
    let uris = ["http://localhost:8976", "http://localhost:8976/"];
    let sandbox = Sandbox::builder().redirect_uri(uris[0]).redirect_uri(uris[1]).start().unwrap();
    for uri in uris {
        let id = sandbox.client_id();
        let path = format!("/login?response_type=code&client_id={id}&redirect_uri={uri}&state=xyz");
        assert_eq!(send(&sandbox, &format!("GET {path}"), "", "").status(), 200);
        assert_eq!(last(&sandbox).oddities, [], "{uri}");
    }
}

#[test]
fn the_missing_slash_of_an_empty_path_is_accepted_in_a_redirect_uri() {
    for (registered, sent) in
        [("http://localhost:8976", "http://localhost:8976/"), ("http://localhost:8976/", "http://localhost:8976")]
    {
        let sandbox = Sandbox::builder().redirect_uri(registered).start().unwrap();
        for uri in [registered, sent] {
            let (id, base_url) = (sandbox.client_id(), sandbox.base_url());
            let path = format!("/login?response_type=code&client_id={id}&redirect_uri={uri}&state=xyz");
            let callback = sandbox.approve(&format!("{base_url}{path}")).unwrap();
            let code = callback.strip_prefix(&format!("{uri}?code=")).unwrap().split('&').next().unwrap();
            send(&sandbox, &format!("GET {path}"), "", "");
            assert_eq!(last(&sandbox).oddities.contains(&Oddity::EmptyPathOfRedirectUri), uri != registered, "{uri}");
            let form = format!("grant_type=authorization_code&code={code}&redirect_uri={uri}{}", credentials(&sandbox));
            assert_eq!(post(&sandbox, "/oauth/token", &form).status(), 200, "{registered} {uri}");
        }
        let (id, base_url) = (sandbox.client_id(), sandbox.base_url());
        for other in ["http://localhost:8977", "http://localhost:8976/?", "http://localhost:8976//", "http://localhost"]
        {
            let url = format!("{base_url}/login?response_type=code&client_id={id}&redirect_uri={other}&state=xyz");
            assert!(sandbox.approve(&url).is_err(), "{other}");
        }
    }
}
