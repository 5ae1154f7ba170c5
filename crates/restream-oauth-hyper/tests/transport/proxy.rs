//! Calls through a real proxy, which accepts `CONNECT` and relays to the sandbox. All threads of a process share its
//! environment, so each call runs in a process of its own.

use std::env;
use std::error::Error as _;
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use restream_oauth_core::{Client, Endpoints, RefreshToken};
use restream_oauth_hyper::rustls::pki_types::CertificateDer;
use restream_oauth_hyper::rustls::pki_types::pem::PemObject as _;
use restream_oauth_hyper::{Limits, Transport};
use restream_oauth_sandbox::{Certificate, Sandbox};

use crate::proxy_server::{Behaviour, Proxy};

const VARIABLES: [&str; 8] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"];
/// The sandbox has a certificate for this name, and no resolver knows it.
const NAME: &str = "wrong.host.example";
const REFUSED: &str = "kind Refused(InvalidGrant), delivery Refused";
const NO_CONNECTION: &str = "kind Transport(Connect), delivery NotSent";

#[test]
fn a_call_goes_through_the_tunnel_and_tls_is_with_the_server_itself() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(Behaviour::Tunnel));
        let printed = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &[(variable, &proxy.url(""))]);
        assert!(printed.contains(REFUSED), "{variable}: {printed}");
        let port = port(&sandbox);
        let connect = format!("CONNECT {NAME}:{port} HTTP/1.1\r\nHost: {NAME}:{port}\r\n\r\n");
        assert_eq!(proxy.heads(), [connect], "{variable}");
        assert_eq!(sandbox.ledger().requests_to("/oauth/token").count(), 1, "{variable}");
    }
}

#[test]
fn a_certificate_for_another_name_is_refused_through_a_tunnel_as_well() {
    let (sandbox, proxy) = (named_sandbox(), Proxy::start(Behaviour::Tunnel));
    let printed =
        refresh_of_a_dead_token(&base_url("other.example", &sandbox), &sandbox, &[("HTTPS_PROXY", &proxy.url(""))]);
    assert!(printed.contains("kind Transport(Tls), delivery NotSent"), "{printed}");
    assert_eq!((proxy.heads().len(), sandbox.ledger().requests.len()), (1, 0));
}

#[test]
fn the_proxy_gets_its_credentials_and_nothing_prints_them() {
    // "user:pa55+word" as Basic credentials (RFC 7617).
    const BASIC: &str = "dXNlcjpwYTU1K3dvcmQ=";
    for (behaviour, outcome) in
        [(Behaviour::Tunnel, REFUSED), (Behaviour::Answer("407 Proxy Authentication Required"), NO_CONNECTION)]
    {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(behaviour));
        let url = proxy.url("user:pa55%2Bword@");
        let printed = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &[("HTTPS_PROXY", &url)]);
        assert!(printed.contains(outcome), "{printed}");
        assert!(
            proxy.heads()[0].contains(&format!("\r\nProxy-Authorization: Basic {BASIC}\r\n")),
            "{:?}",
            proxy.heads()
        );
        assert!(!printed.contains("pa55") && !printed.contains(BASIC), "{printed}");
    }
}

#[test]
fn without_a_tunnel_nothing_is_sent_and_the_error_has_the_reason() {
    for (behaviour, outcome, reason) in [
        (Behaviour::Answer("407 Proxy Authentication Required"), NO_CONNECTION, "proxy authorization required"),
        (Behaviour::Answer("502 Bad Gateway"), NO_CONNECTION, "unsuccessful"),
        (Behaviour::Close, NO_CONNECTION, "unexpected end of file"),
        (Behaviour::Nothing, "kind Transport(Timeout), delivery NotSent", ""),
        (Behaviour::NotListen, NO_CONNECTION, "refused"),
    ] {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(behaviour));
        let printed = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &[("HTTPS_PROXY", &proxy.url(""))]);
        assert!(printed.contains(outcome) && printed.contains(reason), "{behaviour:?}: {printed}");
        let names_the_proxy = printed.contains(&format!("the proxy {} opened no tunnel", proxy.address));
        assert_eq!(names_the_proxy, !reason.is_empty(), "{behaviour:?}: {printed}");
        assert_eq!(sandbox.ledger().connections, 0, "{behaviour:?}");
    }
}

/// The name does not resolve (RFC 6761 §6.4), so a direct connection fails.
#[test]
fn servers_in_no_proxy_are_connected_to_directly() {
    for (variable, exceptions) in [
        ("NO_PROXY", "nowhere.invalid"),
        ("no_proxy", "nowhere.invalid"),
        ("NO_PROXY", "other.example, .invalid"),
        ("NO_PROXY", "*"),
    ] {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(Behaviour::Tunnel));
        let variables = [("HTTPS_PROXY", proxy.url("")), (variable, exceptions.to_owned())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let printed = refresh_of_a_dead_token(&base_url("nowhere.invalid", &sandbox), &sandbox, &variables);
        assert!(printed.contains(NO_CONNECTION) && !printed.contains("tunnel"), "{printed}");
        assert_eq!(proxy.connections(), 0, "{variable}={exceptions}");
    }
}

