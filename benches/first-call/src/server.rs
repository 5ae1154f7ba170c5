//! A token endpoint over TLS. It answers each request with the documented success, and keeps connections open.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

const BODY: &str = r#"{"accessToken":"a1","accessTokenExpiresIn":3600,"accessTokenExpiresAt":"2030-01-01T00:00:00.000Z","accessTokenExpiresEpoch":1893456000,"refreshToken":"r1","refreshTokenExpiresIn":31536000,"refreshTokenExpiresAt":"2031-01-01T00:00:00.000Z","refreshTokenExpiresEpoch":1924992000,"scopes":["profile.read"],"scopesJson":"[\"profile.read\"]","tokenType":"Bearer","token_type":"Bearer","access_token":"a1","expires_in":3600,"refresh_token":"r1","scope":"profile.read"}"#;

/// A server, and the certificate that it shows for `localhost`.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) certificate: Vec<u8>,
    resumed: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let server =
            Self { address: listener.local_addr()?, certificate: made.cert.der().to_vec(), resumed: Arc::default() };
        let resumed = Arc::clone(&server.resumed);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, resumed) = (Arc::clone(&config), Arc::clone(&resumed));
                // A connection that breaks is the client's to report.
                thread::spawn(move || serve(stream, config, &resumed));
            }
        });
        Ok(server)
    }

    /// The connections so far that resumed a TLS session (RFC 8446 §2.2).
    pub(crate) fn resumed(&self) -> usize {
        self.resumed.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, resumed: &AtomicUsize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut known = false;
    while let Some(length) = read_head(&mut stream)? {
        io::copy(&mut stream.by_ref().take(length), &mut io::sink())?;
        if !known && stream.get_ref().conn.handshake_kind() == Some(HandshakeKind::Resumed) {
            resumed.fetch_add(1, Ordering::SeqCst);
        }
        known = true;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
        let stream = stream.get_mut();
        stream.write_all(format!("{head} {}\r\n\r\n{BODY}", BODY.len()).as_bytes())?;
        stream.flush()?;
    }
    Ok(())
}

/// Reads a head, and returns the length of the body that follows; `None` at the end of the connection.
fn read_head(stream: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some(length));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
}
