//! What programs can ask for over the socket, and what they get: the protocol that `KEEP.md` describes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use restream_oauth_keeper::{Gone, Grant, GrantName, Record, Stored, Token, TokenError};
use serde_json::json;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::commands::keep::not_offered::NotOffered;
use crate::commands::keep::offer::Offer;
use crate::tokens::newest::{NoToken, newest};
use crate::tokens::status::{rfc_3339, seconds_until};

/// The longest token that a body may hold, in bytes.
const LONGEST_BODY: usize = 16 * 1024;
/// What is read of a body that is too long, so that its sender gets to read the answer.
const LONGEST_DRAINED: usize = 1024 * 1024;
const BODY_TIME: Duration = Duration::from_secs(10);
/// How long a request waits for a token.
const WAIT: Duration = Duration::from_secs(20);
/// A token of a refresh is replaced at this age at the earliest, so that an API that refuses every token does not cause
/// one refresh after the other.
const YOUNG: Duration = Duration::from_secs(60);

pub(crate) type Answer = Response<Full<Bytes>>;

/// Answers one request.
pub(crate) async fn respond(request: Request<Incoming>, offer: &Offer) -> Answer {
    let (head, body) = request.into_parts();
    let plain = prefers_plain(&head.headers);
    let answered = match (head.uri.path(), &head.method) {
        ("/token", &Method::GET) => token(&head.uri, offer).await,
        ("/rejected", &Method::POST) => rejected(&head.uri, body, offer).await,
        ("/token", _) => Err(Refusal::method("GET")),
        ("/rejected", _) => Err(Refusal::method("POST")),
        _ => Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_path", "there are GET /token and POST /rejected")),
    };
    match answered {
        Ok(found) => found.into_answer(plain),
        Err(refusal) => refusal.into_answer(),
    }
}

/// `GET /token`: the present token. Refreshes only what is due.
async fn token(uri: &Uri, offer: &Offer) -> Result<Found, Refusal> {
    let (grant, stored) = grant_of(uri, offer).await?;
    let token = newest(&grant.clone().with_limit(WAIT), stored.as_ref(), None).await?;
    Ok(found(token, stored, &grant.name(), offer).await)
}

/// `POST /rejected`: the API refused the token in the body. If it is still the newest one, it is refreshed.
async fn rejected(uri: &Uri, body: Incoming, offer: &Offer) -> Result<Found, Refusal> {
    let (grant, _) = grant_of(uri, offer).await?;
    let body = read(body).await?;
    let refused = body.trim_ascii();
    if refused.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "no_token", "the body must be the token that was refused"));
    }
    let stored = offer.stored(&grant.name()).await;
    // In doubt, a refusal is what was to be expected, however young the token is. While a refresh is under way, too.
    if let Some(record) = stored.as_ref().and_then(Stored::record).filter(|record| record.doubt.is_none())
        && record.tokens.access_token().expose_secret().as_bytes() == refused
        && let Some(wait) = young_for(record, SystemTime::now())
    {
        let words =
            "the token came from a refresh less than a minute ago, and is the newest: the API refuses something else";
        return Err(Refusal::new(StatusCode::CONFLICT, "too_young", words).again_after(wait));
    }
    let token = newest(&grant.clone().with_limit(WAIT), stored.as_ref(), Some(refused)).await?;
    Ok(found(token, stored, &grant.name(), offer).await)
}

/// How long the token of a record has to wait before it may be replaced.
fn young_for(record: &Record, now: SystemTime) -> Option<Duration> {
    record.sent?;
    // A time that is yet to come is that of a clock that was wrong.
    let age = now.duration_since(record.tokens.sent_at()).ok()?;
    YOUNG.checked_sub(age).filter(|wait| !wait.is_zero())
}

/// A token with its scopes, which only the store has. `stored` is what the store held before.
async fn found(token: Arc<Token>, stored: Option<Stored>, name: &GrantName, offer: &Offer) -> Found {
    let is_it = |stored: &Stored| stored.record().is_some_and(|record| record.generation == token.generation());
    let stored = match stored.filter(is_it) {
        Some(stored) => Some(stored),
        None => offer.stored(name).await,
    };
    let scopes = stored.as_ref().and_then(Stored::record).and_then(|record| record.tokens.scopes());
    Found { scopes: scopes.map(|scopes| scopes.iter().map(str::to_owned).collect()), token }
}