#[test]
fn exceptions_for_other_servers_change_nothing() {
    let (sandbox, proxy) = (named_sandbox(), Proxy::start(Behaviour::Tunnel));
    let variables = [("HTTPS_PROXY", proxy.url("")), ("NO_PROXY", "example.org,st.example,10.0.0.0/8".to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let printed = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &variables);
    assert!(printed.contains(REFUSED), "{printed}");
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn loopback_is_connected_to_directly() {
    for (tls, host) in [(true, "127.0.0.1"), (true, "localhost"), (false, "127.0.0.1")] {
        let builder = Sandbox::builder().client_id("id").client_secret("s");
        let sandbox = if tls { builder.tls(Certificate::Good) } else { builder }.start().unwrap();
        let proxy = Proxy::start(Behaviour::Tunnel);
        let url = proxy.url("");
        let base_url = format!("{}://{host}:{}", if tls { "https" } else { "http" }, port(&sandbox));
        let printed = refresh_of_a_dead_token(
            &base_url,
            &sandbox,
            &[("HTTPS_PROXY", &url), ("ALL_PROXY", &url), ("http_proxy", &url)],
        );
        assert!(printed.contains(REFUSED), "{base_url}: {printed}");
        assert_eq!(proxy.connections(), 0, "{base_url}");
    }
}

#[test]
fn upper_case_has_precedence_and_an_empty_value_counts_as_unset() {
    let refuses_connections = "http://127.0.0.1:1";
    for [first, second] in [["HTTPS_PROXY", "https_proxy"], ["https_proxy", "ALL_PROXY"], ["ALL_PROXY", "all_proxy"]] {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(Behaviour::Tunnel));
        let url = proxy.url("");
        for values in [[(first, url.as_str()), (second, refuses_connections)], [(first, ""), (second, &url)]] {
            let printed = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &values);
            assert!(printed.contains(REFUSED), "{values:?}: {printed}");
        }
    }
}

#[test]
fn no_proxy_is_used_unless_it_is_switched_on() {
    let (sandbox, proxy) = (named_sandbox(), Proxy::start(Behaviour::Tunnel));
    let url = proxy.url("");
    let variables: Vec<_> = VARIABLES[..6].iter().map(|name| (*name, url.as_str())).chain([(OFF, "1")]).collect();
    let printed = refresh_of_a_dead_token(&base_url("nowhere.invalid", &sandbox), &sandbox, &variables);
    assert!(printed.contains(NO_CONNECTION) && !printed.contains("tunnel"), "{printed}");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn build_refuses_a_proxy_that_cannot_be_used_and_does_not_print_its_url() {
    let sandbox = named_sandbox();
    for value in [
        "socks5://user:pa55@10.0.0.1:1080",
        "https://user:pa55@10.0.0.1",
        "http://user:pa55@",
        "pa55 word",
        "ftp://pa55",
    ] {
        for variable in ["HTTPS_PROXY", "all_proxy"] {
            let printed = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &[(variable, value)]);
            assert!(
                printed.contains(&format!("not built: the proxy in {variable} cannot be used")),
                "{value}: {printed}"
            );
            assert!(!printed.contains("pa55"), "{value}: {printed}");
        }
    }
}

const BASE_URL: &str = "PROXY_TEST_BASE_URL";
const ROOT: &str = "PROXY_TEST_ROOT";
const OFF: &str = "PROXY_TEST_OFF";

/// Sends a refresh from another process, and returns everything that it can print of the outcome.
fn refresh_of_a_dead_token(base_url: &str, sandbox: &Sandbox, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([
        "--exact",
        "proxy::refreshes_a_dead_token_with_the_proxy_of_its_environment",
        "--ignored",
        "--nocapture",
    ]);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.env(BASE_URL, base_url).env(ROOT, sandbox.ca_certificate_pem().unwrap_or_default());
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && printed.contains("printed: "), "{printed}");
    printed
}

/// The other process of [`refresh_of_a_dead_token`].
#[tokio::test]
#[ignore = "the other tests of this file run it"]
async fn refreshes_a_dead_token_with_the_proxy_of_its_environment() {
    let root = env::var(ROOT).unwrap();
    let roots = CertificateDer::pem_slice_iter(root.as_bytes()).map(Result::unwrap);
    let limits = Limits::default().connect(Duration::from_secs(2)).total(Duration::from_secs(5));
    let mut builder = Transport::builder().limits(limits).root_certificates(roots);
    if env::var_os(OFF).is_none() {
        builder = builder.proxy_from_environment();
    }
    let transport = match builder.build() {
        Ok(transport) => transport,
        Err(error) => return println!("printed: not built: {error} {error:?}"),
    };
    let client = Client::builder("id").secret("s").redirect_uri("http://127.0.0.1:8976/callback");
    let client = client.endpoints(Endpoints::at(&env::var(BASE_URL).unwrap())).build().unwrap();
    let error = transport.send(client.refresh(&RefreshToken::new("dead"))).await.unwrap_err();
    let mut printed = format!("kind {:?}, delivery {:?}: {error} {error:?} {error:#?}", error.kind(), error.delivery());
    let mut source = error.source();
    while let Some(cause) = source {
        write!(printed, " <- {cause} {cause:?} {cause:#?}").unwrap();
        source = cause.source();
    }
    println!("printed: {printed} {transport:?} {transport:#?}");
}

fn named_sandbox() -> Sandbox {
    Sandbox::builder().client_id("id").client_secret("s").tls(Certificate::WrongHost).start().unwrap()
}

fn base_url(name: &str, sandbox: &Sandbox) -> String {
    format!("https://{name}:{}", port(sandbox))
}

fn port(sandbox: &Sandbox) -> u16 {
    sandbox.base_url().rsplit_once(':').unwrap().1.parse().unwrap()
}
