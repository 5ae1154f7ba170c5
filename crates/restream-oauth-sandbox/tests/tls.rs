//! https: how a client that trusts the sandbox's authority reacts to each certificate.
#![cfg(feature = "tls")]

mod raw;

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use restream_oauth_sandbox::{BodyFraming, Certificate, Ending, Fault, Point, Sandbox, What};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn client(sandbox: &Sandbox) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(sandbox.ca_certificate_der().unwrap())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = raw::connect(sandbox);
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    StreamOwned::new(session, stream)
}

/// Sends a revocation, the shortest request.
fn send(sandbox: &Sandbox) -> (String, io::Result<usize>) {
    let mut stream = client(sandbox);
    let request = raw::request(sandbox, "POST /oauth/revoke", raw::FORM, "token=x");
    let mut bytes = Vec::new();
    let ended = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut bytes));
    (String::from_utf8_lossy(&bytes).into_owned(), ended)
}

fn start(certificate: Certificate) -> Sandbox {
    Sandbox::builder().tls(certificate).start().unwrap()
}

fn certificate_error(certificate: Certificate) -> CertificateError {
    let error = send(&start(certificate)).1.unwrap_err();
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => reason.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_that_trusts_the_authority_gets_an_answer_and_a_close_notify() {
    let sandbox = start(Certificate::Good);
    assert!(sandbox.base_url().starts_with("https://127.0.0.1:"));
    let (answer, ended) = send(&sandbox);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(ended.is_ok(), "the connection ends with a close_notify");
    let pem = sandbox.ca_certificate_pem().unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    let ready: serde_json::Value = serde_json::from_str(&sandbox.ready_line()).unwrap();
    assert_eq!(ready["ca_certificate_pem"], pem);
}

#[test]
fn each_bad_certificate_fails_for_its_own_reason_only() {
    assert_eq!(certificate_error(Certificate::SelfSigned), CertificateError::UnknownIssuer);
    let expired = certificate_error(Certificate::Expired);
    assert!(matches!(expired, CertificateError::Expired | CertificateError::ExpiredContext { .. }));
    let wrong_host = certificate_error(Certificate::WrongHost);
    assert!(matches!(wrong_host, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }));
}

#[test]
fn a_truncation_has_no_close_notify() {
    let sandbox = start(Certificate::Good);
    let framing = BodyFraming::UntilClose;
    sandbox.inject(Fault::new(What::Truncate { after: 0, framing, ending: Ending::Close }));
    let (answer, ended) = send(&sandbox);
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"));
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_handshake_can_be_reset_or_hang() {
    let sandbox = start(Certificate::Good);
    sandbox.inject(Fault::new(What::Drop { point: Point::Handshake, ending: Ending::Reset }));
    assert_eq!(send(&sandbox).1.unwrap_err().kind(), io::ErrorKind::ConnectionReset);

    sandbox.inject(Fault::new(What::Hang(Point::Handshake)));
    let mut stream = client(&sandbox);
    stream.sock.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let error = stream.write_all(b"x").and_then(|()| stream.flush()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(stream.conn.is_handshaking());
    assert_eq!(sandbox.ledger().requests.len(), 0);
}
