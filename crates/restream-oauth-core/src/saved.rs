//! The saved forms of tokens and of a login: versioned JSON documents that round-trip everything.
//!
//! Secret types have no `Serialize`, so that no derived logger or dump can write them; these are the only writers.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::authorization::{AuthorizationUrl, Login, RandomText};
use crate::bearer::{AccessToken, TokenType};
use crate::binding::Binding;
use crate::client::{Client, Registration};
use crate::endpoints::Endpoints;
use crate::json::{self, Shape, Value};
use crate::scope::{MOST_FROM_SERVER, Scopes};
use crate::secret::{CleanText, SecretText, same_text, secret_type};
use crate::token::{Oddities, Oddity, RefreshToken, Tokens};
use crate::uri::Place;

/// A kind of saved document, and the newest version of it that this library writes.
struct Kind {
    name: &'static str,
    newest: &'static str,
}

/// Version 2 says which client and which server the tokens belong to; version 1 did not.
const TOKENS: Kind = Kind { name: "tokens", newest: "2" };
const UNBOUND_VERSION: &str = "1";
const LOGIN: Kind = Kind { name: "login", newest: "1" };

secret_type! {
    /// A saved document: it holds secrets. Write it where only its user can read it (mode 0600).
    Saved
}

impl Tokens {
    /// The saved form: one line of JSON that [`from_saved`](Self::from_saved) reads back to an equal value.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use restream_oauth_core::{Client, RefreshToken};
    /// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts();
    /// # let answer = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
    /// # let tokens = reader.read(answer, SystemTime::UNIX_EPOCH)?;
    /// use restream_oauth_core::Tokens;
    ///
    /// let saved = tokens.to_saved();
    /// assert_eq!(Tokens::from_saved(saved.expose_secret())?, tokens);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_saved(&self) -> Saved {
        let binding = self.binding();
        let texts = [
            self.access_token.expose_secret(),
            self.refresh_token.as_ref().map_or("", RefreshToken::expose_secret),
            self.token_type().as_str(),
            self.scopes.as_ref().map_or("", Scopes::as_str),
            binding.map_or("", Binding::client_id),
            binding.map_or("", Binding::token_endpoint),
        ];
        // Tokens that nobody bound stay what they are, rather than become those of whoever saves them.
        let version = if binding.is_some() { TOKENS.newest } else { UNBOUND_VERSION };
        let mut writer = Writer::new(&TOKENS, version, texts.map(str::len).iter().sum());
        if let Some(binding) = binding {
            writer.text("client_id", binding.client_id());
            writer.text("token_endpoint", binding.token_endpoint());
        }
        writer.text("access_token", self.access_token.expose_secret());
        if let Some(token) = &self.refresh_token {
            writer.text("refresh_token", token.expose_secret());
        }
        writer.text("token_type", self.token_type().as_str());
        if let Some(scopes) = &self.scopes {
            writer.text("scope", scopes.as_str());
        }
        writer.time("sent_at", self.sent_at);
        writer.number("expires_in", self.lifetime.as_secs());
        writer.number("refresh_expires_in", self.refresh_lifetime.as_secs());
        for (name, time) in [
            ("server_expires_at", self.server_expires_at),
            ("server_refresh_expires_at", self.server_refresh_expires_at),
        ] {
            if let Some(time) = time {
                writer.time(name, time);
            }
        }
        let mut oddities = String::new();
        for oddity in self.oddities.iter() {
            if !oddities.is_empty() {
                oddities.push(' ');
            }
            oddities.push_str(oddity.as_str());
        }
        writer.text("oddities", &oddities);
        writer.finish()
    }

    /// Reads a saved form, whichever client and server the tokens belong to: see [`binding`](Self::binding). Prefer
    /// [`Client::restore_tokens`], which refuses tokens of others. A byte order mark before the document is skipped.
    ///
    /// # Errors
    /// [`SavedError`] if it is not one, is damaged, or is of a version that this library does not know.
    pub fn from_saved(document: impl AsRef<[u8]>) -> Result<Self, SavedError> {
        let document = Document::read(document.as_ref(), &TOKENS)?;
        let binding = match document.version {
            UNBOUND_VERSION => None,
            _ => Some(Arc::new(Binding {
                client_id: document.text("client_id")?.to_string(),
                token_endpoint: document.text("token_endpoint")?.to_string(),
            })),
        };
        let token_type = TokenType::from_saved(&document.text("token_type")?);
        let token_type = token_type.ok_or(SavedError::Damaged("token_type"))?;
        let mut scopes = None;
        if let Some(text) = document.optional_text("scope")? {
            let all = scopes.insert(Scopes::default());
            for (index, scope) in text.split(' ').filter(|scope| !scope.is_empty()).enumerate() {
                // No answer gives more, and each is looked up among the others.
                if index >= MOST_FROM_SERVER || !all.add(scope.as_bytes()) {
                    return Err(SavedError::Damaged("scope"));
                }
            }
        }
        let mut oddities = Oddities::default();
        for name in document.text("oddities")?.split(' ').filter(|name| !name.is_empty()) {
            // One that a later release writes is no reason to lose a pair.
            if let Some(oddity) = Oddity::from_name(name) {
                oddities.add(oddity);
            }
        }
        Ok(Self {
            binding,
            access_token: AccessToken::of_type(document.token("access_token")?, token_type),
            refresh_token: document.optional_token("refresh_token")?.map(RefreshToken),
            sent_at: document.time("sent_at")?.ok_or(SavedError::Damaged("sent_at"))?,
            lifetime: document.seconds("expires_in")?,
            refresh_lifetime: document.seconds("refresh_expires_in")?,
            scopes,
            server_expires_at: document.time("server_expires_at")?,
            server_refresh_expires_at: document.time("server_refresh_expires_at")?,
            oddities,
        })
    }
}

