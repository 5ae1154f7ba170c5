//! The request, as far as reading its response needs it.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use crate::encoding::form;
use crate::error::Operation;
use crate::registration::Registration;
use crate::secret::base64::Alphabet;
use crate::secret::{CleanText, SecretText};

/// The request, as far as reading its response needs it. Shares the request's bytes, without a copy.
pub(crate) struct Question {
    pub(crate) operation: Operation,
    pub(crate) registration: Arc<Registration>,
    /// The part of the request that differs from call to call: the form, or for a request without a body the value of
    /// the bearer header.
    pub(crate) sent: Bytes,
}

impl Question {
    /// The decoded value of a parameter of the form.
    pub(crate) fn parameter(&self, name: &str) -> Option<CleanText<'_>> {
        self.parameters().find(|(sent, _)| *sent == name).and_then(|(_, value)| form::decode(value))
    }

    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let form = if self.has_body() { std::str::from_utf8(&self.sent) } else { Ok("") };
        form::pairs(form.unwrap_or_default())
    }

    pub(super) fn has_body(&self) -> bool {
        self.operation != Operation::Profile
    }

    /// Identifies the step and the credential it sends (code, refresh token or access token), without revealing the
    /// credential: a SHA-256 in base64. The client's own credentials are not part of the hash, because they may change
    /// before a saved response is read.
    pub(crate) fn fingerprint(&self) -> String {
        let name = match self.operation {
            Operation::Exchange => "code",
            Operation::Refresh => "refresh_token",
            Operation::Revoke => "token",
            Operation::Profile => "",
        };
        let parameter = self.parameter(name);
        let credential = parameter.as_ref().map_or(&*self.sent, |credential| credential.as_bytes());
        let digest = Sha256::new().chain_update(name).chain_update([0]).chain_update(credential).finalize();
        let mut text = SecretText::with_capacity(FINGERPRINT_LENGTH);
        text.push_base64(&digest, Alphabet::Standard);
        text.into_string()
    }

    /// Every secret of this call: no error, log or message may repeat one of them. The rest is empty.
    pub(crate) fn secrets(&self) -> [CleanText<'_>; MOST_SECRETS] {
        const PUBLIC: [&str; 4] = ["grant_type", "redirect_uri", "token_type_hint", "client_id"];
        let basic = self.registration.basic.as_ref().map(HeaderValue::as_bytes);
        let header = if self.has_body() { basic } else { Some(&*self.sent) };
        let credentials = header.and_then(|header| header.strip_prefix(b"Basic ").or(header.strip_prefix(b"Bearer ")));
        let credentials = credentials.and_then(|credentials| std::str::from_utf8(credentials).ok());
        let mut secrets = [
            CleanText::Borrowed(credentials.unwrap_or_default()),
            CleanText::Borrowed(self.registration.credentials.secret().unwrap_or_default()),
            CleanText::Borrowed(""),
            CleanText::Borrowed(""),
            CleanText::Borrowed(""),
        ];
        let sent = self.parameters().filter(|(name, _)| !PUBLIC.contains(name));
        for ((_, value), place) in sent.zip(secrets.iter_mut().skip(2)) {
            *place = form::decode(value).unwrap_or(CleanText::Borrowed(""));
        }
        secrets
    }
}

/// 32 bytes are 44 characters in base64.
const FINGERPRINT_LENGTH: usize = 44;

/// The credentials in the header, and the client secret in plain text; in the body the code, the verifier and the client
/// secret.
const MOST_SECRETS: usize = 5;
