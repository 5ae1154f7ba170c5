//! Through a real proxy: it takes `CONNECT`, connects to the sandbox, and relays. The environment belongs to a process, so
//! each call is made by a process of its own.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, io, thread};

use restream_oauth_core::{Client, Endpoints, RefreshToken};
use restream_oauth_hyper::rustls::pki_types::CertificateDer;
use restream_oauth_hyper::rustls::pki_types::pem::PemObject as _;
use restream_oauth_hyper::{Limits, Transport};
use restream_oauth_sandbox::{Certificate, Sandbox};

const VARIABLES: [&str; 8] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"];
/// For which the sandbox has a certificate, and which no resolver knows.
const NAME: &str = "wrong.host.example";
const REFUSED: &str = "kind Refused(InvalidGrant), delivery Refused";
const NO_CONNECTION: &str = "kind Transport(Connect), delivery NotSent";

#[test]
fn a_call_goes_through_the_tunnel_and_tls_is_with_the_server_itself() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(Does::Tunnel));
        let told = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &[(variable, &proxy.url(""))]);
        assert!(told.contains(REFUSED), "{variable}: {told}");
        let port = port(&sandbox);
        let connect = format!("CONNECT {NAME}:{port} HTTP/1.1\r\nHost: {NAME}:{port}\r\n\r\n");
        assert_eq!(proxy.heads(), [connect], "{variable}");
        assert_eq!(sandbox.ledger().requests_to("/oauth/token").count(), 1, "{variable}");
    }
}

#[test]
fn a_certificate_for_another_name_is_refused_through_a_tunnel_as_well() {
    let (sandbox, proxy) = (named_sandbox(), Proxy::start(Does::Tunnel));
    let told =
        refresh_of_a_dead_token(&base_url("other.example", &sandbox), &sandbox, &[("HTTPS_PROXY", &proxy.url(""))]);
    assert!(told.contains("kind Transport(Tls), delivery NotSent"), "{told}");
    assert_eq!((proxy.heads().len(), sandbox.ledger().requests.len()), (1, 0));
}

#[test]
fn credentials_are_sent_to_the_proxy_and_printed_nowhere() {
    // "user:pa55+word" as Basic credentials (RFC 7617).
    const BASIC: &str = "dXNlcjpwYTU1K3dvcmQ=";
    for (does, outcome) in [(Does::Tunnel, REFUSED), (Does::Answer("407 Proxy Authentication Required"), NO_CONNECTION)]
    {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(does));
        let url = proxy.url("user:pa55%2Bword@");
        let told = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &[("HTTPS_PROXY", &url)]);
        assert!(told.contains(outcome), "{told}");
        assert!(
            proxy.heads()[0].contains(&format!("\r\nProxy-Authorization: Basic {BASIC}\r\n")),
            "{:?}",
            proxy.heads()
        );
        assert!(!told.contains("pa55") && !told.contains(BASIC), "{told}");
    }
}

#[test]
fn without_a_tunnel_nothing_is_sent_and_the_reason_is_told() {
    for (does, outcome, reason) in [
        (Does::Answer("407 Proxy Authentication Required"), NO_CONNECTION, "proxy authorization required"),
        (Does::Answer("502 Bad Gateway"), NO_CONNECTION, "unsuccessful"),
        (Does::Close, NO_CONNECTION, "unexpected end of file"),
        (Does::Nothing, "kind Transport(Timeout), delivery NotSent", ""),
        (Does::NotListen, NO_CONNECTION, "refused"),
    ] {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(does));
        let told = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &[("HTTPS_PROXY", &proxy.url(""))]);
        assert!(told.contains(outcome) && told.contains(reason), "{does:?}: {told}");
        let names_the_proxy = told.contains(&format!("the proxy {} opened no tunnel", proxy.address));
        assert_eq!(names_the_proxy, !reason.is_empty(), "{does:?}: {told}");
        assert_eq!(sandbox.ledger().connections, 0, "{does:?}");
    }
}

/// A name that does not resolve (RFC 6761 §6.4): without the proxy there is no way to it.
#[test]
fn exceptions_are_reached_directly() {
    for (variable, exceptions) in [
        ("NO_PROXY", "nowhere.invalid"),
        ("no_proxy", "nowhere.invalid"),
        ("NO_PROXY", "other.example, .invalid"),
        ("NO_PROXY", "*"),
    ] {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(Does::Tunnel));
        let variables = [("HTTPS_PROXY", proxy.url("")), (variable, exceptions.to_owned())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let told = refresh_of_a_dead_token(&base_url("nowhere.invalid", &sandbox), &sandbox, &variables);
        assert!(told.contains(NO_CONNECTION) && !told.contains("tunnel"), "{told}");
        assert_eq!(proxy.connections(), 0, "{variable}={exceptions}");
    }
}