impl Client {
    /// Restores tokens that [`Tokens::to_saved`] wrote, if they are this client's.
    ///
    /// Tokens of a document of version 1 are restored too; their [`binding`](Tokens::binding) is `None`.
    ///
    /// # Errors
    /// [`SavedError`] if the document cannot be read, or says that the tokens belong to another server or client.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use restream_oauth_core::{Client, RefreshToken, SavedError};
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// # let (_, reader) = client.refresh(&RefreshToken::new("r0")).into_parts();
    /// # let response = http::Response::new(r#"{"access_token":"a1","refresh_token":"r1","expires_in":3600}"#);
    /// # let tokens = reader.read(response, SystemTime::UNIX_EPOCH)?;
    /// let saved = tokens.to_saved();
    /// assert_eq!(client.restore_tokens(saved.expose_secret())?, tokens);
    ///
    /// let other = Client::builder("other").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let refused = other.restore_tokens(saved.expose_secret()).unwrap_err();
    /// assert_eq!(refused, SavedError::TokensOfOtherClient { client_id: "id".into() });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_tokens(&self, document: impl AsRef<[u8]>) -> Result<Tokens, SavedError> {
        let tokens = self.endpoints().restore_tokens(document)?;
        match tokens.binding() {
            Some(binding) if binding.client_id() != self.client_id() => {
                Err(SavedError::TokensOfOtherClient { client_id: binding.client_id().into() })
            }
            _ => Ok(tokens),
        }
    }
}

impl Endpoints {
    /// As [`Client::restore_tokens`], for programs that need no client, such as one that only asks for a profile: compares
    /// the token endpoint alone.
    ///
    /// # Errors
    /// [`SavedError`] if the document cannot be read, or says that the tokens belong to another server.
    pub fn restore_tokens(&self, document: impl AsRef<[u8]>) -> Result<Tokens, SavedError> {
        let tokens = Tokens::from_saved(document)?;
        match tokens.binding() {
            Some(binding) if !binding.is_of_endpoint(&self.token) => {
                Err(SavedError::TokensOfOtherServer { token_endpoint: binding.token_endpoint().into() })
            }
            _ => Ok(tokens),
        }
    }
}

