//! The endpoints: from a request to an answer.

use crate::answer::Answer;
use crate::calendar::http_date;
use crate::http::control;
use crate::http::page;
use crate::http::rendering::error_answer;
use crate::http::request::{Head, Request};
use crate::http::state::State;
use crate::orders::fault::What;
use crate::restream::authorization_request::{AuthorizationError, AuthorizationRequest};
use crate::restream::client_authentication::authenticate;
use crate::restream::error_response::ErrorResponse;
use crate::restream::form::Form;
use crate::restream::json::quoted;

/// The target of redirects that no client should follow.
pub(crate) const CANARY: &str = "/_sandbox/canary";

/// Does what a request asks for and returns the answer.
pub(crate) fn act(state: &State, request: &Request) -> Answer {
    let head = &request.head;
    match (head.method(), head.path()) {
        ("OPTIONS", _) => preflight(),
        ("GET", "/login" | "/oauth/authorize") => show_page(state, head),
        ("POST", "/login" | "/oauth/authorize") => decide(state, request),
        ("POST", "/oauth/token") => or_error_response(state, token(state, request)),
        ("POST", "/oauth/revoke") => or_error_response(state, revoke(state, request)),
        ("GET", "/v2/user/profile") => or_error_response(state, profile(state, head)),
        (_, CANARY) => {
            state.provider.book.canary_hit();
            Answer::json(200, "{\"canary\":true}".to_owned())
        }
        (_, path) if path.starts_with(control::PREFIX) => control::act(state, request),
        (_, "/login" | "/oauth/authorize") => wrong_method("GET, POST"),
        (_, "/oauth/token" | "/oauth/revoke") => wrong_method("POST"),
        (_, "/v2/user/profile") => wrong_method("GET"),
        _ => ErrorResponse::invalid_request("Not found").with_status(404).into(),
    }
}

/// The answer of a server that did nothing.
pub(crate) fn unavailable(state: &State) -> Answer {
    let error = ErrorResponse::server_error("Server error: nothing was done");
    error_answer(&error, state.provider.rules().errors)
}

/// The answer with which a fault replaces the real one, or `None` if this kind of fault alters the real one.
pub(crate) fn replaced(state: &State, what: &What) -> Option<Answer> {
    match what {
        What::Status { status, headers, body } => {
            let answer = Answer::new(*status).replace_body(body.clone());
            Some(headers.iter().fold(answer, |answer, (name, value)| answer.header(name, value)))
        }
        What::Redirect { status, location } => {
            let canary = || format!("{}{CANARY}", state.base_url);
            Some(Answer::new(*status).header("Location", &location.clone().unwrap_or_else(canary)))
        }
        _ => None,
    }
}

/// Adds the headers of every answer: the date, unless a fault has set one, and CORS headers for pages of other origins.
pub(crate) fn with_common_headers(state: &State, answer: Answer) -> Answer {
    let dated = answer.value("Date").is_some();
    let answer = if dated { answer } else { answer.header("Date", &http_date(state.provider.clock.now())) };
    answer
        .header("Access-Control-Allow-Origin", "*")
        .header("Access-Control-Expose-Headers", "Date, Location, Retry-After, WWW-Authenticate")
}

fn show_page(state: &State, head: &Head) -> Answer {
    let query = Form::parse(head.query().as_bytes());
    match AuthorizationRequest::read(&state.provider.settings, &query) {
        Ok(asked) => {
            page::consent(&state.provider.settings.client_id, asked.redirect_uri(), &state.provider.settings.scopes)
        }
        Err(error) => page_or_redirect(error),
    }
}

fn decide(state: &State, request: &Request) -> Answer {
    let query = Form::parse(request.head.query().as_bytes());
    let asked = match AuthorizationRequest::read(&state.provider.settings, &query) {
        Ok(asked) => asked,
        Err(error) => return page_or_redirect(error),
    };
    // A page of another origin must not press the button. Browsers send `Origin` with every posted form.
    let own = request.head.header("host");
    let foreign = |origin: &str| origin.split_once("://").is_none_or(|(_, authority)| Some(authority) != own);
    if request.head.header("origin").is_some_and(foreign) {
        let error = ErrorResponse::invalid_request("The decision comes from another page");
        return page::error(&error.with_status(403));
    }
    let form = request.form();
    let approved = match form.as_ref().and_then(|form| form.value("decision")) {
        Some("approve") => true,
        Some("deny") => false,
        _ => return page::error(&ErrorResponse::invalid_request("Missing parameter: `decision`")),
    };
    match state.provider.settle(asked, approved) {
        Ok(location) => redirect(&location),
        Err(error) => error.into(),
    }
}

fn page_or_redirect(error: AuthorizationError) -> Answer {
    match error {
        AuthorizationError::Page(error) => page::error(&error),
        AuthorizationError::Redirect(location) => redirect(&location),
    }
}

/// `POST /oauth/token`.
fn token(state: &State, request: &Request) -> Result<Answer, ErrorResponse> {
    let form = form_of(request)?;
    let provider = &state.provider;
    authenticate(&provider.settings, provider.rules().basic, request.head.header("authorization"), &form)?;

    Ok(Answer::json(200, provider.token(&form)?))
}

/// `POST /oauth/revoke`: answers 200 with an empty body, whether or not a token was revoked.
fn revoke(state: &State, request: &Request) -> Result<Answer, ErrorResponse> {
    let form = form_of(request)?;
    if let Some(token) = form.value("token") {
        state.provider.revoke(token);
    }
    Ok(Answer::new(200).header("Cache-Control", "no-store"))
}

/// `GET /v2/user/profile`.
fn profile(state: &State, head: &Head) -> Result<Answer, ErrorResponse> {
    let bearer = head.header("authorization").and_then(|value| value.split_once(' '));
    let token = match bearer {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => {
            return Err(ErrorResponse::invalid_token("Invalid token: access token is missing"));
        }
    };
    state.provider.check_access_token(token)?;
    let username = quoted(page::USERNAME);
    let body = format!(r#"{{"id":1000001,"username":{username},"email":"user@sandbox.example"}}"#);
    Ok(Answer::json(200, body))
}

/// The parameters of a POST. RFC 6749 asks for form encoding, and for each parameter at most once.
fn form_of(request: &Request) -> Result<Form, ErrorResponse> {
    let form = request.form().ok_or_else(|| {
        ErrorResponse::invalid_request("Invalid request: content must be application/x-www-form-urlencoded")
    })?;
    match form.repeated() {
        Some(name) => Err(ErrorResponse::invalid_request(format!("Invalid request: `{name}` is repeated"))),
        None => Ok(form),
    }
}

fn or_error_response(state: &State, outcome: Result<Answer, ErrorResponse>) -> Answer {
    outcome.unwrap_or_else(|error| error_answer(&error, state.provider.rules().errors))
}

fn redirect(location: &str) -> Answer {
    Answer::new(302).header("Cache-Control", "no-store").header("Location", location)
}

/// Answers the CORS preflight, which browsers send before a request with `Authorization` to another origin.
fn preflight() -> Answer {
    Answer::new(204)
        .header("Access-Control-Allow-Methods", "GET, POST, DELETE")
        .header("Access-Control-Allow-Headers", "authorization, content-type")
        .header("Access-Control-Max-Age", "600")
}

fn wrong_method(allowed: &str) -> Answer {
    let error = ErrorResponse::invalid_request(format!("Invalid request: method must be {allowed}"));
    Answer::from(error.with_status(405)).header("Allow", allowed)
}
