//! A raw answer as a store keeps it, before anything interprets it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, SavedError};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::record::{LoginId, Parent, TokenHash, hex, read_hash};

/// A raw answer to a refresh, and which request it answers.
///
/// It may hold the only copy of a new pair. Its `Debug` shows no byte of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Spooled {
    /// The record that the pair in the answer is to replace.
    pub parent: Parent,
    /// The number of the request: [`Record::requests`](crate::Record::requests) when it was sent.
    pub number: u32,
    /// The saved form of the answer ([`Answer::to_saved`](restream_oauth_core::Answer::to_saved)).
    pub answer: Zeroizing<String>,
}

impl Spooled {
    /// Writes the saved form: one line of JSON. It holds secrets.
    pub fn to_saved(&self) -> Zeroizing<String> {
        let Self { parent: Parent { login, generation, sent }, number, answer } = self;
        let head = format!(
            "{{\"version\":1,\"kind\":\"spooled\",\"login\":\"{}\",\"generation\":{generation},\"parent\":\"{}\",\
             \"number\":{number},\"answer\":",
            hex(&login.0),
            hex(&sent.0),
        );
        let mut out = Zeroizing::new(String::with_capacity(head.len().saturating_add(answer.len()).saturating_add(1)));
        out.push_str(&head);
        out.push_str(answer);
        out.push('}');
        out
    }

    /// Replaces the time at which the request was sent. For a store that keeps times of a clock that is not this
    /// machine's. An answer that is no saved answer stays as it is.
    pub fn map_times(&mut self, map: impl FnOnce(SystemTime) -> SystemTime) {
        if let Ok(moved) = Answer::<Unread>::saved_with_sent_at(&self.answer, map) {
            self.answer = Zeroizing::new(moved.expose_secret().to_owned());
        }
    }

    /// Reads a saved form. White space behind it is what is left of the room that was made for it.
    ///
    /// # Errors
    /// [`SavedError`] if the document is no spooled answer, is damaged, or has an unknown version.
    pub fn from_saved(document: impl AsRef<[u8]>) -> Result<Self, SavedError> {
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_slice(document.as_ref()).map_err(|_| SavedError::NotJson)?;
        let raw = |name: &'static str| members.get(name).map(|raw| raw.get()).ok_or(SavedError::Damaged(name));
        if raw("kind").is_ok_and(|kind| kind != "\"spooled\"") || raw("kind").is_err() {
            return Err(SavedError::OtherKind { expected: "spooled" });
        }
        if raw("version")? != "1" {
            return Err(SavedError::UnknownVersion);
        }
        let hash = |name| {
            let value = serde_json::from_str(raw(name)?).map_err(|_| SavedError::Damaged(name))?;
            read_hash(&value).ok_or(SavedError::Damaged(name))
        };
        Ok(Self {
            parent: Parent {
                login: LoginId(hash("login")?),
                generation: raw("generation")?.parse().map_err(|_| SavedError::Damaged("generation"))?,
                sent: TokenHash(hash("parent")?),
            },
            number: raw("number")?.parse().map_err(|_| SavedError::Damaged("number"))?,
            answer: Zeroizing::new(raw("answer")?.to_owned()),
        })
    }
}

impl fmt::Debug for Spooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parent, number, answer } = self;
        write!(f, "Spooled {{ parent: {parent:?}, number: {number}, answer: {} bytes }}", answer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spooled_answer_is_read_back_as_it_was_also_from_a_larger_room() {
        let parent = Parent { login: LoginId([1; 32]), generation: 4, sent: TokenHash([2; 32]) };
        let spooled = Spooled { parent, number: 3, answer: Zeroizing::new(r#"{"body":"czNjcmV0"}"#.to_owned()) };
        let mut saved = spooled.to_saved().to_string();
        assert_eq!(Spooled::from_saved(&saved), Ok(spooled.clone()));
        saved.push_str("      ");
        assert_eq!(Spooled::from_saved(&saved), Ok(spooled.clone()));
        assert_eq!(
            Spooled::from_saved(saved.replace("\"number\":3", "\"number\":-3")),
            Err(SavedError::Damaged("number"))
        );
        assert_eq!(Spooled::from_saved(" ".repeat(64)), Err(SavedError::NotJson));
        assert_eq!(Spooled::from_saved(&saved[..90]), Err(SavedError::NotJson));
        assert!(!format!("{spooled:?}").contains("czNjcmV0"));
    }
}