impl Login {
    /// The saved form, for the time in which the browser is away: one line of JSON that
    /// [`Client::restore_login`] reads. It holds `state` and the PKCE verifier: keep it on the server.
    pub fn to_saved(&self) -> Saved {
        let registration = &self.registration;
        let identity = identity(registration);
        let mut writer = Writer::new(
            &LOGIN,
            LOGIN.newest,
            identity.iter().map(|text| text.len()).sum::<usize>().saturating_add(self.url.as_str().len()),
        );
        for (name, text) in IDENTITY.into_iter().zip(identity) {
            writer.text(name, text);
        }
        writer.raw("accepted", if self.accepted { "true" } else { "false" });
        writer.text("url", self.url.as_str());
        writer.text("state", self.state.as_str());
        if let Some(verifier) = &self.verifier {
            writer.text("code_verifier", verifier.as_str());
        }
        writer.finish()
    }
}

/// What a saved login must have in common with the client that restores it, so that a code never goes to another
/// authorization server than the one that was asked (RFC 9700 §4.4).
const IDENTITY: [&str; 3] = ["client_id", "redirect_uri", "token_endpoint"];

fn identity(registration: &Registration) -> [&str; 3] {
    [&registration.binding.client_id, &registration.redirect_uri, &registration.binding.token_endpoint]
}

impl Client {
    /// Restores a login that [`Login::to_saved`] wrote, open as it was.
    ///
    /// # Errors
    /// [`SavedError`] if it is not one, is damaged, or belongs to another client.
    ///
    /// ```
    /// use restream_oauth_core::{Client, Entropy};
    ///
    /// # fn random_64_bytes() -> [u8; 64] { std::array::from_fn(|n| n as u8) }
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let saved = client.login(Entropy::from(random_64_bytes())).to_saved();
    /// let mut login = client.restore_login(saved.expose_secret())?;
    /// assert!(login.read_callback("/callback?code=c&state=forged").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_login(&self, document: impl AsRef<[u8]>) -> Result<Login, SavedError> {
        let document = Document::read(document.as_ref(), &LOGIN)?;
        let registration = self.registration();
        for (name, own) in IDENTITY.into_iter().zip(identity(registration)) {
            if !same_text(&document.text(name)?, own) {
                return Err(SavedError::OtherClient(name));
            }
        }
        let random = |name, text: &str| RandomText::from_saved(text).ok_or(SavedError::Damaged(name));
        let verifier = document.optional_text("code_verifier")?;
        let state = random("state", &document.text("state")?)?;
        let url = document.text("url")?;
        // Whoever opens it must not end up elsewhere, or come back as somebody else.
        let rest = url.strip_prefix(&registration.authorization_prefix).ok_or(SavedError::OtherClient("url"))?;
        if !rest.starts_with(state.as_str()) {
            return Err(SavedError::Damaged("url"));
        }
        let accepted = document.get("accepted").and_then(Value::boolean).ok_or(SavedError::Damaged("accepted"))?;
        Ok(Login {
            registration: Arc::clone(registration),
            state,
            verifier: verifier.map(|text| random("code_verifier", &text)).transpose()?,
            accepted,
            url: AuthorizationUrl(url.into_owned()),
        })
    }
}

