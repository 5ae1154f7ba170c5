//! The saved form of a late pair.

use restream_oauth_core::{SavedError, Tokens};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::record::Stray;
use crate::record_document::Members;

impl Stray {
    /// Writes the saved form: one line of JSON. It holds secrets.
    pub fn to_saved(&self) -> Zeroizing<String> {
        let tokens = self.tokens.to_saved();
        let head = format!("{{\"version\":1,\"kind\":\"stray\",\"generation\":{},\"tokens\":", self.generation);
        // Memory that holds a secret never grows, because growing leaves a copy behind.
        let room = head.len().saturating_add(tokens.expose_secret().len()).saturating_add(1);
        let mut out = Zeroizing::new(String::with_capacity(room));
        for piece in [&head, tokens.expose_secret(), "}"] {
            out.push_str(piece);
        }
        out
    }

    /// Reads a saved form.
    ///
    /// # Errors
    /// [`SavedError`] if the document is no saved late pair, is damaged, or has an unknown version.
    pub fn from_saved(document: impl AsRef<[u8]>) -> Result<Self, SavedError> {
        let members = Members::read(document.as_ref()).map_err(|_| SavedError::NotJson)?;
        if members.raw("kind") != Some("\"stray\"") {
            return Err(SavedError::OtherKind { expected: "stray" });
        }
        if members.raw("version") != Some("1") {
            return Err(SavedError::UnknownVersion);
        }
        let tokens = members.raw("tokens").ok_or(SavedError::Damaged("tokens"))?;
        Ok(Self { generation: members.required("generation", Value::as_u64)?, tokens: Tokens::from_saved(tokens)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tokens;

    #[test]
    fn a_late_pair_is_read_back_as_it_was() {
        let stray = Stray { generation: 6, tokens: tokens("a\"1", "r1") };
        let saved = stray.to_saved();
        assert_eq!(saved.capacity(), saved.len(), "the memory of a secret never grows");
        assert_eq!(Stray::from_saved(saved.as_bytes()), Ok(stray));
        for (from, to, error) in [
            ("\"kind\":\"stray\"", "\"kind\":\"tokens\"", SavedError::OtherKind { expected: "stray" }),
            ("\"version\":1", "\"version\":2", SavedError::UnknownVersion),
            ("\"generation\":6", "\"generation\":-6", SavedError::Damaged("keeper")),
            ("\"tokens\":", "\"token\":", SavedError::Damaged("tokens")),
        ] {
            let damaged = saved.replacen(from, to, 1);
            assert_ne!(damaged, *saved, "{from}");
            assert_eq!(Stray::from_saved(damaged.as_bytes()), Err(error), "{from}");
        }
        assert_eq!(Stray::from_saved(&saved[..saved.len() - 1]), Err(SavedError::NotJson));
    }
}
