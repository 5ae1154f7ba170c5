//! The request, as far as reading its response needs it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use crate::encoding::form;
use crate::error::Operation;
use crate::registration::Registration;
use crate::secret::CleanText;

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
        STANDARD.encode(digest)
    }

    /// Every secret of this call: no error, log or message may repeat one of them.
    pub(crate) fn secrets(&self) -> Vec<CleanText<'_>> {
        const PUBLIC: [&str; 4] = ["grant_type", "redirect_uri", "token_type_hint", "client_id"];
        let mut secrets = Vec::with_capacity(MOST_SECRETS);
        let sent = self.parameters().filter(|(name, _)| !PUBLIC.contains(name));
        secrets.extend(sent.filter_map(|(_, value)| form::decode(value)));
        let basic = self.registration.basic.as_ref().map(HeaderValue::as_bytes);
        let header = if self.has_body() { basic } else { Some(&*self.sent) };
        let header = header.and_then(|header| std::str::from_utf8(header).ok()?.split_once(' '));
        secrets.extend(header.map(|(_scheme, credentials)| CleanText::Borrowed(credentials)));
        secrets.extend(self.registration.credentials.secret().map(CleanText::Borrowed));
        secrets
    }
}

/// The code, the verifier and the client secret in the body; the Basic credentials; the client secret in plain text.
const MOST_SECRETS: usize = 5;
