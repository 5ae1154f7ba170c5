//! Steps 1 and 2: the browser goes out to the consent dialog and comes back with a code.
//!
//! `state` is required here (RFC 6749 §10.12): Restream does not document PKCE (RFC 7636), so PKCE, on by default,
//! is offered beside it and not relied upon (RFC 9700 §2.1). A code is only reachable through a checked callback.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

use crate::client::{Client, ConfigError, Registration, is_reserved};
use crate::error::ErrorCode;
use crate::form::{self, Piece, Space};
use crate::scope::{MOST_FROM_SERVER, Scope, Scopes, words};
use crate::secret::{CleanText, SecretBytes, SecretText, same_text, secret_type};
use crate::server_text;
use crate::uri;

impl Client {
    /// Begins a login: `state`, PKCE, and the URL to open in the user's browser.
    ///
    /// ```
    /// use restream_oauth_core::{Client, Entropy};
    ///
    /// # fn random_64_bytes() -> [u8; 64] { std::array::from_fn(|n| n as u8) }
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let mut login = client.login(Entropy::from(random_64_bytes()));
    /// assert!(login.url().as_str().starts_with("https://api.restream.io/login?response_type=code&client_id=id&"));
    ///
    /// let state = login.state(); // comes back with the browser
    /// let came_back = format!("https://app.example/callback?code=4f1a&state={}", state.expose_secret());
    /// let code = login.read_callback(&came_back)?;
    /// let call = client.exchange(&code);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn login(&self, entropy: Entropy) -> Login {
        self.begin(entropy, &LoginOptions::default())
    }

    /// As [`login`](Self::login), with scopes, further query parameters, or without PKCE.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] if the query of the authorization URL has one of the parameters already.
    pub fn login_with(&self, entropy: Entropy, options: &LoginOptions) -> Result<Login, ConfigError> {
        let query = uri::split(&self.endpoints().authorization).ok().and_then(|parts| parts.query);
        match options.names.iter().find(|known| uri::check_query(query, |name| name == known.as_str()).is_err()) {
            Some(name) => Err(ConfigError::Parameter { name: name.clone() }),
            None => Ok(self.begin(entropy, options)),
        }
    }

    fn begin(&self, entropy: Entropy, options: &LoginOptions) -> Login {
        let [state, verifier] = entropy.into_texts();
        let verifier = (!options.without_pkce).then_some(verifier);
        let challenge = verifier.as_ref().map(RandomText::s256_challenge);
        let (name, challenge, method) = match &challenge {
            Some(challenge) => ("&code_challenge=", challenge.as_str(), "&code_challenge_method=S256"),
            None => ("", "", ""),
        };
        let scope_name = if options.scopes.is_empty() { "" } else { "&scope=" };
        let pieces = [
            Piece::Encoded(&self.registration().authorization_prefix),
            Piece::Encoded(state.as_str()),
            Piece::Encoded(name),
            Piece::Encoded(challenge),
            Piece::Encoded(method),
            Piece::Encoded(scope_name),
            Piece::Plain(options.scopes.as_str()),
            Piece::Encoded(&options.parameters),
        ];
        let url = form::assemble(pieces, Space::Percent);
        Login {
            registration: Arc::clone(self.registration()),
            url: AuthorizationUrl(url),
            state,
            verifier,
            accepted: false,
        }
    }
}

/// 64 bytes from a cryptographic random generator, for one login; wiped when used.
///
/// The core draws no randomness itself. Take them from the operating system (`getrandom`, `crypto.getRandomValues`),
/// anew for each login, and do not go on when it fails: 32 bytes become `state`, 32 the PKCE verifier, 256 bits each
/// (RFC 6749 §10.10 asks for 128 at least, RFC 7636 §7.1 recommends 256).
pub struct Entropy(SecretBytes<64>);

impl From<[u8; 64]> for Entropy {
    fn from(mut bytes: [u8; 64]) -> Self {
        let entropy = Self(SecretBytes(bytes));
        bytes.as_mut_slice().zeroize();
        entropy
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(redacted)")
    }
}

impl Entropy {
    fn into_texts(self) -> [RandomText; 2] {
        let (first, second) = self.0.0.split_at(32);
        [RandomText::encode(first), RandomText::encode(second)]
    }
}

