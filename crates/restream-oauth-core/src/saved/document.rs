//! A saved document: one line of JSON, written into memory that is wiped, and read back.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::encoding::json::{self, Shape, Value};
use crate::encoding::redaction;
use crate::encoding::uri::Place;
use crate::secret::base64::{self, Alphabet};
use crate::secret::{CleanText, SecretText, WipedBuffer, secret_type};

secret_type! {
    /// A saved document. It holds secrets: write it to a file that only its owner can read (mode 0600).
    Saved
}

/// Why a saved document cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SavedError {
    /// The document is not a whole JSON object: it is empty, truncated, or something else.
    NotJson,
    /// Expected UTF-8, got UTF-16, which some editors and shells write.
    Utf16,
    /// The document is JSON, but was not written by this library, or is of another kind.
    OtherKind {
        /// The expected kind: `tokens`, `login` or `answer`.
        expected: &'static str,
    },
    /// A newer version of this library wrote the document.
    UnknownVersion,
    /// This member is missing, or has a value that this library never writes.
    Damaged(&'static str),
    /// The saved login belongs to another client: this member differs.
    OtherClient(&'static str),
    /// The saved answer belongs to another call: another step, or another credential.
    OtherCall,
    /// The tokens belong to another client.
    TokensOfOtherClient {
        /// The identifier of that client.
        client_id: Box<str>,
    },
    /// The tokens belong to another authorization server.
    TokensOfOtherServer {
        /// The URL of that server's token endpoint.
        token_endpoint: Box<str>,
    },
}

impl fmt::Display for SavedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("expected a saved document, got something that is not whole JSON"),
            Self::OtherKind { expected } => write!(f, "expected saved {expected}, got another kind of document"),
            Self::UnknownVersion => f.write_str("the saved document is of a newer version: update this program"),
            Self::Damaged(name) => write!(f, "the saved document is damaged: its {name} cannot be used"),
            Self::Utf16 => f.write_str("expected a saved document in UTF-8, got UTF-16: convert the file"),
            Self::OtherClient(name) => write!(f, "the saved login is of another client: its {name} differs"),
            Self::OtherCall => {
                f.write_str("the saved answer is to another call: build the call with the same credential")
            }
            Self::TokensOfOtherClient { client_id } => {
                let client_id = redaction::message(client_id, &[]);
                write!(f, "the tokens belong to the client \"{client_id}\": use its configuration, or log in again")
            }
            Self::TokensOfOtherServer { token_endpoint } => {
                let place = Place(token_endpoint);
                write!(f, "the tokens belong to the server at {place:?}: use its URLs, or log in again")
            }
        }
    }
}

impl std::error::Error for SavedError {}

/// A kind of saved document, and the newest version of this kind.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) newest: &'static str,
}

/// Writes one JSON object. Its memory is wiped when dropped, and never grows.
pub(super) struct Writer(SecretText);

impl Writer {
    /// `texts` is the total length, in bytes, of the texts that may be long.
    pub(super) fn new(kind: &Kind, version: &str, texts: usize) -> Self {
        // An escaped byte takes up to six bytes.
        Self::with_room(kind, version, texts.saturating_mul(6))
    }

    /// `bytes` is the room for the values that may be long.
    pub(super) fn with_room(kind: &Kind, version: &str, bytes: usize) -> Self {
        const SMALL: usize = 4096;
        let mut out = SecretText::with_capacity(bytes.saturating_add(SMALL));
        out.push('{');
        let mut writer = Self(out);
        writer.raw("version", version);
        writer.text("kind", kind.name);
        writer
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        json::write_string(&mut self.0, text);
    }

    pub(super) fn boolean(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    pub(super) fn number(&mut self, name: &str, number: u64) {
        self.raw(name, &number.to_string());
    }

    /// Writes a time as Unix seconds with nine digits of fraction; negative before 1970. It is a string, so that no
    /// JSON tool rounds it.
    pub(super) fn time(&mut self, name: &str, time: SystemTime) {
        self.text(name, &time_text(time));
    }

    /// Writes bytes in base64.
    pub(super) fn base64(&mut self, name: &str, bytes: &[u8]) {
        self.name(name);
        self.0.push('"');
        self.0.push_base64(bytes, Alphabet::Standard);
        self.0.push('"');
    }

    pub(super) fn raw(&mut self, name: &str, raw: &str) {
        self.name(name);
        self.0.push_str(raw);
    }

    fn name(&mut self, name: &str) {
        if !self.0.expose().ends_with('{') {
            self.0.push(',');
        }
        json::write_string(&mut self.0, name);
        self.0.push(':');
    }

    pub(super) fn finish(mut self) -> Saved {
        self.0.push('}');
        Saved(self.0)
    }
}

/// A document with another time between two pieces of its text.
pub(super) fn saved_around(before: &str, time: SystemTime, after: &str) -> Saved {
    let time = time_text(time);
    let room = before.len().saturating_add(time.len()).saturating_add(after.len());
    let mut out = SecretText::with_capacity(room);
    for piece in [before, &time, after] {
        out.push_str(piece);
    }
    Saved(out)
}

fn time_text(time: SystemTime) -> String {
    let (sign, distance) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(distance) => ("", distance),
        Err(earlier) => ("-", earlier.duration()),
    };
    format!("{sign}{}.{:09}", distance.as_secs(), distance.subsec_nanos())
}

