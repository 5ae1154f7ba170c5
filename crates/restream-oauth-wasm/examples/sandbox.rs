//! The server of the test suites that run in JavaScript runtimes: a sandbox with remote control.
//!
//! Prints the addresses that the suites need, one `NAME=value` a line, and serves until it is killed:
//!
//! - `RESTREAM_SANDBOX`: the sandbox;
//! - `RESTREAM_GONE`: an address that refuses connections.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write as _;
    use std::net::{Ipv4Addr, SocketAddr};

    use restream_oauth_sandbox::Sandbox;
    use restream_oauth_sandbox::rules::{BasicCredentials, Rules};
    use socket2::{Domain, Socket, Type};

    // Every special character of the secret must arrive form-encoded (RFC 6749 §2.3.1).
    let mut rules = Rules::default();
    rules.basic = BasicCredentials::Decoded;
    let sandbox = Sandbox::builder()
        .rules(rules)
        .client_id("wasm-suite")
        .client_secret("s3cret:+&%")
        .redirect_uri("https://app.example/callback")
        .start()?;
    // This socket is bound and does not listen: it refuses connections, and no other program gets its port.
    let gone = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    gone.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let port = gone.local_addr()?.as_socket().map_or(0, |address| address.port());

    println!("RESTREAM_SANDBOX={}", sandbox.base_url());
    println!("RESTREAM_GONE=http://127.0.0.1:{port}");
    std::io::stdout().flush()?;
    sandbox.wait();
    Ok(())
}

/// All examples are built for wasm32 together with the suites. This one does nothing there.
#[cfg(target_arch = "wasm32")]
fn main() {}