/// Why a saved document cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SavedError {
    /// It is not a JSON object: empty, cut, or something else.
    NotJson,
    /// It is UTF-16, which some editors and shells write; expected UTF-8.
    Utf16,
    /// It is JSON, but not a document of this library, or one of another kind.
    OtherKind {
        /// What was expected: `tokens` or `login`.
        expected: &'static str,
    },
    /// It was written by a newer version of this library.
    UnknownVersion,
    /// A member is missing or holds what it cannot hold.
    Damaged(&'static str),
    /// A login of another client: this member differs.
    OtherClient(&'static str),
    /// The tokens belong to another client.
    TokensOfOtherClient {
        /// Its identifier.
        client_id: Box<str>,
    },
    /// The tokens belong to another authorization server.
    TokensOfOtherServer {
        /// The URL of its token endpoint.
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
            Self::TokensOfOtherClient { client_id } => {
                let client_id = client_id.escape_default();
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

/// Writes one JSON object into wiped memory that never grows.
struct Writer(SecretText);

impl Writer {
    /// `texts` is the length in bytes of all text that need not be small.
    fn new(kind: &Kind, version: &str, texts: usize) -> Self {
        const SMALL: usize = 4096;
        // A byte takes six when it is escaped.
        let mut out = SecretText::with_capacity(texts.saturating_mul(6).saturating_add(SMALL));
        out.push('{');
        let mut writer = Self(out);
        writer.raw("version", version);
        writer.text("kind", kind.name);
        writer
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        json::write_string(&mut self.0, text);
    }

    fn number(&mut self, name: &str, number: u64) {
        self.raw(name, &number.to_string());
    }

    /// Unix seconds with nine digits of fraction, as text, so that no JSON tool rounds it; negative before 1970.
    fn time(&mut self, name: &str, time: SystemTime) {
        let (sign, distance) = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(distance) => ("", distance),
            Err(earlier) => ("-", earlier.duration()),
        };
        self.text(name, &format!("{sign}{}.{:09}", distance.as_secs(), distance.subsec_nanos()));
    }

    fn raw(&mut self, name: &str, raw: &str) {
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

    fn finish(mut self) -> Saved {
        self.0.push('}');
        Saved(self.0)
    }
}

/// The members of both documents.
const MEMBERS: [&str; 19] = [
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
];

/// A saved document, split into its members.
struct Document<'a> {
    version: &'a str,
    /// One place for each of [`MEMBERS`].
    members: [Option<Value<'a>>; MEMBERS.len()],
}

impl<'a> Document<'a> {
    fn read(bytes: &'a [u8], expected: &Kind) -> Result<Self, SavedError> {
        if is_utf16(bytes) {
            return Err(SavedError::Utf16);
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut document = Self { version: "", members: [None; MEMBERS.len()] };
        let shape = json::members(bytes, |key, value| {
            // Memory for what is known only.
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
        // Versions are small numbers: as many digits, and in their order.
        let is_known = version.len() == expected.newest.len() && version <= expected.newest;
        if is_known { Ok(version) } else { Err(SavedError::UnknownVersion) }
    }

    fn get(&self, name: &str) -> Option<Value<'a>> {
        MEMBERS.iter().zip(self.members).find_map(|(member, value)| if *member == name { value } else { None })
    }

    fn text(&self, name: &'static str) -> Result<CleanText<'a>, SavedError> {
        self.optional_text(name)?.ok_or(SavedError::Damaged(name))
    }

    fn optional_text(&self, name: &'static str) -> Result<Option<CleanText<'a>>, SavedError> {
        self.get(name).map(|value| value.string().ok_or(SavedError::Damaged(name))).transpose()
    }

    fn token(&self, name: &'static str) -> Result<SecretText, SavedError> {
        self.optional_token(name)?.ok_or(SavedError::Damaged(name))
    }

    /// No token is empty.
    fn optional_token(&self, name: &'static str) -> Result<Option<SecretText>, SavedError> {
        match self.optional_text(name)? {
            Some(token) if token.is_empty() => Err(SavedError::Damaged(name)),
            token => Ok(token.map(CleanText::into_owned)),
        }
    }

    fn seconds(&self, name: &'static str) -> Result<Duration, SavedError> {
        let seconds = self.get(name).and_then(Value::integer).ok_or(SavedError::Damaged(name))?;
        Ok(Duration::from_secs(seconds))
    }

    fn time(&self, name: &'static str) -> Result<Option<SystemTime>, SavedError> {
        let text = self.optional_text(name)?;
        text.map(|text| read_time(&text).ok_or(SavedError::Damaged(name))).transpose()
    }
}

/// True for text in UTF-16: it begins with a byte order mark, or has a zero in its first character, which is a brace.
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
