//! The certificate and the private key of a server, checked before they are served.
//!
//! Both are texts in PEM (RFC 7468). Nothing here reads a file, and no problem shows a part of a key.

use std::fmt;
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys};

/// A certificate, and those between it and its authority.
pub(crate) struct Chain(Vec<CertificateDer<'static>>);

/// A private key.
pub(crate) struct Key(Arc<dyn SigningKey>);

impl Chain {
    /// Reads the certificates of a text. The first one is the server's own.
    pub(crate) fn from_pem(text: &str) -> Result<Self, TlsProblem> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let chain = chain.map_err(|_| TlsProblem::Pem)?;
        let own = chain.first().ok_or(TlsProblem::NoCertificate)?;
        ParsedCertificate::try_from(own).map_err(|_| TlsProblem::Certificate)?;
        Ok(Self(chain))
    }

    /// True if the certificate is for a host: a domain name or an IP address, an IPv6 one in brackets.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let (Some(own), Ok(name)) = (self.0.first(), ServerName::try_from(host)) else { return false };
        ParsedCertificate::try_from(own).is_ok_and(|own| verify_server_name(&own, &name).is_ok())
    }

    /// Puts the certificates and their key together.
    pub(crate) fn with(self, key: Key) -> Result<CertifiedKey, TlsProblem> {
        let pair = CertifiedKey::new(self.0, key.0);
        match pair.keys_match() {
            // A key that cannot tell its public half. Each that is read here can.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
            Err(_) => Err(TlsProblem::Mismatch),
        }
    }
}

impl Key {
    /// Reads the first private key of a text.
    pub(crate) fn from_pem(text: &str) -> Result<Self, TlsProblem> {
        let key = match PrivateKeyDer::pem_slice_iter(text.as_bytes()).next() {
            // PKCS #8 (RFC 5958) says it in the label, the older form in a header.
            _ if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") => {
                return Err(TlsProblem::EncryptedKey);
            }
            Some(key) => key.map_err(|_| TlsProblem::Pem)?,
            None => return Err(TlsProblem::NoKey),
        };
        provider().key_provider.load_private_key(key).map(Self).map_err(|_| TlsProblem::Key)
    }
}

/// The cryptography. It is passed in and not installed for the process: the program may have installed another one.
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// Why a certificate or a private key cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The text is broken between a line that begins with `-----BEGIN` and its end.
    Pem,
    /// The text holds no certificate.
    NoCertificate,
    /// The first certificate is no certificate of X.509 version 3 (RFC 5280).
    Certificate,
    /// The text holds no private key.
    NoKey,
    /// The private key is encrypted, and nobody is there to type the password.
    EncryptedKey,
    /// The private key is damaged, or of a kind that cannot be used.
    Key,
    /// The private key does not belong to the certificate.
    Mismatch,
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pem => "expected PEM, got a block that is damaged: was the file copied as a whole?",
            Self::NoCertificate => {
                "expected a certificate in PEM, got a file without one: it begins with -----BEGIN CERTIFICATE-----"
            }
            Self::Certificate => {
                "expected a certificate of X.509 version 3, got another first one: the server's own must stand first"
            }
            Self::NoKey => {
                "expected a private key in PEM, got a file without one: it begins with -----BEGIN PRIVATE KEY-----"
            }
            Self::EncryptedKey => {
                "expected a private key without a password, got an encrypted one: decrypt it, such as with openssl pkey"
            }
            Self::Key => {
                "expected a private key for ECDSA (P-256, P-384), Ed25519 or RSA (2048 to 8192 bits), got another one, \
                 or a damaged one"
            }
            Self::Mismatch => "expected the private key of the certificate in tls_cert, got the key of another one",
        })
    }
}

impl std::error::Error for TlsProblem {}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    fn signed(names: &[&str], key: &KeyPair) -> String {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        CertificateParams::new(names).unwrap().self_signed(key).unwrap().pem()
    }

    #[test]
    fn a_certificate_and_its_key_are_put_together() {
        for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let other = KeyPair::generate_for(algorithm).unwrap();
            // Certbot writes the certificates between, and other programs the key, into the same file.
            let text =
                format!("{}{}{}", signed(&["a.example"], &key), signed(&["b.example"], &other), key.serialize_pem());
            let pair = Chain::from_pem(&text).unwrap().with(Key::from_pem(&text).unwrap()).unwrap();
            assert_eq!(pair.cert.len(), 2);
            let key = Key::from_pem(&other.serialize_pem()).unwrap();
            assert_eq!(Chain::from_pem(&text).unwrap().with(key).unwrap_err(), TlsProblem::Mismatch);
        }
    }

    #[test]
    fn each_problem_has_its_name_and_shows_nothing_of_the_text() {
        let key = KeyPair::generate().unwrap();
        let (certificate, key) = (signed(&["a.example"], &key), key.serialize_pem());
        let chain = |text: &str| Chain::from_pem(text).err();
        assert_eq!(chain(&certificate), None);
        assert_eq!(chain(""), Some(TlsProblem::NoCertificate));
        assert_eq!(chain(&key), Some(TlsProblem::NoCertificate));
        assert_eq!(chain(&certificate[..certificate.len() - 30]), Some(TlsProblem::Pem));
        assert_eq!(chain(&key.replace("PRIVATE KEY", "CERTIFICATE")), Some(TlsProblem::Certificate));
        let read = |text: &str| Key::from_pem(text).err();
        assert_eq!(read(&key), None);
        assert_eq!(read(&certificate), Some(TlsProblem::NoKey));
        assert_eq!(read(&key.replace("BEGIN ", "BEGIN ENCRYPTED ")), Some(TlsProblem::EncryptedKey));
        assert_eq!(read(&key.replace("KEY-----\nM", "KEY-----\nN")), Some(TlsProblem::Key));
        assert_eq!(read(&key.replace("KEY-----\nM", "KEY-----\n!")), Some(TlsProblem::Pem));
    }

    #[test]
    fn a_certificate_is_for_its_names() {
        let key = KeyPair::generate().unwrap();
        let chain = Chain::from_pem(&signed(&["*.stream.example", "127.0.0.1", "::1"], &key)).unwrap();
        for (host, is_for) in [
            ("broker.stream.example", true),
            ("127.0.0.1", true),
            ("[::1]", true),
            ("stream.example", false),
            ("", false),
        ] {
            assert_eq!(chain.is_for(host), is_for, "{host}");
        }
    }
}
