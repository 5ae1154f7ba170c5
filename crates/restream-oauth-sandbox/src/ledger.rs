//! The ledger: the shape of each request, without any secret, and the counts of what the server did.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::restream::authorization_server::Tally;
use crate::restream::client_authentication::{BasicEncoding, ClientAuthentication};
use crate::system::sync::lock;

/// The largest number of requests that the ledger keeps. It only counts older ones.
const REQUESTS_KEPT: usize = 10_000;

/// A snapshot of everything that happened since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// The requests in the order of their arrival. Of the paths under `/_sandbox/`, only the canary is recorded.
    pub requests: Vec<SeenRequest>,
    /// The number of older requests that `requests` no longer holds.
    pub requests_forgotten: u64,
    /// Accepted connections, including those to `/_sandbox/`.
    pub connections: u64,
    /// Requests to `/_sandbox/canary`. Each means that a client followed a redirect.
    pub canary_hits: u64,
    /// Issued codes, one for each approval.
    pub codes_issued: u64,
    /// Codes that were exchanged for a pair.
    pub exchanges: u64,
    /// Successful refreshes. By default each is a rotation, which kills the previous pair.
    pub refreshes: u64,
    /// Refreshes with an old refresh token within its grace, which `refreshes` counts too.
    pub refreshes_in_grace: u64,
    /// Revocations that killed a living pair.
    pub revocations: u64,
    /// Second uses of a code.
    pub codes_replayed: u64,
    /// Uses of a refresh token after its rotation or revocation.
    pub dead_refresh_tokens_used: u64,
    /// Uses of an access token after its rotation or revocation.
    pub dead_access_tokens_used: u64,
}

impl Ledger {
    /// The requests to one path.
    pub fn requests_to<'ledger>(&'ledger self, path: &'ledger str) -> impl Iterator<Item = &'ledger SeenRequest> {
        self.requests.iter().filter(move |request| request.path == path)
    }

    /// The ledger as the JSON object that `GET /_sandbox/ledger` returns.
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({
            "requests": self.requests.iter().map(SeenRequest::to_value).collect::<Vec<_>>(),
            "requests_forgotten": self.requests_forgotten,
            "connections": self.connections,
            "canary_hits": self.canary_hits,
            "codes_issued": self.codes_issued,
            "exchanges": self.exchanges,
            "refreshes": self.refreshes,
            "refreshes_in_grace": self.refreshes_in_grace,
            "revocations": self.revocations,
            "codes_replayed": self.codes_replayed,
            "dead_refresh_tokens_used": self.dead_refresh_tokens_used,
            "dead_access_tokens_used": self.dead_access_tokens_used,
        })
        .to_string()
    }
}

/// The shape of one request, and its outcome. It holds no credentials and no values of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenRequest {
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The names of the query's parameters, in their order.
    pub query_parameters: Vec<String>,
    /// The names of the form's parameters, in their order.
    pub form_parameters: Vec<String>,
    /// How the client authenticated.
    pub client_authentication: ClientAuthentication,
    /// How the client encoded the registered credentials for Basic. `None` without Basic, or with other credentials.
    pub basic_encoding: Option<BasicEncoding>,
    /// What is unusual about the request. The sandbox accepts all of it, unless a rule forbids it.
    pub oddities: Vec<Oddity>,
    /// The names of the headers in lower case, in their order.
    pub headers: Vec<String>,
    /// The value of `Content-Type`.
    pub content_type: Option<String>,
    /// The value of `User-Agent`.
    pub user_agent: Option<String>,
    /// The name of the fault that struck, as in JSON.
    pub fault: Option<&'static str>,
    /// The status of the final answer. `None` before the answer, and for ever if the client receives no whole head.
    pub status: Option<u16>,
}

