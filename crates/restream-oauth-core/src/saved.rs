//! The saved forms of tokens and of a login: versioned JSON documents that round-trip everything.
//!
//! Secret types have no `Serialize`, so that no derived logger or dump can write them; these are the only writers.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::authorization::{AuthorizationUrl, Login, RandomText};
use crate::bearer::{AccessToken, TokenType};
use crate::client::Client;
use crate::json::{self, Shape, Value};
use crate::scope::{MOST_FROM_SERVER, Scopes};
use crate::secret::{CleanText, SecretText, same_text, secret_type};
use crate::token::{Oddities, Oddity, RefreshToken, Tokens};

const VERSION: &str = "1";

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
        let texts = [
            self.access_token.expose_secret(),
            self.refresh_token.as_ref().map_or("", RefreshToken::expose_secret),
            self.token_type().as_str(),
            self.scopes.as_ref().map_or("", Scopes::as_str),
        ];
        let mut writer = Writer::new("tokens", texts.map(str::len).iter().sum());
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

    /// Reads a saved form.
    ///
    /// # Errors
    /// [`SavedError`] if it is not one, is damaged, or is of a version that this library does not know.
    pub fn from_saved(text: &str) -> Result<Self, SavedError> {
        let document = Document::read(text, "tokens")?;
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

impl Login {
    /// The saved form, for the time in which the browser is away: one line of JSON that
    /// [`Client::restore_login`] reads. It holds `state` and the PKCE verifier: keep it on the server.
    pub fn to_saved(&self) -> Saved {
        let registration = &self.registration;
        let identity = [&*registration.client_id, &registration.redirect_uri, &registration.endpoints.token];
        let mut writer = Writer::new(
            "login",
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
    pub fn restore_login(&self, saved: &str) -> Result<Login, SavedError> {
        let document = Document::read(saved, "login")?;
        let registration = self.registration();
        let own = [&*registration.client_id, &registration.redirect_uri, &registration.endpoints.token];
        for (name, own) in IDENTITY.into_iter().zip(own) {
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
}

impl fmt::Display for SavedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("expected a saved document, got something that is not whole JSON"),
            Self::OtherKind { expected } => write!(f, "expected saved {expected}, got another kind of document"),
            Self::UnknownVersion => f.write_str("the saved document is of a newer version: update this program"),
            Self::Damaged(name) => write!(f, "the saved document is damaged: its {name} cannot be used"),
            Self::OtherClient(name) => write!(f, "the saved login is of another client: its {name} differs"),
        }
    }
}

impl std::error::Error for SavedError {}

/// Writes one JSON object into wiped memory that never grows.
struct Writer(SecretText);

impl Writer {
    /// `texts` is the length in bytes of all text that need not be small.
    fn new(kind: &str, texts: usize) -> Self {
        const SMALL: usize = 4096;
        // A byte takes six when it is escaped.
        let mut out = SecretText::with_capacity(texts.saturating_mul(6).saturating_add(SMALL));
        out.push('{');
        let mut writer = Self(out);
        writer.raw("version", VERSION);
        writer.text("kind", kind);
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

/// A saved document, split into its members: one place for each of [`MEMBERS`].
struct Document<'a>([Option<Value<'a>>; MEMBERS.len()]);

impl<'a> Document<'a> {
    fn read(text: &'a str, expected: &'static str) -> Result<Self, SavedError> {
        let mut document = Self([None; MEMBERS.len()]);
        let shape = json::members(text.as_bytes(), |key, value| {
            // Memory for what is known only.
            if let Some((_, place)) = MEMBERS.iter().zip(&mut document.0).find(|(name, _)| name.as_bytes() == key) {
                *place = Some(value);
            }
        });
        if shape != Shape::Complete {
            return Err(SavedError::NotJson);
        }
        if document.optional_text("kind")?.is_none_or(|kind| &*kind != expected) {
            return Err(SavedError::OtherKind { expected });
        }
        match document.get("version").filter(|version| version.is_whole()).map(Value::written) {
            Some(version) if version == VERSION.as_bytes() => Ok(document),
            Some(b"0") | None => Err(SavedError::Damaged("version")),
            Some(_) => Err(SavedError::UnknownVersion),
        }
    }

    fn get(&self, name: &str) -> Option<Value<'a>> {
        MEMBERS.iter().zip(self.0).find_map(|(member, value)| if *member == name { value } else { None })
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
