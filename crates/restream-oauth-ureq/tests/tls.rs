//! TLS: the transport sends nothing to a server without a trusted certificate.

mod sandboxed;

use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery, RefreshToken};
use restream_oauth_sandbox::{Certificate, Ending, Fault, Point, Sandbox, What};
use restream_oauth_ureq::Transport;
use restream_oauth_ureq::rustls::crypto::CryptoProvider;
use restream_oauth_ureq::rustls::pki_types::CertificateDer;
use sandboxed::{client, short, tokens};

fn start(certificate: Certificate) -> Sandbox {
    Sandbox::builder().tls(certificate).start().unwrap()
}

fn trusting(sandbox: &Sandbox) -> Transport {
    let root = CertificateDer::from(sandbox.ca_certificate_der().unwrap().to_vec());
    Transport::builder().only_root_certificates([root]).limits(short()).build().unwrap()
}

/// Sends a refresh, checks that nothing was sent, and returns the kind of the failure.
fn failure(sandbox: &Sandbox, transport: &Transport) -> FailureKind {
    let error = transport.send(client(sandbox).refresh(&RefreshToken::new("r1"))).unwrap_err();
    assert_eq!((error.delivery(), error.advice()), (Delivery::NotSent, Advice::Retry { after: None }));
    assert_eq!(sandbox.ledger().requests.len(), 0);
    let ErrorKind::Transport(kind) = error.kind() else { panic!("{error:?}") };
    *kind
}

#[test]
fn a_trusted_certificate_is_accepted_without_a_process_wide_provider() {
    let sandbox = start(Certificate::Good);
    tokens(&sandbox, &trusting(&sandbox));
    assert!(CryptoProvider::get_default().is_none());
}

/// RFC 8446 §2.2. Each call has a connection of its own, so only this saves the second one a part of the handshake.
#[test]
fn a_second_call_resumes_the_tls_session_of_the_first() {
    let sandbox = start(Certificate::Good);
    let transport = trusting(&sandbox);
    let first = tokens(&sandbox, &transport);
    assert_eq!(sandbox.ledger().tls_sessions_resumed, 0);
    transport.send(client(&sandbox).refresh(first.refresh_token().unwrap())).unwrap();
    assert_eq!((sandbox.ledger().connections, sandbox.ledger().tls_sessions_resumed), (2, 1));
}

/// RFC 6749 §10.9.
#[test]
fn nothing_is_sent_to_a_server_without_a_trusted_certificate() {
    for certificate in [Certificate::SelfSigned, Certificate::Expired, Certificate::WrongHost] {
        let sandbox = start(certificate);
        assert_eq!(failure(&sandbox, &trusting(&sandbox)), FailureKind::Tls, "{certificate:?}");
    }
    let sandbox = start(Certificate::Good);
    assert_eq!(failure(&sandbox, &Transport::new().unwrap()), FailureKind::Tls, "the bundled roots do not know it");
}

#[test]
fn a_handshake_that_hangs_or_is_cut_off_sends_nothing() {
    let sandbox = start(Certificate::Good);
    for (what, expected) in [
        (What::Drop { point: Point::Handshake, ending: Ending::Reset }, FailureKind::Connect),
        (What::Drop { point: Point::Handshake, ending: Ending::Close }, FailureKind::Connect),
        (What::Hang(Point::Handshake), FailureKind::Timeout),
    ] {
        sandbox.inject(Fault::new(what.clone()));
        assert_eq!(failure(&sandbox, &trusting(&sandbox)), expected, "{what:?}");
    }
}

#[test]
fn build_refuses_a_root_that_is_not_a_certificate() {
    let nonsense = CertificateDer::from(b"nonsense".to_vec());
    let error = Transport::builder().only_root_certificates([nonsense]).build().unwrap_err();
    assert!(error.to_string().contains("check the root certificates"));
}