/// The grant that is asked for, and what is stored of it if that is known.
async fn grant_of(uri: &Uri, offer: &Offer) -> Result<(Grant, Option<Stored>), Refusal> {
    let unknown = |words: &str| Refusal::new(StatusCode::NOT_FOUND, "unknown_account", words);
    let mut names = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("account="));
    let (name, further) = (names.next(), names.next());
    if further.is_some() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "several_accounts", "name one account"));
    }
    let name: Option<GrantName> = match name {
        Some(name) => Some(name.parse().map_err(|_| unknown("no account of this name is kept"))?),
        None => None,
    };
    offer.find(name.as_ref()).await.map_err(|not_offered| match not_offered {
        NotOffered::Unavailable(message) => Refusal::unavailable(message),
        NotOffered::Unknown if name.is_none() => {
            unknown("the default account is not kept: name one with ?account=NAME")
        }
        NotOffered::Unknown => unknown("no account of this name is kept"),
    })
}

/// Reads a body, which holds a token at most.
async fn read(mut body: Incoming) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let too_large = || {
        let words = format!("the body is longer than {LONGEST_BODY} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", words)
    };
    if body.size_hint().lower() > u64::try_from(LONGEST_DRAINED).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut kept = Zeroizing::new(Vec::with_capacity(LONGEST_BODY));
    let mut length = 0_usize;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_body", "the body broke off"));
            };
            let Some(data) = frame.data_ref() else { continue };
            length = length.saturating_add(data.len());
            if length > LONGEST_DRAINED {
                break;
            }
            if length <= LONGEST_BODY {
                kept.extend_from_slice(data);
            }
        }
        if length > LONGEST_BODY { Err(too_large()) } else { Ok(()) }
    };
    let slow = || Refusal::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body did not come in time");
    timeout(BODY_TIME, reading).await.map_err(|_| slow())??;
    Ok(kept)
}

/// True if a program asks for `text/plain`, and not for JSON.
fn prefers_plain(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let types: Vec<_> = values
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .collect();
    types.iter().any(|it| it == "text/plain") && !types.iter().any(|it| it == "application/json")
}

/// A token to give out.
struct Found {
    token: Arc<Token>,
    scopes: Option<Vec<String>>,
}

impl Found {
    fn into_answer(self, plain: bool) -> Answer {
        let access_token = self.token.access_token();
        if plain {
            let text = format!("{}\n", access_token.expose_secret());
            return answer(StatusCode::OK, "text/plain; charset=utf-8", text);
        }
        let until = self.token.usable_until();
        let found = json!({
            "access_token": access_token.expose_secret(),
            "token_type": access_token.token_type().as_str(),
            "expires_at": rfc_3339(until),
            "expires_in": seconds_until(until, SystemTime::now()),
            "scopes": self.scopes,
        });
        answer(StatusCode::OK, "application/json", format!("{found}\n"))
    }
}

/// Why a program gets no token.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: &'static str,
    message: String,
    again_after: Option<Duration>,
    allow: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into(), again_after: None, allow: None }
    }

    fn method(allow: &'static str) -> Self {
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("expected {allow}"));
        Self { allow: Some(allow), ..refusal }
    }

    /// There is no token at the moment.
    fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).again_after(Duration::from_secs(5))
    }

    fn again_after(self, wait: Duration) -> Self {
        Self { again_after: Some(wait), ..self }
    }

    fn into_answer(self) -> Answer {
        let body = json!({ "error": self.error, "message": self.message });
        let mut answer = answer(self.status, "application/json", format!("{body}\n"));
        let headers = answer.headers_mut();
        if let Some(wait) = self.again_after {
            // Whole seconds, rounded up.
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        answer
    }
}

impl From<NoToken> for Refusal {
    fn from(none: NoToken) -> Self {
        match none {
            NoToken::StillRefused => Self::unavailable("the token could not be replaced yet"),
            NoToken::Keeper(error) => error.into(),
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let message = error.to_string();
        match error {
            TokenError::Gone(Gone::NeverLoggedIn) => Self::new(StatusCode::NOT_FOUND, "unknown_account", message),
            TokenError::Gone(_) => Self::new(StatusCode::GONE, "dead", message),
            // The keeper asks again after an hour, and reads the file every half minute.
            TokenError::Configuration(_) => Self::unavailable(message).again_after(Duration::from_secs(3600)),
            TokenError::OtherOwner(_) | TokenError::Store(_) => {
                Self::unavailable(message).again_after(Duration::from_secs(30))
            }
            _ => Self::unavailable(message),
        }
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_given_to_those_who_ask_for_it_alone() {
        for (accept, plain) in [
            ("text/plain", true),
            ("Text/Plain; charset=utf-8", true),
            ("text/html, text/plain;q=0.5", true),
            ("*/*", false),
            ("text/plain, application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(prefers_plain(&headers), plain, "{accept}");
        }
        assert!(!prefers_plain(&HeaderMap::new()));
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_too_short() {
        let refusal = Refusal::unavailable("x").again_after(Duration::from_millis(1001));
        let answer = refusal.into_answer();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "2");
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
}