/// What a login asks for besides the defaults.
///
/// ```
/// use restream_oauth_core::{LoginOptions, Scope};
///
/// let options = LoginOptions::new().scopes([Scope::PROFILE_READ, Scope::CHAT_READ]).parameter("prompt", "consent")?;
/// assert!(options.parameter("state", "mine").is_err());
/// # Ok::<(), restream_oauth_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until they are given to Client::login_with"]
pub struct LoginOptions {
    without_pkce: bool,
    scopes: Scopes,
    names: Vec<String>,
    /// The further parameters, encoded, each with its `&`.
    parameters: String,
}

impl LoginOptions {
    /// The defaults: PKCE, no scopes (Restream then grants those of the application's settings).
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for scopes, beside those already asked for (RFC 6749 §3.3). None at all leaves the parameter out.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes.extend(scopes);
        self
    }

    /// Adds a query parameter to the authorization URL.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] if the name is empty, was added before, or is one that the flow sets itself.
    pub fn parameter(mut self, name: &str, value: &str) -> Result<Self, ConfigError> {
        if name.is_empty() || is_reserved(name) || self.names.iter().any(|known| known == name) {
            return Err(ConfigError::Parameter { name: name.to_owned() });
        }
        self.names.push(name.to_owned());
        self.parameters.push('&');
        form::encode(name, Space::Percent, |part| self.parameters.push_str(part));
        self.parameters.push('=');
        form::encode(value, Space::Percent, |part| self.parameters.push_str(part));
        Ok(self)
    }

    /// Switches PKCE off, for a server that refuses it. `state` stays. An application that is registered without a
    /// secret must not do without (RFC 9700 §2.1.1).
    pub fn without_pkce(mut self) -> Self {
        self.without_pkce = true;
        self
    }
}

/// One login attempt, between the moment the browser leaves and the moment it comes back.
///
/// It holds `state`, the PKCE verifier, and which client it belongs to. Keep it bound to the browser that was sent
/// away (a session cookie), for ten minutes at most. A web application saves it ([`to_saved`](Self::to_saved)) under
/// its [`state`](Self::state), finds it again with [`state_of`], and deletes it when a callback was accepted: a
/// restored copy cannot know that another was used.
pub struct Login {
    pub(crate) registration: Arc<Registration>,
    pub(crate) url: AuthorizationUrl,
    pub(crate) state: RandomText,
    pub(crate) verifier: Option<RandomText>,
    pub(crate) accepted: bool,
}

impl Login {
    /// The URL to open in the user's browser.
    pub fn url(&self) -> &AuthorizationUrl {
        &self.url
    }

    /// The `state` of this attempt.
    pub fn state(&self) -> State {
        State::new(self.state.as_str())
    }

    /// Reads the redirect back: an absolute URI, what a server sees of it (`/callback?…`), or a bare query.
    ///
    /// It accepts once. Any refusal leaves the login open, because anyone can send a stray or forged callback; but
    /// see [`CallbackError::NoParameters`], which is how Restream says that the user denied.
    ///
    /// # Errors
    /// [`CallbackError`] says what is wrong. No exchange can be built from it.
    pub fn read_callback(&mut self, uri: &str) -> Result<AuthorizationCode, CallbackError> {
        let parameters = CallbackParameters::read(self.query_of(uri)?)?;
        if parameters.is_empty() {
            return Err(CallbackError::NoParameters);
        }
        let state = parameters.state.ok_or(CallbackError::StateMissing)?;
        if !same_text(&state, self.state.as_str()) {
            return Err(CallbackError::StateMismatch);
        }
        if self.accepted {
            return Err(CallbackError::AlreadyUsed);
        }
        let code = match (parameters.code, parameters.error) {
            (Some(code), None) => code,
            (None, Some(error)) => return Err(self.refused(&error, parameters.error_description)),
            (Some(_), Some(_)) => return Err(CallbackError::CodeAndError),
            (None, None) => return Err(CallbackError::CodeMissing),
        };
        self.accepted = true;
        Ok(AuthorizationCode {
            code: code.into_owned(),
            redirect_uri: Arc::clone(&self.registration.redirect_uri),
            verifier: self.verifier.as_ref().map(|verifier| SecretText::from(verifier.as_str())),
            scopes: parameters.scopes,
        })
    }

