//! https, with a certificate authority that lives as long as the sandbox, and with certificates that clients must reject.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate as Signed, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The certificate that the server presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Certificate {
    /// Signed by the sandbox's authority, for the sandbox's address and `localhost`.
    Good,
    /// Signed by itself.
    SelfSigned,
    /// Expired in 2001, otherwise good.
    Expired,
    /// Signed by the authority, for `wrong.host.example`.
    WrongHost,
}

/// The certificate authority and its key.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, TlsError> {
        let mut params = CertificateParams::default();
        let key = KeyPair::generate()?;
        // Each authority has its own name, because a client that trusts two of them finds the issuer by name.
        let number = key.public_key_raw().iter().rev().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte));
        params.distinguished_name.push(DnType::CommonName, format!("Restream sandbox CA {number:08x}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let signed = params.self_signed(&key)?;
        let (pem, certificate) = (signed.pem(), signed.der().clone());
        Ok(Self { issuer: Issuer::new(params, key), certificate, pem })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.certificate
    }

    pub(crate) fn server_config(
        &self,
        certificate: Certificate,
        address: IpAddr,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let key = KeyPair::generate()?;
        let signed = self.sign(certificate, address, &key)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // The provider is passed in, not installed for the process: the program may have installed another.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![signed.der().clone()], key)?;
        Ok(Arc::new(config))
    }

    fn sign(&self, certificate: Certificate, address: IpAddr, key: &KeyPair) -> Result<Signed, TlsError> {
        let mut params = if certificate == Certificate::WrongHost {
            CertificateParams::new(["wrong.host.example".to_owned()])?
        } else {
            let mut params = CertificateParams::new(["localhost".to_owned()])?;
            params.subject_alt_names.push(SanType::IpAddress(address));
            params
        };
        params.distinguished_name.push(DnType::CommonName, "Restream sandbox");
        if certificate == Certificate::Expired {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        Ok(match certificate {
            Certificate::SelfSigned => params.self_signed(key)?,
            _ => params.signed_by(key, &self.issuer)?,
        })
    }
}

/// Why the certificate could not be created.
#[derive(Debug)]
pub struct TlsError(Cause);

#[derive(Debug)]
enum Cause {
    Certificate(rcgen::Error),
    Tls(rustls::Error),
}

impl From<rcgen::Error> for TlsError {
    fn from(error: rcgen::Error) -> Self {
        Self(Cause::Certificate(error))
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self(Cause::Tls(error))
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Certificate(error) => error.fmt(formatter),
            Cause::Tls(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for TlsError {}
