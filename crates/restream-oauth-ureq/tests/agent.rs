//! A transport over the caller's own agent, whose settings would each break a refresh.

mod sandboxed;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Client, Delivery, RefreshToken};
use restream_oauth_sandbox::{Fault, Sandbox, What};
use restream_oauth_ureq::{Limits, Transport, ureq};
use sandboxed::{client, tokens};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectionDetails, Connector, TcpConnector};
use ureq::{Agent, Proxy};

fn hostile() -> Agent {
    let refuses_connections = Proxy::new("http://127.0.0.1:9").unwrap();
    let instant = Some(Duration::from_nanos(1));
    Agent::config_builder()
        .http_status_as_error(true)
        .https_only(true)
        .max_redirects(10)
        .proxy(Some(refuses_connections))
        .user_agent("no\nheader")
        .accept("no\nheader")
        .accept_encoding("gzip")
        .max_response_header_size(1)
        .input_buffer_size(1)
        .output_buffer_size(1)
        .timeout_global(instant)
        .timeout_per_call(instant)
        .timeout_per_read(instant)
        .timeout_per_write(instant)
        .timeout_resolve(instant)
        .timeout_connect(instant)
        .timeout_send_request(instant)
        .timeout_send_body(instant)
        .timeout_recv_response(instant)
        .timeout_recv_body(instant)
        .build()
        .new_agent()
}

#[test]
fn settings_that_could_only_do_harm_are_overridden() {
    let sandbox = Sandbox::start().unwrap();
    let (client, transport) = (client(&sandbox), Transport::with_agent(hostile(), Limits::default()));
    let tokens = tokens(&sandbox, &transport);
    assert!(!sandbox.ledger().requests[0].headers.contains(&"accept-encoding".to_owned()));
    transport.send(client.profile(tokens.access_token()).unwrap()).unwrap();

    let error = transport.send(client.refresh(&RefreshToken::new("unknown"))).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Refused(_)), "{error}");

    sandbox.inject(Fault::new(What::redirect(307)));
    let error = transport.send(client.refresh(tokens.refresh_token().unwrap())).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Redirected(_)), "{error}");
    assert_eq!(sandbox.ledger().canary_hits, 0);
}

/// Connects as usual, and records the setting `no_delay`.
#[derive(Debug)]
struct Watching(Arc<AtomicBool>);

impl Connector for Watching {
    type Out = <TcpConnector as Connector>::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        self.0.store(details.config.no_delay(), Ordering::Relaxed);
        TcpConnector::default().connect(details, None)
    }
}

#[test]
fn a_call_sends_without_delay_whatever_the_agents_setting() {
    let sandbox = Sandbox::start().unwrap();
    let no_delay = Arc::new(AtomicBool::new(false));
    let config = Agent::config_builder().no_delay(false).build();
    let agent = Agent::with_parts(config, Watching(Arc::clone(&no_delay)), DefaultResolver::default());
    tokens(&sandbox, &Transport::with_agent(agent, Limits::default()));
    assert!(no_delay.load(Ordering::Relaxed));
}

#[test]
fn a_call_uses_no_connection_that_the_agent_kept_and_keeps_none() {
    let sandbox = Sandbox::start().unwrap();
    // The sizes include those that a call uses, so the agent is as similar to a call as possible.
    for size in [64 * 1024, 128 * 1024, 129 * 1024] {
        let like_ours = Agent::config_builder().proxy(None).user_agent("").input_buffer_size(size);
        let agent = like_ours.build().new_agent();
        let warm_up = || agent.get(format!("{}/_sandbox/config", sandbox.base_url())).call().unwrap();
        warm_up().body_mut().read_to_string().unwrap();
        let before = sandbox.ledger().connections;
        let transport = Transport::with_agent(agent.clone(), Limits::default());
        tokens(&sandbox, &transport);
        tokens(&sandbox, &transport);
        warm_up().body_mut().read_to_string().unwrap();
        assert_eq!(sandbox.ledger().connections - before, 2, "{size}: the agent's own connection is still good");
    }
}

#[test]
fn the_agents_proxy_is_used_off_loopback_and_learns_only_the_servers_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let seen = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").unwrap();
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    });

    let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build().unwrap();
    let agent = Agent::config_builder().proxy(Some(proxy)).user_agent("no\nheader").build().new_agent();
    let transport = Transport::with_agent(agent, Limits::default());
    let error = transport.send(client.refresh(&RefreshToken::new("r1"))).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Connect));
    assert_eq!(error.delivery(), Delivery::NotSent);

    let head = seen.join().unwrap();
    assert!(head.starts_with("connect api.restream.io:443 http/1.1\r\n"), "{head}");
    assert!(!head.contains("\r\nauthorization:") && !head.contains("user-agent"), "{head}");
}
