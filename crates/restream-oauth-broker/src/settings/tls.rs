//! The files for TLS: that they can be read, and that the private key belongs to the certificate.

use std::path::PathBuf;

use toml::de::DeValue;

use super::checked::{Environment, TlsFiles};
use super::fault::{Problem, Warning};
use super::secret_file::SecretFile;
use super::table::{Table, path};
use crate::origin::Origin;
use crate::tls::{Chain, Key};

/// The files, if they are named. A fault of their content leaves them out too.
pub(super) fn tls(
    root: &Table<'_>,
    issuer: Option<&Origin>,
    environment: &Environment,
    warnings: &mut Vec<Warning>,
) -> Option<TlsFiles> {
    let file = |value: &DeValue<'_>| -> Result<(PathBuf, SecretFile), Problem> {
        let path = path(value)?;
        let file = (environment.read_file)(&path).map_err(Problem::TlsFile)?;
        Ok((path, file))
    };
    let certificate = root.optional("tls_cert", |value| {
        let (path, file) = file(value)?;
        Ok((path, Chain::from_pem(file.text()).map_err(Problem::Tls)?))
    });
    let key = root.optional("tls_key", |value| {
        let (path, file) = file(value)?;
        if file.others_have_rights {
            warnings.push(Warning::KeyReadable);
        }
        Ok((path, Key::from_pem(file.text()).map_err(Problem::Tls)?))
    });
    for (one, other, expected) in [
        ("tls_cert", "tls_key", "the file of the private key that belongs to tls_cert"),
        ("tls_key", "tls_cert", "the file of the certificate that belongs to tls_key"),
    ] {
        if root.has(one) && !root.has(other) {
            root.note(other, Problem::Missing { expected });
        }
    }
    if root.has("tls_cert") && issuer.is_some_and(|issuer| !issuer.is_https()) {
        let advice = "write https in the issuer, or leave out tls_cert and tls_key";
        root.note("tls_cert", Problem::Conflict { with: "an issuer that is http", advice });
    }
    let ((certificate, chain), (key, signing)) = (certificate?, key?);
    if issuer.is_some_and(|issuer| issuer.is_https() && !chain.is_for(issuer.host())) {
        warnings.push(Warning::CertificateName);
    }
    chain.with(signing).map_err(|problem| root.note("tls_key", Problem::Tls(problem))).ok()?;
    Some(TlsFiles { certificate, key })
}
