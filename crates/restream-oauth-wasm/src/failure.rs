//! Maps thrown values to the core's failures.

use std::fmt;

use restream_oauth_core::transport::{Failure, FailureKind};
use wasm_bindgen::JsValue;

use crate::platform::get;

/// Maps a failure before the head of the answer.
pub(crate) fn of(thrown: &JsValue) -> Failure {
    let source = Thrown::read(thrown);
    Failure::new(source.kind().unwrap_or(FailureKind::Other)).with_source(source)
}

/// Maps a failure within the body of the answer. Without a known code, the body ended too early.
pub(crate) fn of_body(thrown: &JsValue) -> Failure {
    let source = Thrown::read(thrown);
    Failure::new(source.kind().unwrap_or(FailureKind::Interrupted)).with_source(source)
}

/// The name and the code of a thrown value. The message is left out, because some runtimes write the URL into it.
#[derive(Debug)]
struct Thrown {
    name: String,
    /// Node has the code in the cause, and Bun in the error itself. Browsers have no code.
    code: Option<String>,
}

impl Thrown {
    fn read(thrown: &JsValue) -> Self {
        let cause = get(thrown, "cause").unwrap_or_default();
        let name = word(thrown, "name").unwrap_or_else(|| "an unnamed error".to_owned());
        Self { name, code: word(&cause, "code").or_else(|| word(thrown, "code")) }
    }

    fn kind(&self) -> Option<FailureKind> {
        self.code.as_deref().and_then(kind_of_code)
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "fetch failed with {} ({code})", self.name),
            None => write!(f, "fetch failed with {}", self.name),
        }
    }
}

impl std::error::Error for Thrown {}

/// Reads a member that is a plain word, as names and codes are.
fn word(value: &JsValue, member: &str) -> Option<String> {
    let text = get(value, member).ok()?.as_string()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain && (1..=64).contains(&text.len())).then_some(text)
}

/// Maps the codes of Node: those of system errors, of the HTTP client (`UND_ERR_`), of the HTTP parser (`HPE_`) and of
/// TLS.
fn kind_of_code(code: &str) -> Option<FailureKind> {
    Some(match code {
        "ENOTFOUND" | "EAI_AGAIN" | "ECONNREFUSED" | "EHOSTUNREACH" | "ENETUNREACH" | "EADDRNOTAVAIL" => {
            FailureKind::Connect
        }
        "ETIMEDOUT" | "UND_ERR_CONNECT_TIMEOUT" | "UND_ERR_HEADERS_TIMEOUT" | "UND_ERR_BODY_TIMEOUT" => {
            FailureKind::Timeout
        }
        "ECONNRESET" | "EPIPE" | "UND_ERR_SOCKET" => FailureKind::Interrupted,
        "UND_ERR_HEADERS_OVERFLOW" => FailureKind::Protocol,
        _ if code.starts_with("HPE_") => FailureKind::Protocol,
        _ if code.starts_with("ERR_TLS_") || code.starts_with("ERR_SSL_") => FailureKind::Tls,
        // OpenSSL's codes for certificates.
        _ if code.split('_').any(|word| word.starts_with("CERT")) || code.starts_with("UNABLE_TO_") => FailureKind::Tls,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_codes_are_mapped_to_kinds() {
        let cases = [
            ("ENOTFOUND", Some(FailureKind::Connect)),
            ("ECONNREFUSED", Some(FailureKind::Connect)),
            ("UND_ERR_CONNECT_TIMEOUT", Some(FailureKind::Timeout)),
            ("DEPTH_ZERO_SELF_SIGNED_CERT", Some(FailureKind::Tls)),
            ("CERT_HAS_EXPIRED", Some(FailureKind::Tls)),
            ("ERR_TLS_CERT_ALTNAME_INVALID", Some(FailureKind::Tls)),
            ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", Some(FailureKind::Tls)),
            ("ECONNRESET", Some(FailureKind::Interrupted)),
            ("UND_ERR_SOCKET", Some(FailureKind::Interrupted)),
            ("HPE_INVALID_CHUNK_SIZE", Some(FailureKind::Protocol)),
            ("UND_ERR_INFO", None),
        ];
        for (code, kind) in cases {
            assert_eq!(kind_of_code(code), kind, "{code}");
        }
    }

    #[test]
    fn a_failure_prints_the_name_and_the_code() {
        let mut thrown = Thrown { name: "TypeError".to_owned(), code: None };
        assert_eq!(thrown.to_string(), "fetch failed with TypeError");
        thrown.code = Some("ECONNREFUSED".to_owned());
        assert_eq!(thrown.to_string(), "fetch failed with TypeError (ECONNREFUSED)");
    }
}