    /// The query, if the URI is the redirect URI.
    fn query_of<'a>(&self, uri: &'a str) -> Result<&'a str, CallbackError> {
        let expected = uri::split(&self.registration.redirect_uri).map_err(|_| CallbackError::WrongPlace)?;
        match CallbackUri::of(uri) {
            CallbackUri::Absolute { place, query } => {
                let place = uri::split(place).map_err(|_| CallbackError::WrongPlace)?;
                if place.same_place(&expected) { Ok(query) } else { Err(CallbackError::WrongPlace) }
            }
            CallbackUri::Origin { path, query } if path == expected.path => Ok(query),
            CallbackUri::Origin { .. } => Err(CallbackError::WrongPlace),
            CallbackUri::Query(query) => Ok(query),
        }
    }

    fn refused(&self, error: &str, description: Option<CleanText<'_>>) -> CallbackError {
        let mut secrets = vec![CleanText::AsItStands(self.state.as_str())];
        secrets.extend(self.verifier.as_ref().map(|verifier| CleanText::AsItStands(verifier.as_str())));
        CallbackError::Refused {
            code: ErrorCode::read(error, &secrets),
            message: description.map(|text| server_text::message(&text, &secrets)),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("client_id", &self.registration.binding.client_id)
            .field("redirect_uri", &self.registration.redirect_uri)
            .field("pkce", &self.verifier.is_some())
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}

/// The `state` of a callback, unchecked: to find the saved login that it belongs to.
///
/// # Errors
/// [`CallbackError`] if there is none, or no parameter at all (Restream's denial), or if it or a parameter that a callback
/// is read for comes twice or cannot be decoded.
///
/// ```
/// let state = restream_oauth_core::state_of("/callback?code=4f1a&state=b64")?;
/// assert_eq!(state.expose_secret(), "b64");
/// # Ok::<(), restream_oauth_core::CallbackError>(())
/// ```
pub fn state_of(uri: &str) -> Result<State, CallbackError> {
    let (CallbackUri::Absolute { query, .. } | CallbackUri::Origin { query, .. } | CallbackUri::Query(query)) =
        CallbackUri::of(uri);
    let parameters = CallbackParameters::read(query)?;
    if parameters.is_empty() {
        return Err(CallbackError::NoParameters);
    }
    let state = parameters.state.ok_or(CallbackError::StateMissing)?;
    Ok(State(state.into_owned()))
}

secret_type! {
    /// The `state` of a login (RFC 6749 §4.1.1): an opaque random text that must come back unchanged.
    State
}

/// A PKCE code verifier (RFC 7636 §4.1) that another program made. A [`Login`] makes its own.
///
/// ```
/// use restream_oauth_core::CodeVerifier;
///
/// assert!(CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").is_ok());
/// assert!(CodeVerifier::new("too short").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeVerifier(SecretText);

impl CodeVerifier {
    /// Takes the text over; it is wiped when the value is dropped.
    ///
    /// # Errors
    /// [`InvalidCodeVerifier`] if the text is not 43 to 128 unreserved characters.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidCodeVerifier> {
        let text = SecretText::new(text);
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let valid = (43..=128).contains(&text.expose().len()) && text.expose().bytes().all(is_unreserved);
        if valid { Ok(Self(text)) } else { Err(InvalidCodeVerifier) }
    }

    /// The text itself. The only way in: search for this name to find every use.
    pub fn expose_secret(&self) -> &str {
        self.0.expose()
    }
}

/// The text is not a PKCE code verifier (RFC 7636 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCodeVerifier;

impl fmt::Display for InvalidCodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code verifier must be 43 to 128 letters, digits, `-`, `.`, `_` or `~`")
    }
}

impl std::error::Error for InvalidCodeVerifier {}

/// The URL to open in the user's browser. It holds `state`, so `Debug` is redacted and there is no `Display`.
pub struct AuthorizationUrl(pub(crate) SecretText);

impl AuthorizationUrl {
    /// The URL. Open it in a browser; do not log it.
    pub fn as_str(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for AuthorizationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizationUrl(redacted)")
    }
}

/// A code that came back through a checked callback, with what its exchange needs: redirect URI and PKCE verifier
/// travel along, so steps 1 and 3 cannot disagree.
///
/// Use it for one exchange. Build a second one only when the first failed with the advice
/// [`Retry`](crate::Advice::Retry): then the code is not used up.
pub struct AuthorizationCode {
    pub(crate) code: SecretText,
    pub(crate) redirect_uri: Arc<str>,
    pub(crate) verifier: Option<SecretText>,
    scopes: Option<Scopes>,
}