impl SeenRequest {
    fn to_value(&self) -> Value {
        json!({
            "method": self.method,
            "path": self.path,
            "query_parameters": self.query_parameters,
            "form_parameters": self.form_parameters,
            "client_authentication": self.client_authentication.as_str(),
            "basic_encoding": self.basic_encoding.map(BasicEncoding::as_str),
            "oddities": self.oddities.iter().map(|oddity| oddity.as_str()).collect::<Vec<_>>(),
            "headers": self.headers,
            "content_type": self.content_type,
            "user_agent": self.user_agent,
            "fault": self.fault,
            "status": self.status,
        })
    }
}

/// Something unusual about a request to an OAuth endpoint, which real clients nevertheless send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// `Host` lacks the port.
    HostWithoutPort,
    /// A parameter has no `=`, as in `&scope`.
    ParameterWithoutEqualsSign,
    /// The form contains a space that is not escaped.
    UnescapedSpace,
    /// The endpoint does not know a parameter.
    UnknownParameter,
    /// The authorization request has no `state`, so that the client cannot recognise a forged callback.
    NoState,
    /// The redirect URI and the registered one differ in the slash of an empty path, as in `http://localhost:3000`.
    EmptyPathOfRedirectUri,
    /// A refresh has a `redirect_uri`, which belongs to an exchange.
    RedirectUriInRefresh,
    /// `scope` names a scope that the application never gets.
    ScopeNotGranted,
    /// The client secret is in the Basic header and in the form, which RFC 6749 section 2.3 forbids.
    SecretInHeaderAndForm,
}

impl Oddity {
    /// The name in the ledger's JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::HostWithoutPort => "host_without_port",
            Self::ParameterWithoutEqualsSign => "parameter_without_equals_sign",
            Self::UnescapedSpace => "unescaped_space",
            Self::UnknownParameter => "unknown_parameter",
            Self::NoState => "no_state",
            Self::EmptyPathOfRedirectUri => "empty_path_of_redirect_uri",
            Self::RedirectUriInRefresh => "redirect_uri_in_refresh",
            Self::ScopeNotGranted => "scope_not_granted",
            Self::SecretInHeaderAndForm => "secret_in_header_and_form",
        }
    }
}

/// The ledger while it is being written.
#[derive(Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
    changed: Condvar,
}

#[derive(Default)]
struct Pages {
    kept: VecDeque<SeenRequest>,
    /// The totals; its `requests` stay empty.
    totals: Ledger,
    /// The number of resets before these pages. An [`Entry`] of an older edition no longer exists.
    edition: u64,
}

/// The place of a request in the book.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    edition: u64,
    number: u64,
}

impl Book {
    pub(crate) fn connected(&self) {
        self.write(|pages| pages.totals.connections += 1);
    }

    pub(crate) fn canary_hit(&self) {
        self.write(|pages| pages.totals.canary_hits += 1);
    }

    /// Records a request on arrival, before the server does anything.
    pub(crate) fn arrived(&self, request: SeenRequest) -> Entry {
        self.write(|pages| {
            if pages.kept.len() == REQUESTS_KEPT {
                pages.kept.pop_front();
                pages.totals.requests_forgotten += 1;
            }
            pages.kept.push_back(request);
            let number = pages.totals.requests_forgotten + pages.kept.len() as u64 - 1;
            Entry { edition: pages.edition, number }
        })
    }

    /// Records the status before the answer is sent, so that a client that has the answer finds it in the ledger.
    pub(crate) fn answered(&self, entry: Entry, status: Option<u16>) {
        self.write(|pages| {
            let at = entry.number.checked_sub(pages.totals.requests_forgotten);
            let at = at.filter(|_| entry.edition == pages.edition).and_then(|at| usize::try_from(at).ok());
            if let Some(request) = at.and_then(|at| pages.kept.get_mut(at)) {
                request.status = status;
            }
        });
    }

    /// Copies the counts of the authorization server.
    pub(crate) fn count(&self, tally: Tally) {
        self.write(|Pages { totals, .. }| {
            totals.codes_issued = tally.codes_issued;
            totals.exchanges = tally.exchanges;
            totals.refreshes = tally.refreshes;
            totals.refreshes_in_grace = tally.refreshes_in_grace;
            totals.revocations = tally.revocations;
            totals.codes_replayed = tally.codes_replayed;
            totals.dead_refresh_tokens_used = tally.dead_refresh_tokens_used;
            totals.dead_access_tokens_used = tally.dead_access_tokens_used;
        });
    }

