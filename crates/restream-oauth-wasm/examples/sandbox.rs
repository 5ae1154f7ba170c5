//! The other side of the test suites that run in Node and browsers: a sandbox with remote control.
//!
//! Prints the addresses that the suites want to know, one `NAME=value` a line, and serves until it is killed:
//!
//! - `RESTREAM_SANDBOX`: the sandbox;
//! - `RESTREAM_GONE`: an address at which nobody answers.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write as _;
    use std::net::{Ipv4Addr, SocketAddr};

    use socket2::{Domain, Socket, Type};

    let sandbox = restream_oauth_sandbox::Sandbox::builder()
        .client_id("wasm-suite")
        .client_secret("s3cret:+&%")
        .redirect_uri("https://app.example/callback")
        .start()?;
    // A port that is taken and does not listen: refused, and nobody else is given it.
    let gone = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    gone.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let port = gone.local_addr()?.as_socket().map_or(0, |address| address.port());

    println!("RESTREAM_SANDBOX={}", sandbox.base_url());
    println!("RESTREAM_GONE=http://127.0.0.1:{port}");
    std::io::stdout().flush()?;
    sandbox.wait();
    Ok(())
}

/// The suites are built for the web with all examples; this one is not for there.
#[cfg(target_arch = "wasm32")]
fn main() {}