#[test]
fn other_exceptions_change_nothing() {
    let (sandbox, proxy) = (named_sandbox(), Proxy::start(Does::Tunnel));
    let variables = [("HTTPS_PROXY", proxy.url("")), ("NO_PROXY", "example.org,st.example,10.0.0.0/8".to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let told = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &variables);
    assert!(told.contains(REFUSED), "{told}");
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn loopback_is_reached_directly() {
    for (tls, host) in [(true, "127.0.0.1"), (true, "localhost"), (false, "127.0.0.1")] {
        let builder = Sandbox::builder().client_id("id").client_secret("s");
        let sandbox = if tls { builder.tls(Certificate::Good) } else { builder }.start().unwrap();
        let proxy = Proxy::start(Does::Tunnel);
        let url = proxy.url("");
        let base_url = format!("{}://{host}:{}", if tls { "https" } else { "http" }, port(&sandbox));
        let told = refresh_of_a_dead_token(
            &base_url,
            &sandbox,
            &[("HTTPS_PROXY", &url), ("ALL_PROXY", &url), ("http_proxy", &url)],
        );
        assert!(told.contains(REFUSED), "{base_url}: {told}");
        assert_eq!(proxy.connections(), 0, "{base_url}");
    }
}

#[test]
fn upper_case_goes_first_and_an_empty_value_is_none() {
    let nobody = "http://127.0.0.1:1";
    for [first, second] in [["HTTPS_PROXY", "https_proxy"], ["https_proxy", "ALL_PROXY"], ["ALL_PROXY", "all_proxy"]] {
        let (sandbox, proxy) = (named_sandbox(), Proxy::start(Does::Tunnel));
        let url = proxy.url("");
        for values in [[(first, url.as_str()), (second, nobody)], [(first, ""), (second, &url)]] {
            let told = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &values);
            assert!(told.contains(REFUSED), "{values:?}: {told}");
        }
    }
}

#[test]
fn no_proxy_is_used_unless_it_is_switched_on() {
    let (sandbox, proxy) = (named_sandbox(), Proxy::start(Does::Tunnel));
    let url = proxy.url("");
    let variables: Vec<_> = VARIABLES[..6].iter().map(|name| (*name, url.as_str())).chain([(OFF, "1")]).collect();
    let told = refresh_of_a_dead_token(&base_url("nowhere.invalid", &sandbox), &sandbox, &variables);
    assert!(told.contains(NO_CONNECTION) && !told.contains("tunnel"), "{told}");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_when_built_and_its_value_is_not_told() {
    let sandbox = named_sandbox();
    for value in [
        "socks5://user:pa55@10.0.0.1:1080",
        "https://user:pa55@10.0.0.1",
        "http://user:pa55@",
        "pa55 word",
        "ftp://pa55",
    ] {
        for variable in ["HTTPS_PROXY", "all_proxy"] {
            let told = refresh_of_a_dead_token(&base_url(NAME, &sandbox), &sandbox, &[(variable, value)]);
            assert!(told.contains(&format!("not built: the proxy in {variable} cannot be used")), "{value}: {told}");
            assert!(!told.contains("pa55"), "{value}: {told}");
        }
    }
}

const BASE_URL: &str = "PROXY_TEST_BASE_URL";
const ROOT: &str = "PROXY_TEST_ROOT";
const OFF: &str = "PROXY_TEST_OFF";

/// What came of a refresh in another process, and all that it could print of it.
fn refresh_of_a_dead_token(base_url: &str, sandbox: &Sandbox, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "proxy::refreshes_a_dead_token_as_its_environment_says", "--ignored", "--nocapture"]);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.env(BASE_URL, base_url).env(ROOT, sandbox.ca_certificate_pem().unwrap_or_default());
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("told: "), "{told}");
    told
}

/// What the tests above run in a process of its own.
#[tokio::test]
#[ignore = "part of the other tests here"]
async fn refreshes_a_dead_token_as_its_environment_says() {
    let root = env::var(ROOT).unwrap();
    let roots = CertificateDer::pem_slice_iter(root.as_bytes()).map(Result::unwrap);
    let limits = Limits::default().connect(Duration::from_secs(2)).total(Duration::from_secs(5));
    let mut builder = Transport::builder().limits(limits).root_certificates(roots);
    if env::var_os(OFF).is_none() {
        builder = builder.proxy_from_environment();
    }
    let transport = match builder.build() {
        Ok(transport) => transport,
        Err(error) => return println!("told: not built: {error} {error:?}"),
    };
    let client = Client::builder("id").secret("s").redirect_uri("http://127.0.0.1:8976/callback");
    let client = client.endpoints(Endpoints::at(&env::var(BASE_URL).unwrap())).build().unwrap();
    let error = transport.send(client.refresh(&RefreshToken::new("dead"))).await.unwrap_err();
    let mut told = format!("kind {:?}, delivery {:?}: {error} {error:?} {error:#?}", error.kind(), error.delivery());
    let mut source = error.source();
    while let Some(cause) = source {
        write!(told, " <- {cause} {cause:?} {cause:#?}").unwrap();
        source = cause.source();
    }
    println!("told: {told} {transport:?} {transport:#?}");
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

#[derive(Clone, Copy, Debug)]
enum Does {
    /// Opens the tunnel, to this machine whatever the name.
    Tunnel,
    /// Answers with this status.
    Answer(&'static str),
    /// Closes in place of an answer.
    Close,
    /// Keeps the connection open and says nothing.
    Nothing,
    /// Is not there.
    NotListen,
}

struct Proxy {
    address: SocketAddr,
    /// What came of each connection before it was answered.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(does: Does) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let seen = Arc::clone(&heads);
        if !matches!(does, Does::NotListen) {
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let seen = Arc::clone(&seen);
                    thread::spawn(move || serve(stream.unwrap(), does, &seen));
                }
            });
        }
        Self { address, heads }
    }

    fn url(&self, credentials: &str) -> String {
        format!("http://{credentials}{}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

fn serve(mut client: TcpStream, does: Does, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.clone());
    match does {
        Does::Tunnel => {
            let port = head.split(' ').nth(1).unwrap().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(std::net::Shutdown::Write);
            });
            let _ = io::copy(&mut server, &mut client);
            let _ = client.shutdown(std::net::Shutdown::Write);
        }
        Does::Answer(status) => {
            client.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        }
        // Until the client closes.
        Does::Nothing => drop(client.read(&mut [0])),
        Does::Close | Does::NotListen => {}
    }
}
