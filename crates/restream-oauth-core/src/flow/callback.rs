//! Step 2: the browser comes back (RFC 6749 §4.1.2). A code is only reachable through a checked callback.

use std::fmt;
use std::sync::Arc;

use super::entropy::{CodeVerifier, State};
use super::login::Login;
use crate::encoding::uri::{self, UriPart};
use crate::encoding::{form, redaction};
use crate::error::ErrorCode;
use crate::secret::{CleanText, SecretText};
use crate::token::Scopes;

impl Login {
    /// Reads the redirect back: an absolute URI, what a server sees of it (`/callback?…`), or a bare query.
    ///
    /// The login accepts one callback. Any refusal leaves it open, because anyone can send a stray or forged callback; but
    /// see [`CallbackError::NoParameters`], which is how Restream says that the user denied.
    ///
    /// Behind a proxy that rewrites URLs the path or the host may differ from the redirect URI: hand over the query alone.
    /// Browsers may prefetch a URL: a web application does not read a request whose `Sec-Purpose` (or `Purpose`) header
    /// contains `prefetch`, because the real navigation comes later, and a code works once.
    ///
    /// # Errors
    /// [`CallbackError`] says what is wrong. No exchange can be built from it.
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

    /// The query, if the URI is the redirect URI.
    fn query_of<'a>(&self, uri: &'a str) -> Result<&'a str, CallbackError> {
        let wrong = |part| CallbackError::WrongPlace { part };
        let expected = uri::split_redirect(&self.registration.redirect_uri).map_err(|_| wrong(None))?;
        match CallbackUri::of(uri) {
            CallbackUri::Absolute { place, query } => {
                let place = uri::split_redirect(place).map_err(|_| wrong(None))?;
                place.difference(&expected).map_or(Ok(query), |part| Err(wrong(Some(part))))
            }
            CallbackUri::Origin { path, query } if path == expected.path => Ok(query),
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

/// The `state` of a callback, unchecked: to find the saved login that it belongs to.
///
/// # Errors
/// [`CallbackError`] if there is none, or no parameter at all (Restream's denial), or if it or a parameter that a callback
/// is read for comes twice or cannot be decoded.
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
    state_data: Option<SecretText>,
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
            state_data: None,
        }
    }

    /// The code itself. The only way in: search for this name to find every use.
    pub fn expose_secret(&self) -> &str {
        self.code.expose()
    }

    /// What [`LoginOptions::state_data`](crate::login::LoginOptions::state_data) put into `state`, verified with it.
    pub fn state_data(&self) -> Option<&str> {
        self.state_data.as_ref().map(SecretText::expose)
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
    /// This is not the redirect URI of the login. Behind a proxy that rewrites URLs, hand the query alone to
    /// [`Login::read_callback`].
    WrongPlace {
        /// The first part that differs; `None` if the text is no URI.
        part: Option<UriPart>,
    },
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

/// `scheme://`, or a private-use scheme, at the front (RFC 3986 §3.1), which no name of a parameter looks like.
fn has_scheme(uri: &str) -> bool {
    let scheme = uri::split_scheme(uri).map_or("", |(scheme, _)| scheme);
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (!scheme.is_empty() && scheme.bytes().all(is_scheme))
        || uri.split_once(":/").is_some_and(|(scheme, _)| uri::is_private_use_scheme(scheme))
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
                    let list = form::decode(value).map(|list| list.into_owned().into_string());
                    read.scopes = list.map(Scopes::from_list);
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
