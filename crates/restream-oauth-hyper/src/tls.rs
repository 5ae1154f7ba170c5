//! The default connector: rustls with ring, over TCP.

use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::build_error::BuildError;
use crate::connector::TcpConnector;

/// The root certificates to trust.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots {
    pub(crate) additional: Vec<CertificateDer<'static>>,
    /// Whether to trust the additional certificates only.
    pub(crate) only_additional: bool,
    #[cfg(feature = "system-roots")]
    pub(crate) system: bool,
}

pub(crate) fn connector(roots: Roots, tcp: TcpConnector) -> Result<HttpsConnector<TcpConnector>, BuildError> {
    // The core refuses plain http, except on loopback.
    Ok(HttpsConnectorBuilder::new().with_tls_config(config(roots)?).https_or_http().enable_http1().wrap_connector(tcp))
}

fn config(roots: Roots) -> Result<ClientConfig, BuildError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(BuildError::tls)?;
    #[cfg(feature = "system-roots")]
    if roots.system {
        let verifier = system_verifier(roots.additional)?;
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    Ok(builder.with_root_certificates(store(roots)?).with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn store(roots: Roots) -> Result<RootCertStore, BuildError> {
    let bundled = if roots.only_additional { &[] } else { webpki_roots::TLS_SERVER_ROOTS };
    let mut store = RootCertStore { roots: bundled.to_vec() };
    for certificate in roots.additional {
        store.add(certificate).map_err(BuildError::tls)?;
    }
    Ok(store)
}

#[cfg(feature = "system-roots")]
fn system_verifier(
    additional: Vec<CertificateDer<'static>>,
) -> Result<Arc<rustls_platform_verifier::Verifier>, BuildError> {
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(additional, provider());
    verifier.map(Arc::new).map_err(BuildError::tls)
}

#[cfg(test)]
mod tests {
    use restream_oauth_sandbox::{Certificate, Sandbox};

    use super::*;

    /// TLS 1.3 early data (RFC 8446 §8): an attacker on the network can replay it.
    #[test]
    fn no_early_data_is_sent() {
        assert!(!config(Roots::default()).unwrap().enable_early_data);
    }

    #[test]
    fn additional_roots_are_added_to_the_bundled_ones_or_replace_them() {
        let bundled = webpki_roots::TLS_SERVER_ROOTS.len();
        let sandbox = Sandbox::builder().tls(Certificate::Good).start().unwrap();
        let root = CertificateDer::from(sandbox.ca_certificate_der().unwrap().to_vec());
        for (only_additional, trusted) in [(false, bundled + 1), (true, 1)] {
            let mut roots = Roots::default();
            roots.additional.push(root.clone());
            roots.only_additional = only_additional;
            assert_eq!(store(roots).unwrap().len(), trusted);
        }
    }
}
