//! The servers of the table's run in Node and browsers: sandboxes with remote control.
//!
//!     servers FOLDER
//!
//! writes the certificate authority of each https sandbox to `FOLDER/*.pem`, prints the addresses that the run is compiled
//! with, one `NAME=value` a line and an empty line at the end, and serves until its standard input ends. A line there is the
//! end of a run: it looks into the ledgers that the run cannot see, since whoever refuses a certificate has no remote
//! control behind it, and says `refused`. It fails if a server whose certificate is wrong was not connected to in this run,
//! or has seen a request.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    native::run()
}

/// The run is built for the web with all examples; this one is not for there.
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

    /// As many scenarios are under way at a time.
    const LANES: usize = 6;

    const WRONG: [(&str, Certificate); 3] = [
        ("SELF_SIGNED", Certificate::SelfSigned),
        ("EXPIRED", Certificate::Expired),
        ("WRONG_HOST", Certificate::WrongHost),
    ];

    pub(super) fn run() -> Result<(), Box<dyn Error>> {
        let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("a folder for the authorities, please")?);
        std::fs::create_dir_all(&folder)?;
        let lanes = (0..LANES).map(|_| builder().start()).collect::<Result<Vec<_>, _>>()?;
        let good = over_tls(&folder, "GOOD", Certificate::Good)?;
        let wrong = WRONG.map(|(name, certificate)| (name, over_tls(&folder, name, certificate)));
        // A port that is taken and does not listen: refused, and nobody else is given it.
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
                    return Err(format!("{name}: not refused, or not tried, in {run}: {ledger:?}").into());
                }
                sandbox.reset();
            }
            println!("refused");
        }
        Ok(())
    }

    /// The connections of the remote control and of preflights must not become those of the call under test.
    fn builder() -> Builder {
        Sandbox::builder().client_id("conformance").client_secret("s3cret").one_request_per_connection()
    }

    fn over_tls(folder: &Path, name: &str, certificate: Certificate) -> Result<Sandbox, Box<dyn Error>> {
        let sandbox = builder().tls(certificate).start()?;
        std::fs::write(folder.join(name).with_extension("pem"), sandbox.ca_certificate_pem().unwrap_or_default())?;
        Ok(sandbox)
    }
}
