//! The sealed document: what stands in it beside the sealed text. It is one line of JSON, or compact.

use std::borrow::Cow;
use std::fmt;

use restream_oauth_core::SavedError;
use serde_core::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::SealError;
use super::key_id::KeyId;
use super::kind::{About, Kind};
#[cfg(feature = "sealed")]
use crate::compact::pack_value;
use crate::compact::unpack_value;

/// Returns the key that a document is sealed with; `None` if it is not sealed.
///
/// This opens nothing, so it does not prove that the document is whole.
///
/// # Errors
/// [`SealError::Damaged`] or [`SealError::UnknownVersion`] if the document says that it is sealed, and cannot be used.
pub fn key_of(document: &[u8]) -> Result<Option<KeyId>, SealError> {
    match Look::at(document) {
        Look::Sealed(envelope) => envelope.map(|envelope| Some(envelope.key)),
        Look::Other { .. } => Ok(None),
    }
}

/// What a document is at first sight.
pub(super) enum Look<'a> {
    /// It says that it is sealed.
    Sealed(Result<Envelope<'a>, SealError>),
    /// It does not.
    Other {
        /// Its member `kind`; `None` if it is no JSON object, or has none.
        #[cfg_attr(not(feature = "sealed"), allow(dead_code, reason = "who has a ring asks"))]
        kind: Option<&'a str>,
    },
}

impl<'a> Look<'a> {
    pub(super) fn at(document: &'a [u8]) -> Self {
        if let Some(sealed) = document.strip_prefix(&[SEALED]) {
            return Self::Sealed(Envelope::read_compact(sealed));
        }
        let document = document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document);
        let Ok(members) = serde_json::from_slice::<Members<'a>>(document) else {
            return Self::Other { kind: None };
        };
        match text(members.kind) {
            Ok("sealed") => Self::Sealed(Envelope::read(&members)),
            kind => Self::Other { kind: kind.ok() },
        }
    }
}

/// The length of a salt, in bytes. Two documents with the same random salt never happen.
pub(super) const SALT: usize = 32;
/// The first byte of a compact sealed document. What follows are the compact form of the list of `of`, `key`, `client`
/// and `generation`, the salt, and the sealed text.
const SEALED: u8 = 2;

/// A sealed document.
#[cfg_attr(not(feature = "sealed"), allow(dead_code, reason = "nothing is opened without a ring"))]
pub(super) struct Envelope<'a> {
    pub(super) kind: Kind,
    pub(super) key: KeyId,
    pub(super) about: About,
    pub(super) sealed: Sealed<'a>,
}

/// Salt and sealed text.
#[cfg_attr(not(feature = "sealed"), allow(dead_code, reason = "nothing is opened without a ring"))]
pub(super) enum Sealed<'a> {
    /// In base64, and the text is JSON.
    Json { salt: &'a str, text: &'a str },
    /// As they are, and the text is compact.
    Compact { salt: &'a [u8; SALT], text: &'a [u8] },
}

impl<'a> Envelope<'a> {
    /// Each member is there once, and no other: what is not authenticated must not be there to be believed.
    fn read(members: &Members<'a>) -> Result<Self, SealError> {
        match members.version.map(RawValue::get) {
            Some("1") => {}
            Some(version) if version.parse::<u32>().is_ok_and(|version| version > 1) => {
                return Err(SealError::UnknownVersion);
            }
            _ => return Err(SealError::Damaged),
        }
        if members.count != 8 {
            return Err(SealError::Damaged);
        }
        let optional = |member: Option<&'a RawValue>| member.map(RawValue::get).ok_or(SealError::Damaged);
        Ok(Self {
            kind: Kind::of_name(text(members.of)?).ok_or(SealError::Damaged)?,
            key: text(members.key)?.parse().map_err(|_| SealError::Damaged)?,
            about: About {
                client: serde_json::from_str(optional(members.client)?).map_err(|_| SealError::Damaged)?,
                generation: serde_json::from_str(optional(members.generation)?).map_err(|_| SealError::Damaged)?,
            },
            sealed: Sealed::Json { salt: text(members.salt)?, text: text(members.sealed)? },
        })
    }

    fn read_compact(document: &'a [u8]) -> Result<Self, SealError> {
        let (head, sealed) = unpack_value(document).map_err(|error| match error {
            SavedError::UnknownVersion => SealError::UnknownVersion,
            _ => SealError::Damaged,
        })?;
        let head = serde_json::from_slice::<(String, String, Option<String>, Option<u64>)>(&head);
        let (kind, key, client, generation) = head.map_err(|_| SealError::Damaged)?;
        let (salt, text) = sealed.split_first_chunk().ok_or(SealError::Damaged)?;
        Ok(Self {
            kind: Kind::of_name(&kind).ok_or(SealError::Damaged)?,
            key: key.parse().map_err(|_| SealError::Damaged)?,
            about: About { client, generation },
            sealed: Sealed::Compact { salt, text },
        })
    }

