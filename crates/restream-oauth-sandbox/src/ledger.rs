//! What the sandbox saw: every request by its shape, never by its secrets, and how often what happened.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::restream::authorization_server::Tally;
use crate::restream::client_authentication::ClientAuthentication;
use crate::system::sync::lock;

/// How many requests are kept; older ones are only counted.
const REQUESTS_KEPT: usize = 10_000;

/// A snapshot of everything that happened since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// The requests in the order in which they arrived, without those to `/_sandbox/` other than the canary.
    pub requests: Vec<SeenRequest>,
    /// How many older requests are no longer in `requests`.
    pub requests_forgotten: u64,
    /// Connections that were accepted, those of `/_sandbox/` included.
    pub connections: u64,
    /// Requests to `/_sandbox/canary`: somebody followed a redirect.
    pub canary_hits: u64,
    /// Codes handed out by an approval.
    pub codes_issued: u64,
    /// Codes that became a pair.
    pub exchanges: u64,
    /// Refreshes that succeeded. Each is a rotation: the pair before it is dead.
    pub refreshes: u64,
    /// Revocations that killed a pair.
    pub revocations: u64,
    /// Second uses of a code.
    pub codes_replayed: u64,
    /// Uses of a refresh token that had been rotated or revoked before.
    pub dead_refresh_tokens_used: u64,
    /// Uses of an access token that had been rotated or revoked before.
    pub dead_access_tokens_used: u64,
}

impl Ledger {
    /// The requests to one path.
    pub fn requests_to<'ledger>(&'ledger self, path: &'ledger str) -> impl Iterator<Item = &'ledger SeenRequest> {
        self.requests.iter().filter(move |request| request.path == path)
    }

    /// The ledger as one JSON object, as `GET /_sandbox/ledger` answers it.
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
            "revocations": self.revocations,
            "codes_replayed": self.codes_replayed,
            "dead_refresh_tokens_used": self.dead_refresh_tokens_used,
            "dead_access_tokens_used": self.dead_access_tokens_used,
        })
        .to_string()
    }
}

/// One request: what it looked like and what became of it. No value of a parameter, no credential.
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
    /// The names of the headers in lower case, in their order.
    pub headers: Vec<String>,
    /// The value of `Content-Type`.
    pub content_type: Option<String>,
    /// The value of `User-Agent`.
    pub user_agent: Option<String>,
    /// The fault that struck, by its name in JSON.
    pub fault: Option<&'static str>,
    /// The status of the final answer; `None` if there is none yet, or never will be.
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
            "headers": self.headers,
            "content_type": self.content_type,
            "user_agent": self.user_agent,
            "fault": self.fault,
            "status": self.status,
        })
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
    /// Which reset these pages follow: an entry of an older one is gone.
    edition: u64,
}

/// Where a request stands in the book.
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

    /// A request has arrived and nothing was done about it yet.
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

    /// Its answer is about to be written: a client that has it finds it in the ledger.
    pub(crate) fn answered(&self, entry: Entry, status: Option<u16>) {
        self.write(|pages| {
            let at = entry.number.checked_sub(pages.totals.requests_forgotten);
            let at = at.filter(|_| entry.edition == pages.edition).and_then(|at| usize::try_from(at).ok());
            if let Some(request) = at.and_then(|at| pages.kept.get_mut(at)) {
                request.status = status;
            }
        });
    }

    /// Takes over what the authorization server counted.
    pub(crate) fn count(&self, tally: Tally) {
        self.write(|Pages { totals, .. }| {
            totals.codes_issued = tally.codes_issued;
            totals.exchanges = tally.exchanges;
            totals.refreshes = tally.refreshes;
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

    /// Waits until the ledger is as wanted; `false` if it never was within `limit`.
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
            headers: vec!["host".to_owned()],
            content_type: None,
            user_agent: None,
            fault: None,
            status: None,
        }
    }

    #[test]
    fn an_answer_is_written_beside_its_own_request() {
        let book = Book::default();
        let first = book.arrived(seen("/1"));
        let second = book.arrived(seen("/2"));
        book.answered(second, Some(200));
        book.answered(first, Some(400));
        let statuses: Vec<_> = book.snapshot().requests.iter().map(|it| it.status).collect();
        assert_eq!(statuses, [Some(400), Some(200)]);
    }

    #[test]
    fn the_book_is_bounded_and_counts_what_it_forgets() {
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
    fn an_answer_after_a_reset_belongs_to_nothing() {
        let book = Book::default();
        let old = book.arrived(seen("/old"));
        book.reset();
        book.arrived(seen("/new"));
        book.answered(old, Some(200));
        assert_eq!(book.snapshot().requests.first().and_then(|it| it.status), None);
    }

    #[test]
    fn waiting_ends_when_the_ledger_is_as_wanted_or_time_is_up() {
        let book = Book::default();
        assert!(!book.wait_until(Duration::from_millis(1), |ledger| ledger.connections == 1));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| book.wait_until(Duration::from_secs(10), |ledger| ledger.connections == 1));
            book.connected();
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn json_names_every_field() {
        let book = Book::default();
        book.arrived(seen("/oauth/token"));
        let value: Value = serde_json::from_str(&book.snapshot().to_json()).unwrap();
        assert_eq!(value["requests"][0]["client_authentication"], "basic");
        assert_eq!(value["requests"][0]["status"], Value::Null);
        assert_eq!(value.as_object().unwrap().len(), 11);
    }
}
