//! Sealed documents of the keeper, and the ring of keys that opens them.
//!
//! - A document that opens is the one sealed document that is known here, perhaps with other white space, or a plain one:
//!   an independent reader says which. It opens to its text.
//! - A text that is sealed opens again: as its kind, for its grant, with all of its bytes, and not otherwise.
//! - No error and no `Debug` shows the key.
//! - The bytes as the text of a ring of keys have an outcome.

use std::sync::LazyLock;

use restream_oauth_keeper::GrantName;
use restream_oauth_keeper::seal::{About, KeyRing, Kind, SealError, Sealer, key_of};

use crate::allocation::bounded;
use crate::canary::Silence;
use crate::expand::expand;
use crate::json::{self, Value};

/// A ring whose key holds the word that is searched for: `c4nary7Qx2Vbc4nary7Qx2Vbc4nary7Q`.
const RING: &str = "k1:63346e61727937517832566263346e61727937517832566263346e6172793751";
/// The text in the sealed documents of the corpus.
const TEXT: &str = "{\"version\":1,\"kind\":\"tokens\"}";
/// A document that another implementation sealed.
const KNOWN: &[u8] = include_bytes!("../corpus/sealed_document/sealed");

static SEALER: LazyLock<Sealer> = LazyLock::new(|| Sealer::new(KeyRing::parse(RING).expect("it is a ring")));

/// The oracle. `data` is a document, the text that is sealed, and the text of a ring of keys.
pub fn sealed_document(data: &[u8]) {
    let document = expand(data);
    check_open(&document, &Silence::after(data));
    if let Ok(text) = std::str::from_utf8(&document) {
        check_sealed(text);
        let _ = bounded(text.len(), || KeyRing::parse(text)).map_err(|error| error.to_string());
    }
}

fn check_open(document: &[u8], silence: &Silence) {
    let grant = grant("default");
    silence.check_debug(&*SEALER);
    let opened = bounded(written_out(document), || SEALER.open(Kind::Record, &grant, document));
    match opened {
        Ok(text) => match members(document) {
            Some(members) if members[0] == Some("sealed".into()) => {
                assert_eq!(Some(members), self::members(KNOWN), "nobody else has the key");
                assert_eq!(*text, TEXT.as_bytes());
            }
            Some(members) => {
                assert_eq!(members[0], Some("tokens".into()));
                assert_eq!(*text, document);
                let strict = SEALER.clone().refuse_plain();
                assert_eq!(strict.open(Kind::Record, &grant, document), Err(SealError::Plain));
            }
            // `Value` cannot hold the document, or a member is doubled.
            None => {}
        },
        Err(error) => {
            silence.check(&format!("{error} {error:?}"));
            assert!(!matches!(error, SealError::Plain | SealError::NoRing { .. } | SealError::NoRandomness), "{error}");
            if let SealError::KeyMissing { key } | SealError::CannotBeOpened { key } = error {
                assert_eq!(key_of(document), Ok(Some(key)));
            }
        }
    }
}

/// How long a document may be as JSON. In the compact form, whose first byte is 1 or 2, one byte can stand for a word.
fn written_out(document: &[u8]) -> usize {
    const LONGEST_WORD: usize = 40;
    if matches!(document, [1 | 2, ..]) { document.len() * LONGEST_WORD } else { document.len() }
}

/// The members by which a document is told from another one. `None` if there are others, or one of them twice.
fn members(document: &[u8]) -> Option<[Option<Value>; 8]> {
    let object = json::object(document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document))?;
    let names = ["kind", "version", "of", "key", "client", "generation", "salt", "sealed"];
    names.iter().all(|name| object.all(name).count() < 2).then(|| names.map(|name| object.only(name).cloned()))
}

fn check_sealed(text: &str) {
    let sealed = SEALER.seal(Kind::Login, &grant("one"), &About::default(), text).expect("there is randomness");
    let open = |kind, name, document: &[u8]| SEALER.open(kind, &grant(name), document);
    assert_eq!(*open(Kind::Login, "one", sealed.as_bytes()).expect("it is whole"), text.as_bytes());
    assert!(open(Kind::Login, "other", sealed.as_bytes()).is_err());
    assert!(open(Kind::Record, "one", sealed.as_bytes()).is_err());
    // A dozen bytes are changed, the last of the closing brace.
    let longest = sealed.trim_end().len() - 1;
    for index in (0..longest).step_by(longest.div_ceil(11).max(1)).chain([longest]) {
        let mut changed = sealed.clone().into_bytes();
        changed[index] ^= 1;
        assert!(open(Kind::Login, "one", &changed).is_err(), "{index}");
        assert!(open(Kind::Login, "one", &sealed.as_bytes()[..index]).is_err(), "{index}");
    }
}

fn grant(name: &str) -> GrantName {
    name.parse().expect("it is a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If it did not open, the target would only try errors.
    #[test]
    fn the_sealed_document_of_the_corpus_opens() {
        assert_eq!(*SEALER.open(Kind::Record, &grant("default"), KNOWN).unwrap(), TEXT.as_bytes());
    }
}
