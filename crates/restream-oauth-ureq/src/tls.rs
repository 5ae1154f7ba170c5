//! TLS of the default agents: rustls with ring.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::build_error::BuildError;

/// The root certificates to trust. ureq cannot combine these choices.
#[derive(Clone, Debug, Default)]
pub(crate) enum Roots {
    #[default]
    Bundled,
    These(Vec<CertificateDer<'static>>),
    #[cfg(feature = "system-roots")]
    System,
}

impl TryFrom<Roots> for RootCerts {
    type Error = BuildError;

    fn try_from(roots: Roots) -> Result<Self, BuildError> {
        match roots {
            Roots::Bundled => Ok(Self::WebPki),
            Roots::These(certificates) => {
                // Checked here, because ureq would skip bytes that are not a certificate, and would then trust no
                // server.
                let mut store = RootCertStore::empty();
                for certificate in &certificates {
                    store.add(certificate.clone()).map_err(BuildError::tls)?;
                }
                Ok(certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).into())
            }
            #[cfg(feature = "system-roots")]
            Roots::System => Ok(Self::PlatformVerifier),
        }
    }
}

pub(crate) fn config(roots: RootCerts) -> TlsConfig {
    // With a provider set here, ureq ignores one that the program installed process-wide.
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(ring)
        .root_certs(roots)
        .build()
}
