//! An independent reader of JSON objects: `serde_json`, used as most programs use it.

use std::collections::HashMap;
use std::fmt;

use serde_core::de::{Deserialize, Deserializer, MapAccess, Visitor};
pub(crate) use serde_json::Value;
use serde_json::value::RawValue;

/// The members of an object in their order, with doubled ones. `None` if the bytes are not one whole object, or if
/// `Value` cannot hold it: nested more than 128 deep, with numbers out of range or lone surrogates.
pub(crate) fn object(bytes: &[u8]) -> Option<Object> {
    serde_json::from_slice(bytes).ok()
}

/// The object that is the member `name` of the object in `bytes`, with doubled members.
pub(crate) fn nested(bytes: &[u8], name: &str) -> Option<Object> {
    let members: HashMap<String, &RawValue> = serde_json::from_slice(bytes).ok()?;
    object(members.get(name)?.get().as_bytes())
}

pub(crate) struct Object(Vec<(String, Value)>);

impl Object {
    /// Each value of this name.
    pub(crate) fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &Value> {
        self.0.iter().filter(move |(one, _)| one == name).map(|(_, value)| value)
    }

    /// The value of this name, if there is exactly one.
    pub(crate) fn only(&self, name: &str) -> Option<&Value> {
        let mut all = self.all(name);
        let first = all.next();
        first.filter(|_| all.next().is_none())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The last value of this name that is a text of at least one character.
    pub(crate) fn last_text(&self, name: &str) -> Option<&str> {
        self.all(name).filter_map(Value::as_str).rfind(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
