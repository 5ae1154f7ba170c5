//! The servers for the table's runs in Node and in browsers: sandboxes with remote control.
//!
//!     servers FOLDER
//!
//! Writes the certificate authority of each https sandbox to `FOLDER/*.pem`. Prints the addresses with which a run is
//! compiled, one `NAME=value` a line and an empty line at the end. Serves until its standard input ends.
//!
//! Each line on standard input ends a run. The example then checks the ledgers of the servers with wrong certificates:
//! the run cannot do it, because it cannot reach the remote control of a server whose certificate it refuses. Prints
//! `refused` if each of these servers had a connection and no request; fails otherwise.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    native::run()
}

/// All examples are built for wasm32 together with the tests. This one does nothing there.
#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::error::Error;
    use std::io::{self, Write as _};
    use std::net::{Ipv4Addr, SocketAddr};
    use std::path::{Path, PathBuf};

    use restream_oauth_sandbox::{Builder, Certificate, Sandbox};
    use socket2::{Domain, Socket, Type};

    /// The number of scenarios that a run tries at a time.
    const LANES: usize = 6;

    const WRONG: [(&str, Certificate); 3] = [
        ("SELF_SIGNED", Certificate::SelfSigned),
        ("EXPIRED", Certificate::Expired),
        ("WRONG_HOST", Certificate::WrongHost),
    ];

    pub(super) fn run() -> Result<(), Box<dyn Error>> {
        let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: servers FOLDER")?);
        std::fs::create_dir_all(&folder)?;
        let lanes = (0..LANES).map(|_| builder().start()).collect::<Result<Vec<_>, _>>()?;
        let good = over_tls(&folder, "GOOD", Certificate::Good)?;
        let wrong = WRONG.map(|(name, certificate)| (name, over_tls(&folder, name, certificate)));
        // This socket is bound and does not listen: it refuses connections, and no other program gets its port.
        let nobody = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        nobody.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let port = nobody.local_addr()?.as_socket().map_or(0, |address| address.port());

        let base_urls: Vec<_> = lanes.iter().map(Sandbox::base_url).collect();
        println!("CONFORMANCE_HTTP={}", base_urls.join(" "));
        println!("CONFORMANCE_GOOD={}", good.base_url());
        let mut refused = Vec::new();
        for (name, sandbox) in wrong {
            let sandbox = sandbox?;
            println!("CONFORMANCE_{name}={}", sandbox.base_url());
            refused.push((name, sandbox));
        }
        println!("CONFORMANCE_NOBODY=http://127.0.0.1:{port}\n");
        io::stdout().flush()?;

        for run in io::stdin().lines() {
            let run = run?;
            for (name, sandbox) in &refused {
                let ledger = sandbox.ledger();
                if ledger.connections == 0 || !ledger.requests.is_empty() {
                    return Err(
                        format!("{name}: {run} accepted the certificate, or did not connect: {ledger:?}").into()
                    );
                }
                sandbox.reset();
            }
            println!("refused");
        }
        Ok(())
    }

    /// One request per connection: the call under test must not use a connection of the remote control or of a
    /// preflight.
    fn builder() -> Builder {
        Sandbox::builder().client_id("conformance").client_secret("s3cret").one_request_per_connection()
    }

    fn over_tls(folder: &Path, name: &str, certificate: Certificate) -> Result<Sandbox, Box<dyn Error>> {
        let sandbox = builder().tls(certificate).start()?;
        std::fs::write(folder.join(name).with_extension("pem"), sandbox.ca_certificate_pem().unwrap_or_default())?;
        Ok(sandbox)
    }
}