impl AuthorizationCode {
    /// A code that arrived some other way, such as pasted by hand. **This skips the check of `state`**: whoever made
    /// the user paste it may have logged the program into somebody else's account (RFC 6749 §10.12).
    ///
    /// `redirect_uri` and `code_verifier` must be those of the authorization request; without the verifier, a
    /// request that had a PKCE challenge is refused by the server.
    pub fn without_state_check(
        code: impl Into<String>,
        redirect_uri: impl AsRef<str>,
        code_verifier: Option<CodeVerifier>,
    ) -> Self {
        Self {
            code: SecretText::new(code),
            redirect_uri: redirect_uri.as_ref().into(),
            verifier: code_verifier.map(|verifier| verifier.0),
            scopes: None,
        }
    }

    /// The code itself. The only way in: search for this name to find every use.
    pub fn expose_secret(&self) -> &str {
        self.code.expose()
    }

    /// The scopes that the redirect said were granted, if it said so. The token answer says it again.
    pub fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

/// Why a callback gives no code. The login stays open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackError {
    /// Another scheme, host, port or path than the redirect URI's.
    WrongPlace,
    /// Neither code nor error nor state: Restream's way of saying that the user denied. Anyone can send this, so tell
    /// the user and keep waiting for a while.
    NoParameters,
    /// A parameter came twice (RFC 6749 §3.1).
    Doubled(&'static str),
    /// A parameter's value is not UTF-8 in percent-encoding.
    Unreadable(&'static str),
    /// There is no `state`.
    StateMissing,
    /// `state` is not this login's: a forged callback, or one of another login.
    StateMismatch,
    /// A code was accepted before.
    AlreadyUsed,
    /// Both a code and an error.
    CodeAndError,
    /// `state` is right, but there is neither code nor error.
    CodeMissing,
    /// The server refused, with the right `state` (RFC 6749 §4.1.2.1).
    Refused {
        /// Why: `access_denied` when the user said no.
        code: ErrorCode,
        /// The server's own words, escaped and cut to 512 characters.
        message: Option<Box<str>>,
    },
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPlace => f.write_str("this is not the redirect URI of the login"),
            Self::NoParameters => {
                f.write_str("expected code and state, got no parameters: the user denied, or it is a stray")
            }
            Self::Doubled(name) => write!(f, "expected {name} once, got it twice"),
            Self::Unreadable(name) => write!(f, "{name} cannot be decoded"),
            Self::StateMissing => f.write_str("expected a state, got none: this callback is not trusted"),
            Self::StateMismatch => f.write_str("the state is not the one of this login: this callback is not trusted"),
            Self::AlreadyUsed => f.write_str("this login has accepted a callback before: begin a new one"),
            Self::CodeAndError => f.write_str("expected a code or an error, got both"),
            Self::CodeMissing => f.write_str("expected a code, got none"),
            Self::Refused { code, .. } => write!(f, "the server refused the login with {code}"),
        }
    }
}

impl std::error::Error for CallbackError {}

/// The ways in which a callback reaches a program.
enum CallbackUri<'a> {
    Absolute { place: &'a str, query: &'a str },
    Origin { path: &'a str, query: &'a str },
    Query(&'a str),
}

impl<'a> CallbackUri<'a> {
    fn of(uri: &'a str) -> Self {
        let uri = uri.split_once('#').map_or(uri, |(before, _fragment)| before);
        let (before_query, query) = uri.split_once('?').unwrap_or((uri, ""));
        match before_query {
            "" => Self::Query(query),
            path if path.starts_with('/') => Self::Origin { path, query },
            // A query has a `=` before it has a `?`; all else is an address, if a strange one.
            place if has_scheme(place) || (place.len() < uri.len() && !place.as_bytes().contains(&b'=')) => {
                Self::Absolute { place, query }
            }
            _ => Self::Query(uri),
        }
    }
}

/// `scheme://` at the front (RFC 3986 §3.1), which no name of a parameter looks like.
fn has_scheme(uri: &str) -> bool {
    let scheme = uri::split_scheme(uri).map_or("", |(scheme, _)| scheme);
    !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The parameters that matter of a redirect; all others are ignored (RFC 6749 §4.1.2).
#[derive(Default)]
struct CallbackParameters<'a> {
    state: Option<CleanText<'a>>,
    code: Option<CleanText<'a>>,
    error: Option<CleanText<'a>>,
    error_description: Option<CleanText<'a>>,
    scopes: Option<Scopes>,
}