    pub(crate) fn reset(&self) {
        self.write(|pages| {
            let edition = pages.edition + 1;
            *pages = Pages { edition, ..Pages::default() };
        });
    }

    pub(crate) fn snapshot(&self) -> Ledger {
        lock(&self.pages).snapshot()
    }

    /// Waits until `wanted` accepts the ledger. Returns `false` after `limit`.
    pub(crate) fn wait_until(&self, limit: Duration, mut wanted: impl FnMut(&Ledger) -> bool) -> bool {
        let started = Instant::now();
        let mut pages = lock(&self.pages);
        loop {
            if wanted(&pages.snapshot()) {
                return true;
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return false;
            }
            pages = self.changed.wait_timeout(pages, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn write<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        let result = change(&mut lock(&self.pages));
        self.changed.notify_all();
        result
    }
}

impl Pages {
    fn snapshot(&self) -> Ledger {
        Ledger { requests: self.kept.iter().cloned().collect(), ..self.totals.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: &str) -> SeenRequest {
        SeenRequest {
            method: "POST".to_owned(),
            path: path.to_owned(),
            query_parameters: Vec::new(),
            form_parameters: vec!["grant_type".to_owned()],
            client_authentication: ClientAuthentication::Basic,
            basic_encoding: Some(BasicEncoding::ColonEscaped),
            oddities: vec![Oddity::NoState],
            headers: vec!["host".to_owned()],
            content_type: None,
            user_agent: None,
            fault: None,
            status: None,
        }
    }

    #[test]
    fn a_status_is_recorded_for_its_own_request() {
        let book = Book::default();
        let first = book.arrived(seen("/1"));
        let second = book.arrived(seen("/2"));
        book.answered(second, Some(200));
        book.answered(first, Some(400));
        let statuses: Vec<_> = book.snapshot().requests.iter().map(|it| it.status).collect();
        assert_eq!(statuses, [Some(400), Some(200)]);
    }

    #[test]
    fn the_book_keeps_a_limited_number_of_requests_and_counts_the_rest() {
        let book = Book::default();
        let first = book.arrived(seen("/first"));
        for _ in 0..REQUESTS_KEPT {
            book.arrived(seen("/later"));
        }
        book.answered(first, Some(200));
        let ledger = book.snapshot();
        assert_eq!(ledger.requests.len(), REQUESTS_KEPT);
        assert_eq!(ledger.requests_forgotten, 1);
        assert!(ledger.requests.iter().all(|request| request.status.is_none()));
    }

    #[test]
    fn the_status_of_a_request_before_a_reset_is_ignored() {
        let book = Book::default();
        let old = book.arrived(seen("/old"));
        book.reset();
        book.arrived(seen("/new"));
        book.answered(old, Some(200));
        assert_eq!(book.snapshot().requests.first().and_then(|it| it.status), None);
    }

    #[test]
    fn waiting_ends_with_the_wanted_ledger_or_with_the_timeout() {
        let book = Book::default();
        assert!(!book.wait_until(Duration::from_millis(1), |ledger| ledger.connections == 1));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| book.wait_until(Duration::from_secs(10), |ledger| ledger.connections == 1));
            book.connected();
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn the_json_has_every_field() {
        let book = Book::default();
        book.arrived(seen("/oauth/token"));
        let value: Value = serde_json::from_str(&book.snapshot().to_json()).unwrap();
        assert_eq!(value["requests"][0]["client_authentication"], "basic");
        assert_eq!(value["requests"][0]["basic_encoding"], "colon_escaped");
        assert_eq!(value["requests"][0]["oddities"], json!(["no_state"]));
        assert_eq!(value["requests"][0]["status"], Value::Null);
        assert_eq!(value.as_object().unwrap().len(), 12);
    }
}
