//! Step 2: the browser comes back with a code (RFC 6749 §4.1.2), or with an error (§4.1.2.1).
//!
//! A program gets a code only from a callback whose `state` is right. The one exception is
//! [`AuthorizationCode::without_state_check`].

use std::fmt;
use std::sync::Arc;

use super::entropy::{CodeVerifier, State};
use super::login::Login;
use crate::encoding::text::any_byte;
use crate::encoding::uri::{self, UriPart};
use crate::encoding::{form, redaction};
use crate::error::ErrorCode;
use crate::secret::{CleanText, SecretText};
use crate::token::Scopes;

impl Login {
    /// Reads a callback, checks it, and returns its code (RFC 6749 §4.1.2). `uri` is an absolute URI, a path with a
    /// query as a server sees it (`/callback?…`), or a query alone.
    ///
    /// The login accepts one callback. An error leaves it open, because anyone can send a stray or forged callback. If
    /// the user denies the login, Restream's callback gives [`CallbackError::NoParameters`].
    ///
    /// Behind a proxy that rewrites URLs, the host or the path may differ from the redirect URI: pass the query alone.
    ///
    /// Browsers may prefetch a URL. A web application should ignore a request whose `Sec-Purpose` or `Purpose` header
    /// contains `prefetch`: the real navigation follows, and a code works once.
    ///
    /// # Errors
    /// [`CallbackError`] says why the callback gives no code.
    ///
    /// ```
    /// use restream_oauth_core::login::CallbackError;
    /// use restream_oauth_core::{Client, Entropy};
    ///
    /// # fn random_64_bytes() -> [u8; 64] { std::array::from_fn(|n| n as u8) }
    /// let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
    /// let mut login = client.login(Entropy::from(random_64_bytes()));
    ///
    /// let forged = login.read_callback("/callback?code=4f1a&state=forged");
    /// assert_eq!(forged.unwrap_err(), CallbackError::StateMismatch);
    ///
    /// let genuine = format!("/callback?code=4f1a&state={}", login.state().expose_secret());
    /// assert_eq!(login.read_callback(&genuine)?.expose_secret(), "4f1a");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_callback(&mut self, uri: &str) -> Result<AuthorizationCode, CallbackError> {
        let parameters = CallbackParameters::read(self.query_of(uri)?)?;
        if parameters.is_empty() {
            return Err(CallbackError::NoParameters);
        }
        let state = parameters.state.ok_or(CallbackError::StateMissing)?;
        if self.state != *state {
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
            state_data: self.state.data(),
        })
    }

    /// The query of `uri`, if the rest of `uri` is the redirect URI.
    fn query_of<'a>(&self, uri: &'a str) -> Result<&'a str, CallbackError> {
        let redirect_uri = &*self.registration.redirect_uri;
        let wrong = |part| CallbackError::WrongPlace { part };
        let expected = || uri::split_redirect(redirect_uri).map_err(|_| wrong(None));
        match CallbackUri::of(uri) {
            // Nearly every callback repeats the redirect URI as it is. Then its parts need no comparison.
            CallbackUri::Absolute { place, query } if place == redirect_uri => Ok(query),
            CallbackUri::Absolute { place, query } => {
                let place = uri::split_redirect(place).map_err(|_| wrong(None))?;
                place.difference(&expected()?).map_or(Ok(query), |part| Err(wrong(Some(part))))
            }
            CallbackUri::Origin { path, query } if path == expected()?.path => Ok(query),
            CallbackUri::Origin { .. } => Err(wrong(Some(UriPart::Path))),
            CallbackUri::Query(query) => Ok(query),
        }
    }

    fn refused(&self, error: &str, description: Option<CleanText<'_>>) -> CallbackError {
        let [random, _] = self.state.pieces();
        let mut secrets = vec![CleanText::Owned(self.state.text()), CleanText::Borrowed(random)];
        secrets.extend(self.verifier.as_ref().map(|verifier| CleanText::Borrowed(verifier.as_str())));
        CallbackError::Refused {
            code: ErrorCode::read(error, &secrets),
            message: description.map(|text| redaction::message(&text, &secrets)),
        }
    }
}

/// The `state` of a callback, unchecked. Use it to find the saved login that the callback belongs to.
///
/// # Errors
/// [`CallbackError::StateMissing`] without a `state`. [`CallbackError::NoParameters`] without `state`, `code` and
/// `error`: Restream sends this when the user denies the login. [`CallbackError::Doubled`] or
/// [`CallbackError::Unreadable`] if one of the three is repeated or cannot be decoded.
///
/// ```
/// let state = restream_oauth_core::login::state_of("/callback?code=4f1a&state=b64")?;
/// assert_eq!(state.expose_secret(), "b64");
/// # Ok::<(), restream_oauth_core::login::CallbackError>(())
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

/// An authorization code from a checked callback, with the redirect URI and the PKCE verifier of its login. The
/// exchange needs all three, and they must match the login (RFC 6749 §4.1.3).
///
/// Use a code for one exchange. Build a second exchange only if the first failed with the advice
/// [`Retry`](crate::Advice::Retry): then the code is not used up.
pub struct AuthorizationCode {
    pub(crate) code: SecretText,
    pub(crate) redirect_uri: Arc<str>,
    pub(crate) verifier: Option<SecretText>,
    scopes: Option<Scopes>,
    state_data: Option<SecretText>,
}

