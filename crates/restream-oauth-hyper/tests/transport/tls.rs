//! TLS: a valid certificate is accepted. With any other, the call fails before it writes a byte of HTTP.

use crate::support::{self, Setup};
use restream_oauth_core::error::ErrorKind;
use restream_oauth_core::transport::FailureKind;
use restream_oauth_core::{Advice, Delivery, Error, RefreshToken, Tokens};
use restream_oauth_hyper::Transport;
use restream_oauth_hyper::rustls::pki_types::CertificateDer;
use restream_oauth_sandbox::{Certificate, Ending, Fault, Point, Sandbox, What};

fn setup(certificate: Certificate) -> Setup {
    let sandbox = Sandbox::builder().tls(certificate).start().unwrap();
    let root = CertificateDer::from(sandbox.ca_certificate_der().unwrap().to_vec());
    let transport = Transport::builder().root_certificates([root]).limits(support::limits()).build().unwrap();
    Setup::with(sandbox, transport)
}

async fn refresh(setup: &Setup) -> Result<Tokens, Error> {
    setup.transport.send(setup.client.refresh(&RefreshToken::new("r0"))).await
}

#[tokio::test]
async fn a_valid_certificate_is_accepted() {
    let setup = setup(Certificate::Good);
    assert!(setup.tokens().await.refresh_token().is_some());
}

/// RFC 8446 §2.2. Each call has a connection of its own, so only this saves the second one a part of the handshake.
#[tokio::test]
async fn a_second_call_resumes_the_tls_session_of_the_first() {
    let setup = setup(Certificate::Good);
    let first = setup.tokens().await;
    assert_eq!(setup.sandbox.ledger().tls_sessions_resumed, 0);
    setup.transport.send(setup.client.refresh(first.refresh_token().unwrap())).await.unwrap();
    assert_eq!((setup.sandbox.ledger().connections, setup.sandbox.ledger().tls_sessions_resumed), (2, 1));
}

#[tokio::test]
async fn with_only_one_root_certificate_no_other_is_trusted() {
    let [trusted, other] = [(); 2].map(|()| Sandbox::builder().tls(Certificate::Good).start().unwrap());
    let root = CertificateDer::from(trusted.ca_certificate_der().unwrap().to_vec());
    let transport = Transport::builder().only_root_certificates([root]).limits(support::limits()).build().unwrap();
    assert!(Setup::with(trusted, transport.clone()).tokens().await.refresh_token().is_some());
    let error = refresh(&Setup::with(other, transport)).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Tls));
}

/// RFC 6750 §5.3.
#[tokio::test]
async fn rfc_6749_10_9_other_certificates_are_refused_and_nothing_is_sent() {
    for certificate in [Certificate::SelfSigned, Certificate::Expired, Certificate::WrongHost] {
        let setup = setup(certificate);
        let error = refresh(&setup).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Tls), "{certificate:?}");
        assert_eq!(error.delivery(), Delivery::NotSent, "{certificate:?}");
        assert_eq!(error.advice(), Advice::Retry { after: None }, "{certificate:?}");
        assert_eq!(setup.sandbox.ledger().requests.len(), 0, "{certificate:?}: no HTTP was written");
    }
}

#[tokio::test]
async fn an_authority_that_was_not_added_is_not_trusted() {
    let sandbox = Sandbox::builder().tls(Certificate::Good).start().unwrap();
    let setup = Setup::with(sandbox, support::short());
    let error = refresh(&setup).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Transport(FailureKind::Tls));
    assert_eq!(error.delivery(), Delivery::NotSent);
}

#[tokio::test]
async fn a_handshake_that_hangs_or_is_cut_off_sends_nothing() {
    for (what, kind) in [
        (What::Hang(Point::Handshake), FailureKind::Timeout),
        (What::Drop { point: Point::Handshake, ending: Ending::Reset }, FailureKind::Connect),
        (What::Drop { point: Point::Handshake, ending: Ending::Close }, FailureKind::Connect),
    ] {
        let setup = setup(Certificate::Good);
        setup.sandbox.inject(Fault::new(what.clone()));
        let error = refresh(&setup).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Transport(kind), "{what:?}: {error:?}");
        assert_eq!(error.delivery(), Delivery::NotSent, "{what:?}");
        assert_eq!(setup.sandbox.ledger().requests.len(), 0, "{what:?}");
    }
}

#[tokio::test]
async fn a_pair_in_an_answer_without_close_notify_is_kept() {
    let setup = setup(Certificate::Good);
    let tokens = setup.tokens().await;
    let framing = restream_oauth_sandbox::BodyFraming::UntilClose;
    setup.sandbox.inject(Fault::new(What::Truncate { after: 400, framing, ending: Ending::Close }));
    assert!(setup.transport.send(setup.client.refresh(tokens.refresh_token().unwrap())).await.is_ok());
}

#[test]
fn build_refuses_a_root_that_is_not_a_certificate() {
    let refused = Transport::builder().root_certificates([CertificateDer::from(vec![1, 2, 3])]).build();
    assert!(refused.is_err());
}
