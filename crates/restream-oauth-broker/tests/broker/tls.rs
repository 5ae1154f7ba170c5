//! TLS of the broker's own, as devices and operators see it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use restream_oauth_broker::server::Tls;
use restream_oauth_broker::settings::TlsFiles;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::support::{PATIENCE, World};

/// Files of a certificate and its private key.
pub(crate) struct Files {
    folder: PathBuf,
    pub(crate) names: TlsFiles,
}

impl Files {
    pub(crate) fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let folder = std::env::temp_dir().join(format!("restream-oauth-broker-tls-{:x}", u64::from_ne_bytes(random)));
        fs::create_dir_all(&folder).unwrap();
        let names = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        Self { folder, names }
    }

    /// Writes a new pair, the certificate first. Returns the certificate, which signs itself.
    pub(crate) fn renew(&self) -> String {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem();
        fs::write(&self.names.certificate, &certificate).unwrap();
        fs::write(&self.names.key, key.serialize_pem()).unwrap();
        certificate
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A device that trusts one certificate.
pub(crate) fn trusting(certificate: &str) -> ureq::Agent {
    let root = Certificate::from_pem(certificate.as_bytes()).unwrap();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&[root]))
        .build();
    let config = ureq::Agent::config_builder().tls_config(tls).proxy(None).timeout_global(Some(PATIENCE)).build();
    config.into()
}

/// A broker that serves over TLS, and reads its files all the time.
struct Secured {
    world: World,
    files: Files,
    address: SocketAddr,
    certificate: String,
}

impl Secured {
    fn new() -> Self {
        let (world, files) = (World::new(), Files::new());
        let certificate = files.renew();
        let tls = Tls::open(files.names.clone(), Duration::from_millis(10)).unwrap();
        let address = world.serve_tls(tls);
        Self { world, files, address, certificate }
    }

    fn answers(&self, device: &ureq::Agent) -> bool {
        let url = format!("https://{}/.well-known/oauth-authorization-server", self.address);
        device.get(url).call().is_ok_and(|answer| answer.status() == 200)
    }

    fn logs(&self, event: &str) -> usize {
        self.world.log.text().matches(&format!("\"event\":\"{event}\"")).count()
    }
}

#[test]
fn a_device_asks_over_tls_and_speaks_http_1_1() {
    let secured = Secured::new();
    assert!(secured.answers(&trusting(&secured.certificate)));
    let stranger = Files::new().renew();
    assert!(!secured.answers(&trusting(&stranger)), "the certificate is checked");

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(secured.certificate.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let handshake = |protocols: &[&str]| {
        let mut config = config.clone();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut connection =
            ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        let mut stream = TcpStream::connect(secured.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).ok()?;
        }
        Some(connection.alpn_protocol().map(<[u8]>::to_vec))
    };
    assert_eq!(handshake(&[]), Some(None));
    assert_eq!(handshake(&["h2", "http/1.1"]), Some(Some(b"http/1.1".to_vec())));
    assert_eq!(handshake(&["h2"]), None, "it learns in the handshake that nobody speaks HTTP/2");
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart_and_cuts_no_connection() {
    let secured = Secured::new();
    let old = trusting(&secured.certificate);
    assert!(secured.answers(&old));
    let begun = Instant::now();
    let new = trusting(&secured.files.renew());
    secured.world.wait_for("the new certificate is served", |_| secured.answers(&new));
    secured.world.wait_for("it is logged", |_| secured.logs("certificate_renewed") == 1);
    // After 15 seconds of silence the device closes its connection.
    if begun.elapsed() < Duration::from_secs(10) {
        assert!(secured.answers(&old), "over the connection that it has");
    }
    assert!(!secured.answers(&trusting(&secured.certificate)), "over a new one");
}

#[test]
fn a_broken_new_certificate_is_logged_and_the_old_one_is_served_on() {
    let secured = Secured::new();
    let key = fs::read_to_string(&secured.files.names.key).unwrap();
    fs::write(&secured.files.names.key, &key[..key.len() / 2]).unwrap();
    secured.world.wait_for("it is logged", |_| secured.logs("certificate_broken") > 0);
    assert!(secured.answers(&trusting(&secured.certificate)));
    let log = secured.world.log.text();
    assert!(log.contains("key.pem cannot be used"), "{log}");
    assert!(key.lines().all(|line| !log.contains(line)), "{log}");

    let renewed = trusting(&secured.files.renew());
    secured.world.wait_for("the mended one is served", |_| secured.answers(&renewed));
}

/// How long a handshake may take is held by a test of its own, with a clock that is set forward.
#[test]
fn handshakes_that_do_not_go_on_are_counted_and_stop_nobody_else() {
    let secured = Secured::new();
    let silent: Vec<_> = (0..5).map(|_| TcpStream::connect(secured.address).unwrap()).collect();
    let open = |world: &World| {
        let metrics = world.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix("restream_oauth_broker_connections "));
        line.unwrap().parse::<u64>().unwrap()
    };
    // One more is that of the question.
    secured.world.wait_for("they are counted", |world| open(world) > 5);
    assert!(secured.answers(&trusting(&secured.certificate)));
    drop(silent);
    secured.world.wait_for("they are counted no more", |world| open(world) < 5);
}

#[test]
fn plain_http_gets_no_answer_and_stops_nobody_else() {
    let secured = Secured::new();
    let mut plain = TcpStream::connect(secured.address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"GET /token HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The other end may reset the connection.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    assert!(secured.answers(&trusting(&secured.certificate)));
    secured.world.wait_for("the other request is logged", |world| world.log.text().contains("\"route\":\"metadata\""));
    assert!(!secured.world.log.text().contains("\"route\":\"token\""));
}