impl AuthorizationCode {
    /// A code that did not come through [`Login::read_callback`], such as one that the user pasted. **This skips the
    /// check of `state`**: an attacker who makes the user paste a code logs the program into the attacker's account
    /// (RFC 6749 §10.12).
    ///
    /// `redirect_uri` and `code_verifier` must be those of the authorization request. If that request had a PKCE
    /// challenge, the server refuses an exchange without the verifier (RFC 7636 §4.6).
    ///
    /// ```
    /// use restream_oauth_core::AuthorizationCode;
    ///
    /// let code = AuthorizationCode::without_state_check("4f1a", "https://app.example/callback", None);
    /// assert_eq!(code.expose_secret(), "4f1a");
    /// ```
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
            state_data: None,
        }
    }

    /// The code itself. No other method returns it: search for this name to find every use.
    pub fn expose_secret(&self) -> &str {
        self.code.expose()
    }

    /// The data that [`LoginOptions::state_data`](crate::login::LoginOptions::state_data) put into `state`. `state` is
    /// verified, so this is the data of this login.
    pub fn state_data(&self) -> Option<&str> {
        self.state_data.as_ref().map(SecretText::expose)
    }

    /// The granted scopes, if the callback had a `scope` parameter. The token response decides:
    /// [`Tokens::scopes`](crate::Tokens::scopes).
    pub fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

/// Why a callback gives no code. The login stays as it was before the callback.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackError {
    /// The URI is not the redirect URI of the login. Behind a proxy that rewrites URLs, pass the query alone to
    /// [`Login::read_callback`].
    WrongPlace {
        /// The first part that differs; `None` if the text is not a URI.
        part: Option<UriPart>,
    },
    /// The callback has no `code`, `error` or `state`. Restream sends this when the user denies the login. Anyone else
    /// can send it too, so tell the user, and keep waiting for a while.
    NoParameters,
    /// This parameter is repeated (RFC 6749 §3.1 forbids it).
    Doubled(&'static str),
    /// The value of this parameter is not percent-encoded UTF-8.
    Unreadable(&'static str),
    /// The callback has no `state`.
    StateMissing,
    /// `state` is not that of this login: the callback is forged, or belongs to another login.
    StateMismatch,
    /// The login has accepted a callback before.
    AlreadyUsed,
    /// `state` is right, but the callback has both a code and an error.
    CodeAndError,
    /// `state` is right, but the callback has neither a code nor an error.
    CodeMissing,
    /// An error response with the right `state` (RFC 6749 §4.1.2.1).
    Refused {
        /// The error code: `access_denied` if the user denied the login.
        code: ErrorCode,
        /// The server's message for people: redacted, escaped, and truncated to 512 characters.
        message: Option<Box<str>>,
    },
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPlace { part: None } => f.write_str("expected the redirect URI of the login, got no URI"),
            Self::WrongPlace { part: Some(part) } => {
                write!(f, "this is not the redirect URI of the login: the {part} differs")
            }
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

/// The forms in which a program receives a callback.
enum CallbackUri<'a> {
    Absolute { place: &'a str, query: &'a str },
    Origin { path: &'a str, query: &'a str },
    Query(&'a str),
}

impl<'a> CallbackUri<'a> {
    fn of(uri: &'a str) -> Self {
        // Nearly no callback has a fragment, and judging all bytes at once is quicker than a search.
        let has_fragment = any_byte(uri.as_bytes(), |byte| byte == b'#');
        let uri = if has_fragment { form::split_at_byte(uri, b'#').0 } else { uri };
        let (before_query, query) = uri.split_once('?').unwrap_or((uri, ""));
        match before_query {
            "" => Self::Query(query),
            path if path.starts_with('/') => Self::Origin { path, query },
            // A query has a `=` before its first `?`. Anything else is an address, if a strange one.
            place if has_scheme(place) || (place.len() < uri.len() && !place.as_bytes().contains(&b'=')) => {
                Self::Absolute { place, query }
            }
            _ => Self::Query(uri),
        }
    }
}

/// True if `uri` begins with `scheme://` (RFC 3986 §3.1) or with a private-use scheme. No parameter name looks like
/// that.
fn has_scheme(uri: &str) -> bool {
    let scheme = uri::split_scheme(uri).map_or("", |(scheme, _)| scheme);
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (!scheme.is_empty() && scheme.bytes().all(is_scheme))
        || uri.split_once(':').is_some_and(|(scheme, rest)| rest.starts_with('/') && uri::is_private_use_scheme(scheme))
}

/// The parameters of a callback that are read. All others are ignored (RFC 6749 §4.1.2).
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
                    let list = form::decode(value).map(|list| list.into_owned().into_string());
                    read.scopes = list.map(Scopes::from_list);
                }
                _ => {}
            }
        }
        // A parameter without a value counts as omitted (RFC 6749 §3.1). Removed only here, so that `set` sees each
        // repetition.
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
