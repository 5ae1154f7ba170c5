//! A proxy from the environment is used for other machines, and never for this machine.

use restream_oauth_sandbox::{Certificate, Sandbox};

use crate::proxy_server::{Behaviour, Proxy};
use crate::support::{Outcome, Setup, sandbox};

/// A name that the certificate of the sandbox is for, and that does not resolve.
const NAME: &str = "wrong.host.example";

/// Returns a setup whose server seems to be another machine, and its base URL.
fn elsewhere(name: &str) -> (Setup, String) {
    let mut setup = Setup::new();
    setup.sandbox = sandbox().tls(Certificate::WrongHost).start().unwrap();
    std::fs::write(setup.folder.0.join("ca.pem"), setup.sandbox.ca_certificate_pem().unwrap()).unwrap();
    let base_url = format!("https://{name}:{}", port(&setup.sandbox));
    (setup, base_url)
}

fn port(sandbox: &Sandbox) -> &str {
    sandbox.base_url().rsplit_once(':').unwrap().1
}

/// Refreshes a token that the sandbox does not know.
#[track_caller]
fn refresh(setup: &Setup, more: &[&str], variables: &[(&str, &str)]) -> Outcome {
    std::fs::write(setup.folder.0.join("input"), "r0").unwrap();
    let input = std::fs::File::open(setup.folder.0.join("input")).unwrap();
    let mut command = setup.command(&[&["refresh", "--timeout", "10"], more].concat());
    let outcome = Outcome::of(command.envs(variables.iter().copied()).stdin(input).output().unwrap());
    assert!(!outcome.stderr.contains("pa55word"), "{}", outcome.stderr);
    outcome
}

/// openclaw #42176.
#[test]
fn another_machine_is_reached_through_the_proxy_of_the_environment() {
    for variable in ["HTTPS_PROXY", "ALL_PROXY", "https_proxy"] {
        let ((setup, base_url), proxy) = (elsewhere(NAME), Proxy::start(Behaviour::Tunnel));
        let arguments = ["--base-url", &base_url, "--ca-file", "ca.pem"];
        refresh(&setup, &arguments, &[(variable, &proxy.url("user:pa55word@"))]).expect(3);
        let heads = proxy.heads();
        assert_eq!(heads.len(), 1, "{variable}: {heads:?}");
        assert!(heads[0].starts_with(&format!("CONNECT {NAME}:{} HTTP/1.1\r\n", port(&setup.sandbox))), "{heads:?}");
        assert_eq!(setup.token_requests(), 1, "{variable}");
    }
}

/// openclaw #42176.
#[test]
fn this_machine_and_the_servers_in_no_proxy_are_reached_without_the_proxy() {
    let (setup, proxy) = (Setup::new(), Proxy::start(Behaviour::Tunnel));
    let url = proxy.url("user:pa55word@");
    let all = [("HTTPS_PROXY", url.as_str()), ("ALL_PROXY", &url), ("HTTP_PROXY", &url), ("http_proxy", &url)];
    refresh(&setup, &[], &all).expect(3);
    assert_eq!(setup.token_requests(), 1);

    // A name that never resolves (RFC 6761 §6.4) can be reached only through the proxy.
    let (setup, base_url) = elsewhere("nowhere.invalid");
    let variables = [("HTTPS_PROXY", url.as_str()), ("NO_PROXY", ".invalid")];
    refresh(&setup, &["--base-url", &base_url, "--ca-file", "ca.pem"], &variables).expect(4);
    assert!(proxy.heads().is_empty(), "{:?}", proxy.heads());
}

#[test]
fn an_unusable_proxy_is_an_error_that_names_its_variable() {
    let (setup, base_url) = elsewhere(NAME);
    for more in [&["--base-url", &base_url][..], &["--base-url", &base_url, "--ca-file", "ca.pem"]] {
        let outcome = refresh(&setup, more, &[("ALL_PROXY", "socks5://user:pa55word@127.0.0.1:1080")]).expect(2);
        assert!(outcome.stderr.contains("restream-oauth: the proxy in ALL_PROXY cannot be used"), "{}", outcome.stderr);
    }
    assert_eq!(setup.token_requests(), 0);
}
