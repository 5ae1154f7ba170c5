//! The default connector: TCP, and rustls with ring.

use std::fmt;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// Whom to trust.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots {
    pub(crate) additional: Vec<CertificateDer<'static>>,
    #[cfg(feature = "system-roots")]
    pub(crate) system: bool,
}

pub(crate) fn connector(roots: Roots) -> Result<HttpsConnector<HttpConnector>, BuildError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    // Plain http is left to the core, which allows it on loopback only.
    Ok(HttpsConnectorBuilder::new().with_tls_config(config(roots)?).https_or_http().enable_http1().wrap_connector(http))
}

fn config(roots: Roots) -> Result<ClientConfig, BuildError> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(BuildError)?;
    #[cfg(feature = "system-roots")]
    if roots.system {
        let verifier = system_verifier(roots.additional)?;
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    Ok(builder.with_root_certificates(bundled(roots.additional)?).with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn bundled(additional: Vec<CertificateDer<'static>>) -> Result<RootCertStore, BuildError> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in additional {
        store.add(certificate).map_err(BuildError)?;
    }
    Ok(store)
}

#[cfg(feature = "system-roots")]
fn system_verifier(
    additional: Vec<CertificateDer<'static>>,
) -> Result<Arc<rustls_platform_verifier::Verifier>, BuildError> {
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(additional, provider());
    verifier.map(Arc::new).map_err(BuildError)
}

/// A [`Transport`](crate::Transport) cannot be built: an additional root certificate is not one, or the system's
/// roots cannot be had.
#[derive(Clone, Debug)]
pub struct BuildError(rustls::Error);

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TLS cannot be set up: check the root certificates")
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TLS 1.3 early data (RFC 8446 §8): whoever sees a request that was sent so can send it again.
    #[test]
    fn no_early_data_is_sent() {
        assert!(!config(Roots::default()).unwrap().enable_early_data);
    }
}