/// The names of the members of every kind of document.
const MEMBERS: [&str; 32] = [
    "version",
    "kind",
    "access_token",
    "refresh_token",
    "token_type",
    "scope",
    "sent_at",
    "expires_in",
    "refresh_expires_in",
    "server_expires_at",
    "server_refresh_expires_at",
    "oddities",
    "client_id",
    "redirect_uri",
    "token_endpoint",
    "accepted",
    "url",
    "state",
    "code_verifier",
    "call",
    "status",
    "json",
    "encoded",
    "content_length",
    "retry_after",
    "retry_at",
    "server_now",
    "challenges",
    "too_large",
    "stage",
    "failure",
    "body",
];

/// A saved document, split into its members.
pub(super) struct Document<'a> {
    pub(super) version: &'a str,
    /// The value of each of [`MEMBERS`], in the same order.
    members: [Option<Value<'a>>; MEMBERS.len()],
}

impl<'a> Document<'a> {
    pub(super) fn read(bytes: &'a [u8], expected: &Kind) -> Result<Self, SavedError> {
        if is_utf16(bytes) {
            return Err(SavedError::Utf16);
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut document = Self { version: "", members: [None; MEMBERS.len()] };
        let shape = json::members(bytes, |key, value| {
            // Stores known members only, so that memory stays bounded.
            let places = MEMBERS.iter().zip(&mut document.members);
            if let Some((_, place)) = places.into_iter().find(|(name, _)| name.as_bytes() == key) {
                *place = Some(value);
            }
        });
        if shape != Shape::Complete {
            return Err(SavedError::NotJson);
        }
        if document.optional_text("kind")?.is_none_or(|kind| &*kind != expected.name) {
            return Err(SavedError::OtherKind { expected: expected.name });
        }
        document.version = document.read_version(expected)?;
        Ok(document)
    }

    fn read_version(&self, expected: &Kind) -> Result<&'a str, SavedError> {
        let version = self.get("version").filter(|version| version.is_whole()).map(Value::written);
        let version = version.and_then(|digits| std::str::from_utf8(digits).ok()).filter(|digits| *digits != "0");
        let version = version.ok_or(SavedError::Damaged("version"))?;
        // Versions are small numbers: two of equal length compare as text in the same order as numbers.
        let is_known = version.len() == expected.newest.len() && version <= expected.newest;
        if is_known { Ok(version) } else { Err(SavedError::UnknownVersion) }
    }

    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        MEMBERS.iter().zip(self.members).find_map(|(member, value)| if *member == name { value } else { None })
    }

    pub(super) fn text(&self, name: &'static str) -> Result<CleanText<'a>, SavedError> {
        self.optional_text(name)?.ok_or(SavedError::Damaged(name))
    }

    pub(super) fn optional_text(&self, name: &'static str) -> Result<Option<CleanText<'a>>, SavedError> {
        self.get(name).map(|value| value.string().ok_or(SavedError::Damaged(name))).transpose()
    }

    pub(super) fn token(&self, name: &'static str) -> Result<SecretText, SavedError> {
        self.optional_token(name)?.ok_or(SavedError::Damaged(name))
    }

    /// A token, if the member exists. An empty token is an error.
    pub(super) fn optional_token(&self, name: &'static str) -> Result<Option<SecretText>, SavedError> {
        match self.optional_text(name)? {
            Some(token) if token.is_empty() => Err(SavedError::Damaged(name)),
            token => Ok(token.map(CleanText::into_owned)),
        }
    }

    /// A number, if the member exists.
    pub(super) fn optional_number(&self, name: &'static str) -> Result<Option<u64>, SavedError> {
        self.get(name).map(|value| value.integer().ok_or(SavedError::Damaged(name))).transpose()
    }

    pub(super) fn boolean(&self, name: &'static str) -> Result<bool, SavedError> {
        self.get(name).and_then(Value::boolean).ok_or(SavedError::Damaged(name))
    }

    /// Reads bytes that [`Writer::base64`] wrote.
    pub(super) fn bytes(&self, name: &'static str) -> Result<WipedBuffer, SavedError> {
        base64::decode(&self.text(name)?, Alphabet::Standard).ok_or(SavedError::Damaged(name))
    }

    pub(super) fn seconds(&self, name: &'static str) -> Result<Duration, SavedError> {
        let seconds = self.get(name).and_then(Value::integer).ok_or(SavedError::Damaged(name))?;
        Ok(Duration::from_secs(seconds))
    }

    pub(super) fn time(&self, name: &'static str) -> Result<Option<SystemTime>, SavedError> {
        let text = self.optional_text(name)?;
        text.map(|text| read_time(&text).ok_or(SavedError::Damaged(name))).transpose()
    }
}

/// True for text in UTF-16: it begins with a byte order mark, or with a brace of two bytes.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, b'{', ..] | [b'{', 0, ..])
}

fn read_time(raw: &str) -> Option<SystemTime> {
    let (negative, digits) = raw.strip_prefix('-').map_or((false, raw), |digits| (true, digits));
    let (seconds, nanoseconds) = digits.split_once('.')?;
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if nanoseconds.len() != 9 || !all_digits(seconds) || !all_digits(nanoseconds) {
        return None;
    }
    let distance = Duration::new(seconds.parse().ok()?, nanoseconds.parse().ok()?);
    if negative { SystemTime::UNIX_EPOCH.checked_sub(distance) } else { SystemTime::UNIX_EPOCH.checked_add(distance) }
}
