//! The way back: Restream's callback, and the callback of the device (RFC 6749 §4.1.2, RFC 9207).

use std::fmt;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{Response, StatusCode};
use restream_oauth_core::error::ErrorCode;
use restream_oauth_core::login::{CallbackError, state_of};

use super::cookie::Browser;
use super::page::{self, escape};
use super::request::Request;
use super::respond;
use super::rules::Rules;
use crate::devices::{Hash, Key, Login};
use crate::metrics::Outcome;

/// A browser came back from Restream.
pub struct CallBack {
    /// The browser, by its cookie.
    pub browser: Browser,
    /// The hash of the `state`; `None` if the callback has no parameters at all, which is how Restream says that the user
    /// declined.
    pub state: Option<Hash>,
    /// What Restream sent, for the core to check.
    query: String,
}

impl CallBack {
    /// The query of the callback. It holds a code.
    pub fn expose_query(&self) -> &str {
        &self.query
    }
}

/// Hides the query.
impl fmt::Debug for CallBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallBack").field("browser", &self.browser).field("state", &self.state).finish_non_exhaustive()
    }
}

pub(super) fn read(rules: &Rules, request: &Request<'_>) -> Result<CallBack, Box<Response<Bytes>>> {
    let browser = Browser::of(rules, request.headers).ok_or_else(strange_callback)?;
    let state = match state_of(&format!("?{}", request.query)) {
        Ok(state) => Some(Hash::of(state.expose_secret())),
        Err(CallbackError::NoParameters) => None,
        Err(_) => return Err(strange_callback().into()),
    };
    Ok(CallBack { browser, state, query: request.query.to_owned() })
}

/// A callback that belongs to no login of this browser: forged, used before, or too late.
pub fn strange_callback() -> Response<Bytes> {
    page::refused(
        "This is not the way back of a login that began in this browser, or it took longer than ten minutes. \
         Begin the login again in the program.",
    )
}

/// The login worked: the device gets a code of the broker's own.
pub fn returned(rules: &Rules, login: &Login, code: &Key) -> Response<Bytes> {
    match &login.binding {
        None => respond::see_other(&finalise_url(rules, code)),
        Some(binding) => {
            let answer = [("code", code.expose_secret())];
            respond::see_other(&callback_url(rules, &binding.redirect_uri, login.device_state.as_deref(), &answer))
        }
    }
}

/// The URL at which OBS takes the code and closes its browser.
fn finalise_url(rules: &Rules, code: &Key) -> String {
    let prefix = rules.obs_prefix.as_deref().unwrap_or("/");
    format!("{}{prefix}v1/restream/finalise?code={}", rules.issuer, code.expose_secret())
}

/// Restream, or the way to it, refused the login. `code` is one of RFC 6749 §4.1.2.1.
pub fn failed_login(rules: &Rules, login: &Login, code: &str, description: &str) -> Response<Bytes> {
    let outcome = if code == "access_denied" { Outcome::AccessDenied } else { Outcome::Unavailable };
    if let Some(binding) = &login.binding {
        let state = login.device_state.as_deref();
        return respond::told(error_to(rules, &binding.redirect_uri, state, code, description), outcome);
    }
    // OBS hears of no error. The page is outside of its base, so the user sees it, and closes the window.
    let body = format!("<p>{}</p><p>Close this window, and begin again in OBS.</p>", escape(description));
    respond::told(page::page(StatusCode::OK, "The login did not work", &body), outcome)
}

/// The error code that a device gets for what Restream answered to the login. What is wrong with the configuration of the
/// broker is not the device's fault.
pub fn denied(code: &ErrorCode) -> &'static str {
    match code.as_str() {
        "access_denied" => "access_denied",
        "invalid_scope" => "invalid_scope",
        "temporarily_unavailable" => "temporarily_unavailable",
        _ => "server_error",
    }
}

/// The user declined at Restream, which does not say which login that was. `logins` are those that this browser has
/// begun: one is told, and of several the user chooses.
pub fn denials(rules: &Rules, logins: &[Login]) -> Response<Bytes> {
    const DECLINED: &str = "the user declined";
    match logins {
        [] => strange_callback(),
        [login] => failed_login(rules, login, "access_denied", DECLINED),
        several => {
            let links = several.iter().filter_map(|login| {
                let redirect_uri = &login.binding.as_ref()?.redirect_uri;
                let answer = [("error", "access_denied"), ("error_description", DECLINED)];
                let url = callback_url(rules, redirect_uri, login.device_state.as_deref(), &answer);
                let name = escape(login.owner.client_id());
                Some(format!("<p><a href=\"{}\">Back to {name}</a></p>\n", escape(&url)))
            });
            let body = format!(
                "<p>Several logins began in this browser. Go back to the program, or close this window:</p>\n{}",
                links.collect::<String>()
            );
            respond::told(page::page(StatusCode::OK, "The login was declined", &body), Outcome::AccessDenied)
        }
    }
}

/// Leads the browser back to a device with an error. The redirect URI is a registered one.
pub(super) fn error_to(
    rules: &Rules,
    redirect_uri: &str,
    state: Option<&str>,
    code: &str,
    description: &str,
) -> Response<Bytes> {
    let answer = [("error", code), ("error_description", description)];
    let away = respond::see_other(&callback_url(rules, redirect_uri, state, &answer));
    respond::told(away, Outcome::BadRequest)
}

/// The callback of a device. A query that the redirect URI has is kept (RFC 6749 §3.1.2).
fn callback_url(rules: &Rules, redirect_uri: &str, state: Option<&str>, answer: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(answer);
    query.extend_pairs(state.map(|state| ("state", state)));
    query.append_pair("iss", &rules.issuer);
    let separator = match redirect_uri.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{redirect_uri}{separator}{}", query.finish())
}