    /// Writes the document as one line of JSON. None of it is a secret.
    #[cfg(feature = "sealed")]
    pub(super) fn json(kind: Kind, key: &KeyId, about: &About, salt: &str, sealed: &str) -> String {
        let (of, [client, generation]) = (kind.name(), values(about));
        format!(
            "{{\"version\":1,\"kind\":\"sealed\",\"of\":\"{of}\",\"key\":\"{key}\",\"client\":{client},\
             \"generation\":{generation},\"salt\":\"{salt}\",\"sealed\":\"{sealed}\"}}\n"
        )
    }

    /// Writes a compact document. None of it is a secret.
    #[cfg(feature = "sealed")]
    pub(super) fn compact(kind: Kind, key: &KeyId, about: &About, salt: &[u8; SALT], sealed: &[u8]) -> Vec<u8> {
        let (of, [client, generation]) = (kind.name(), values(about));
        let head = pack_value(SEALED, &format!("[\"{of}\",\"{key}\",{client},{generation}]"));
        // The head is JSON without white space.
        [head.as_deref().map_or(&[][..], Vec::as_slice), salt, sealed].concat()
    }
}

#[cfg(feature = "sealed")]
fn values(About { client, generation }: &About) -> [serde_json::Value; 2] {
    [client.as_deref().into(), (*generation).into()]
}

/// A member that is a text without escapes, as all of ours are.
fn text(member: Option<&RawValue>) -> Result<&str, SealError> {
    let raw = member.ok_or(SealError::Damaged)?;
    serde_json::from_str(raw.get()).map_err(|_| SealError::Damaged)
}

/// The members of a JSON object. Those that no sealed document has are counted and not kept, so that a document with a
/// million of them takes no memory.
#[derive(Default)]
struct Members<'a> {
    version: Option<&'a RawValue>,
    kind: Option<&'a RawValue>,
    of: Option<&'a RawValue>,
    key: Option<&'a RawValue>,
    client: Option<&'a RawValue>,
    generation: Option<&'a RawValue>,
    salt: Option<&'a RawValue>,
    sealed: Option<&'a RawValue>,
    count: usize,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<Cow<'_, str>, &RawValue>()? {
                    members.count = members.count.saturating_add(1);
                    let member = match &*name {
                        "version" => &mut members.version,
                        "kind" => &mut members.kind,
                        "of" => &mut members.of,
                        "key" => &mut members.key,
                        "client" => &mut members.client,
                        "generation" => &mut members.generation,
                        "salt" => &mut members.salt,
                        "sealed" => &mut members.sealed,
                        _ => continue,
                    };
                    *member = Some(value);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEALED: &str = "{\"version\":1,\"kind\":\"sealed\",\"of\":\"record\",\"key\":\"k1\",\"client\":null,\
                          \"generation\":7,\"salt\":\"AA==\",\"sealed\":\"AA==\"}\n";

    #[test]
    fn a_sealed_document_names_its_key_and_no_other_document_does() {
        assert_eq!(key_of(SEALED.as_bytes()), Ok(Some("k1".parse().unwrap())));
        assert_eq!(key_of(format!("\u{feff}{SEALED}   ").as_bytes()), Ok(Some("k1".parse().unwrap())));
        for other in ["", "{", "[]", "{}", "{\"kind\":1}", "{\"kind\":\"tokens\",\"key\":\"k1\"}", &SEALED[..80]] {
            assert_eq!(key_of(other.as_bytes()), Ok(None), "{other}");
        }
    }

    #[test]
    fn a_sealed_document_with_a_member_too_few_or_too_many_or_of_another_type_is_damaged() {
        for (from, to) in [
            ("\"version\":1,", ""),
            ("\"version\":1", "\"version\":0"),
            ("\"version\":1", "\"version\":\"1\""),
            ("\"of\":\"record\"", "\"of\":\"rekord\""),
            ("\"of\":\"record\",", ""),
            ("\"key\":\"k1\"", "\"key\":\"k 1\""),
            ("\"key\":\"k1\"", "\"key\":1"),
            ("\"client\":null", "\"client\":1"),
            ("\"client\":null,", ""),
            ("\"generation\":7", "\"generation\":-7"),
            ("\"generation\":7,", ""),
            ("\"salt\":\"AA==\",", ""),
            ("\"salt\":\"AA==\"", "\"salt\":\"A\\u0041==\""),
            ("\"key\":\"k1\"", "\"key\":\"k1\",\"more\":1"),
            ("\"key\":\"k1\"", "\"key\":\"k1\",\"key\":\"k1\""),
            ("\"of\":\"record\"", "\"key\":\"k1\""),
        ] {
            let changed = SEALED.replacen(from, to, 1);
            assert_ne!(changed, SEALED, "{from}");
            assert_eq!(key_of(changed.as_bytes()), Err(SealError::Damaged), "{changed}");
        }
        let newer = SEALED.replacen("\"version\":1", "\"version\":2", 1);
        assert_eq!(key_of(newer.as_bytes()), Err(SealError::UnknownVersion));
    }
}
