//! Serde support, for programs that keep this crate's values in their own structs (feature `serde`).
//!
//! Values without a secret implement `Serialize` and `Deserialize`: [`Scope`], [`Scopes`], [`ErrorCode`] and [`Oddity`]
//! as a string, [`Profile`] as a struct. Tokens and logins do not implement them, so that no derived logger writes
//! them. To store tokens or a login, wrap them in [`SavedTokens`] or [`SavedLogin`], which serialize as the saved
//! document in one string.
//!
//! ```
//! use restream_oauth_core::serializable::SavedTokens;
//! # use restream_oauth_core::{Client, RefreshToken};
//! # use std::time::SystemTime;
//! # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
//! # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts(SystemTime::UNIX_EPOCH);
//! # let tokens = reader.read(http::Response::new(r#"{"access_token":"a1","refresh_token":"r1"}"#))?;
//! let row = serde_json::to_string(&SavedTokens(tokens.clone()))?; // in a program: a field of its own struct
//! let SavedTokens(restored) = serde_json::from_str(&row)?;
//! assert_eq!(restored, tokens);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::marker::PhantomData;

use serde_core::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde_core::ser::SerializeStruct as _;
use serde_core::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ErrorCode;
use crate::flow::{Login, Profile};
use crate::saved::Saved;
use crate::token::{Oddity, Scope, Scopes, Tokens, words};

/// Tokens that serialize as their [saved form](Tokens::to_saved). **The string holds secrets**: store it where only its
/// owner can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedTokens(pub Tokens);

/// A login that serializes as its [saved form](Login::to_saved). **The string holds secrets.** Restore the login with
/// [`Client::restore_login`](crate::Client::restore_login).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedLogin(pub Saved);

impl From<&Login> for SavedLogin {
    fn from(login: &Login) -> Self {
        Self(login.to_saved())
    }
}

impl Serialize for SavedTokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.to_saved().expose_secret())
    }
}

impl<'de> Deserialize<'de> for SavedTokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = "a saved document of tokens";
        deserializer.deserialize_str(Text::new(document, |text| match Tokens::from_saved(text) {
            Ok(tokens) => Ok(Self(tokens)),
            Err(error) => Err(error.to_string()),
        }))
    }
}

impl Serialize for SavedLogin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

/// Accepts any string: [`Client::restore_login`](crate::Client::restore_login) checks the document later.
impl<'de> Deserialize<'de> for SavedLogin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new("a saved login", |text| Ok(Self(Saved::new(text)))))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new("one scope", |text| Self::new(text).map_err(|error| error.to_string())))
    }
}

/// Serializes as RFC 6749 §3.3 writes scopes: separated by spaces.
impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new("scopes separated by spaces", |text| {
            let mut scopes = Self::default();
            let valid = words(text.as_bytes()).all(|scope| scopes.add(scope));
            if valid { Ok(scopes) } else { Err("one of the scopes holds a character that no scope has".to_owned()) }
        }))
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An unknown code becomes [`ErrorCode::Other`] with the text that [`ErrorCode::as_str`] returned.
impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let invalid = || "an error code is visible ASCII, and short".to_owned();
        deserializer.deserialize_str(Text::new("an error code", |text| Self::from_saved(text).ok_or_else(invalid)))
    }
}

impl Serialize for Oddity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Oddity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let unknown = || "this version knows no such oddity".to_owned();
        deserializer
            .deserialize_str(Text::new("the name of an oddity", |text| Self::from_name(text).ok_or_else(unknown)))
    }
}

const PROFILE: [&str; 3] = ["id", "username", "email"];

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [id, username, email] = PROFILE;
        let mut profile = serializer.serialize_struct("Profile", PROFILE.len())?;
        profile.serialize_field(id, self.id())?;
        profile.serialize_field(username, &self.username())?;
        profile.serialize_field(email, &self.email())?;
        profile.end()
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Profile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a profile with an id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Profile, A::Error> {
                let mut members: [Option<Option<String>>; 3] = Default::default();
                while let Some(name) = map.next_key::<String>()? {
                    match PROFILE.iter().zip(&mut members).find(|(known, _)| **known == name) {
                        Some((name, Some(_))) => return Err(A::Error::duplicate_field(name)),
                        Some((_, member)) => *member = Some(map.next_value()?),
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let [id, username, email] = members.map(Option::flatten);
                Ok(Profile::of(id.ok_or_else(|| A::Error::missing_field("id"))?, username, email))
            }
        }
        deserializer.deserialize_struct("Profile", &PROFILE, Members)
    }
}

/// Makes a value from a string. `read` returns the value, or the reason why the string is invalid.
struct Text<T, F> {
    expected: &'static str,
    read: F,
    value: PhantomData<T>,
}

impl<T, F: FnOnce(&str) -> Result<T, String>> Text<T, F> {
    fn new(expected: &'static str, read: F) -> Self {
        Self { expected, read, value: PhantomData }
    }
}

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Text<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: serde_core::de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}