impl<'a> CallbackParameters<'a> {
    fn read(query: &'a str) -> Result<Self, CallbackError> {
        let mut read = Self::default();
        for (name, value) in form::pairs(query) {
            let Some(name) = form::decode(name) else { continue };
            match &*name {
                "state" => set(&mut read.state, "state", value)?,
                "code" => set(&mut read.code, "code", value)?,
                "error" => set(&mut read.error, "error", value)?,
                "error_description" => read.error_description = form::decode(value),
                "scope" => {
                    read.scopes = form::decode(value).map(|scopes| {
                        let mut all = Scopes::default();
                        for scope in words(scopes.as_bytes()).take(MOST_FROM_SERVER) {
                            all.add(scope);
                        }
                        all
                    });
                }
                _ => {}
            }
        }
        // Parameters without a value count as omitted (RFC 6749 §3.1); only now, so that a doubled one is seen.
        for value in [&mut read.state, &mut read.code, &mut read.error] {
            value.take_if(|value| value.is_empty());
        }
        read.scopes.take_if(|scopes| scopes.is_empty());
        Ok(read)
    }

    fn is_empty(&self) -> bool {
        self.state.is_none() && self.code.is_none() && self.error.is_none()
    }
}

fn set<'a>(slot: &mut Option<CleanText<'a>>, name: &'static str, value: &'a str) -> Result<(), CallbackError> {
    if slot.is_some() {
        return Err(CallbackError::Doubled(name));
    }
    *slot = Some(form::decode(value).ok_or(CallbackError::Unreadable(name))?);
    Ok(())
}

/// 32 random bytes as 43 characters of base64url: the form of `state`, verifier and challenge.
pub(crate) struct RandomText(SecretBytes<43>);

impl RandomText {
    fn encode(bytes: &[u8]) -> Self {
        let mut text = SecretBytes([0; 43]);
        // 32 bytes always fill 43 characters.
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text.0);
        debug_assert_eq!(written, Ok(43));
        Self(text)
    }

    /// The text of a saved login, if it has the form of one.
    pub(crate) fn from_saved(text: &str) -> Option<Self> {
        let valid = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if valid { Some(Self(SecretBytes(text.as_bytes().try_into().ok()?))) } else { None }
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only ASCII is ever put in.
        std::str::from_utf8(&self.0.0).unwrap_or_default()
    }

    /// RFC 7636 §4.2: `BASE64URL(SHA256(ASCII(code_verifier)))`.
    fn s256_challenge(&self) -> Self {
        Self::encode(&Sha256::digest(self.0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 §4.2.
    #[test]
    fn rfc_7636_appendix_b_the_challenge_of_the_example() {
        let verifier = RandomText::from_saved("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(verifier.s256_challenge().as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    /// RFC 9700 §4.7.1.
    #[test]
    fn rfc_7636_4_1_state_and_verifier_are_43_unreserved_characters_and_differ() {
        let [state, verifier] = Entropy::from(std::array::from_fn(|n| n.to_le_bytes()[0])).into_texts();
        for text in [&state, &verifier] {
            assert_eq!(text.as_str().len(), 43);
            assert!(RandomText::from_saved(text.as_str()).is_some());
        }
        assert_ne!(state.as_str(), verifier.as_str());
    }

    /// RFC 6749 §10.10, RUSTSEC-2024-0343.
    #[test]
    fn entropy_is_used_whole() {
        // Each byte of the 64 changes what comes out.
        let text_of = |bytes: [u8; 64]| Entropy::from(bytes).into_texts().map(|text| text.as_str().to_owned());
        let base = text_of([0; 64]);
        for position in 0..64 {
            let mut bytes = [0; 64];
            bytes[position] = 1;
            assert_ne!(text_of(bytes), base, "byte {position}");
        }
    }

    #[test]
    fn what_is_saved_must_have_the_form_of_what_was_made() {
        for text in ["", "short", &"a".repeat(44), &"a ".repeat(22)[..43], &"é".repeat(22)[..42]] {
            assert!(RandomText::from_saved(text).is_none(), "{text}");
        }
    }
}
