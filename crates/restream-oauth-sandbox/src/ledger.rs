//! The ledger: the shape of each request, without any secret, and the counts of what the server did.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::ledger::seen_request::SeenRequest;
use crate::ledger::uses::{Fingerprint, PreviousAnswer, Uses};
use crate::restream::authorization_server::Tally;
use crate::system::sync::lock;

pub(crate) mod oddity;
pub(crate) mod seen_request;
pub(crate) mod uses;

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
    /// Connections whose first request came over a resumed TLS session (RFC 8446 §2.2).
    pub tls_sessions_resumed: u64,
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
    /// Refreshes that came after the access token of the pair had expired, which `refreshes` counts too.
    pub refreshes_after_expiry: u64,
    /// Revocations that killed a living pair.
    pub revocations: u64,
    /// Grants that were ended on the page, with [`Sandbox::end_grants`](crate::Sandbox::end_grants) or over HTTP.
    pub grants_ended: u64,
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
            "tls_sessions_resumed": self.tls_sessions_resumed,
            "canary_hits": self.canary_hits,
            "codes_issued": self.codes_issued,
            "exchanges": self.exchanges,
            "refreshes": self.refreshes,
            "refreshes_in_grace": self.refreshes_in_grace,
            "refreshes_after_expiry": self.refreshes_after_expiry,
            "revocations": self.revocations,
            "grants_ended": self.grants_ended,
            "codes_replayed": self.codes_replayed,
            "dead_refresh_tokens_used": self.dead_refresh_tokens_used,
            "dead_access_tokens_used": self.dead_access_tokens_used,
        })
        .to_string()
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
    kept: VecDeque<Kept>,
    /// Counts the changes to `kept`.
    revision: u64,
    uses: Uses,
    /// The totals; its `requests` stay empty.
    totals: Ledger,
    /// The number of resets before these pages. An [`Entry`] of an older edition no longer exists.
    edition: u64,
}

struct Kept {
    request: SeenRequest,
    /// The revision that changed it last.
    revision: u64,
}

/// What the pages of a book were at some moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) edition: u64,
    pub(crate) revision: u64,
}

/// The newest requests of a book, in the order of their arrival.
pub(crate) struct Recent {
    pub(crate) stamp: Stamp,
    /// The totals; its `requests` stay empty.
    pub(crate) totals: Ledger,
    pub(crate) requests: Vec<Numbered>,
}

/// A request, which of all requests it is, counted from 1, and the revision that changed it last.
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) revision: u64,
    pub(crate) request: SeenRequest,
}

/// The place of a request in the book.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    edition: u64,
    number: u64,
    /// The refresh token of the request, and which of its uses this is.
    refresh: Option<(Fingerprint, u64)>,
}

impl Book {
    pub(crate) fn connected(&self) {
        self.write(|pages| pages.totals.connections += 1);
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls_session_resumed(&self) {
        self.write(|pages| pages.totals.tls_sessions_resumed += 1);
    }

    pub(crate) fn canary_hit(&self) {
        self.write(|pages| pages.totals.canary_hits += 1);
    }

    /// Records a request on arrival, before the server does anything. Compares the use of its refresh token, if it has one,
    /// with the previous use.
    pub(crate) fn arrived(&self, mut request: SeenRequest, refresh_token: Option<Fingerprint>) -> Entry {
        self.write(|pages| {
            let authentication = (request.client_authentication, request.basic_encoding);
            request.refresh_token_use =
                refresh_token.map(|token| pages.uses.record(token, authentication, Instant::now()));
            let refresh = refresh_token.zip(request.refresh_token_use.as_ref().map(|this| this.number));
            if pages.kept.len() == REQUESTS_KEPT {
                pages.kept.pop_front();
                pages.totals.requests_forgotten += 1;
            }
            pages.revision += 1;
            pages.kept.push_back(Kept { request, revision: pages.revision });
            let number = pages.totals.requests_forgotten + pages.kept.len() as u64 - 1;
            Entry { edition: pages.edition, number, refresh }
        })
    }

    /// Records the status before the answer is sent, so that a client that has the answer finds it in the ledger.
    pub(crate) fn answered(&self, entry: Entry, status: Option<u16>) {
        self.write(|pages| {
            let at = entry.number.checked_sub(pages.totals.requests_forgotten);
            let at = at.filter(|_| entry.edition == pages.edition).and_then(|at| usize::try_from(at).ok());
            if let Some(kept) = at.and_then(|at| pages.kept.get_mut(at)) {
                pages.revision += 1;
                kept.request.status = status;
                kept.request.answered = true;
                kept.revision = pages.revision;
            }
        });
    }

    /// Records what became of the answer, before its last byte is sent.
    pub(crate) fn ended(&self, entry: Entry, answer: PreviousAnswer) {
        self.write(|pages| {
            if let Some((token, number)) = entry.refresh.filter(|_| entry.edition == pages.edition) {
                pages.uses.ended(token, number, answer);
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
            totals.refreshes_after_expiry = tally.refreshes_after_expiry;
            totals.revocations = tally.revocations;
            totals.grants_ended = tally.grants_ended;
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

    /// The counts. Its `requests` are empty.
    pub(crate) fn totals(&self) -> Ledger {
        lock(&self.pages).totals.clone()
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

    /// The newest requests, `most` of them at most. Before that, waits until something is new since `seen`, for `limit` at
    /// most. A request that has not changed since `seen` is left out.
    pub(crate) fn recent(&self, seen: Stamp, most: usize, limit: Duration) -> Recent {
        let unchanged = |pages: &mut Pages| pages.stamp() == seen;
        let waiting = self.changed.wait_timeout_while(lock(&self.pages), limit, unchanged);
        let pages = waiting.unwrap_or_else(PoisonError::into_inner).0;
        let newest = pages.kept.len().saturating_sub(most);
        let numbers = pages.totals.requests_forgotten + 1..;
        let changed = |kept: &Kept| pages.edition != seen.edition || kept.revision > seen.revision;
        let requests = numbers.zip(&pages.kept).skip(newest).filter(|(_, kept)| changed(kept));
        Recent {
            stamp: pages.stamp(),
            totals: pages.totals.clone(),
            requests: requests
                .map(|(number, kept)| Numbered { number, revision: kept.revision, request: kept.request.clone() })
                .collect(),
        }
    }

    fn write<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        let result = change(&mut lock(&self.pages));
        self.changed.notify_all();
        result
    }
}

impl Pages {
    fn stamp(&self) -> Stamp {
        Stamp { edition: self.edition, revision: self.revision }
    }

    fn snapshot(&self) -> Ledger {
        Ledger { requests: self.kept.iter().map(|kept| kept.request.clone()).collect(), ..self.totals.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::ledger::oddity::Oddity;
    use crate::restream::client_authentication::{BasicEncoding, ClientAuthentication};

    fn seen(path: &str) -> SeenRequest {
        SeenRequest {
            arrived_at: Duration::ZERO,
            method: "POST".to_owned(),
            path: path.to_owned(),
            query_parameters: Vec::new(),
            form_parameters: vec!["grant_type".to_owned()],
            client_authentication: ClientAuthentication::Basic,
            basic_encoding: Some(BasicEncoding::ColonEscaped),
            oddities: vec![Oddity::NoState],
            refresh_token_use: None,
            headers: vec!["host".to_owned()],
            content_type: None,
            user_agent: None,
            fault: None,
            answered: false,
            status: None,
        }
    }

    #[test]
    fn a_status_is_recorded_for_its_own_request() {
        let book = Book::default();
        let first = book.arrived(seen("/1"), None);
        let second = book.arrived(seen("/2"), None);
        book.answered(second, Some(200));
        book.answered(first, Some(400));
        let statuses: Vec<_> = book.snapshot().requests.iter().map(|it| it.status).collect();
        assert_eq!(statuses, [Some(400), Some(200)]);
    }

    #[test]
    fn the_book_keeps_a_limited_number_of_requests_and_counts_the_rest() {
        let book = Book::default();
        let first = book.arrived(seen("/first"), None);
        for _ in 0..REQUESTS_KEPT {
            book.arrived(seen("/later"), None);
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
        let old = book.arrived(seen("/old"), None);
        book.reset();
        book.arrived(seen("/new"), None);
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
    fn recent_requests_are_those_that_changed_and_without_a_change_it_waits() {
        const LIMIT: Duration = Duration::from_millis(50);
        let book = Book::default();
        let first = book.arrived(seen("/1"), None);
        book.arrived(seen("/2"), None);
        let numbers = |recent: &Recent| recent.requests.iter().map(|it| it.number).collect::<Vec<_>>();
        let nothing = Stamp { edition: 0, revision: 0 };
        let started = Instant::now();
        let both = book.recent(nothing, 10, Duration::from_secs(60));
        assert_eq!(numbers(&both), [1, 2]);
        assert_eq!(numbers(&book.recent(nothing, 1, Duration::from_secs(60))), [2], "the newest only");
        assert!(started.elapsed() < Duration::from_secs(10), "there was no reason to wait");

        let started = Instant::now();
        assert!(book.recent(both.stamp, 10, LIMIT).requests.is_empty());
        assert!(started.elapsed() >= LIMIT);
        book.answered(first, Some(200));
        let changed = book.recent(both.stamp, 10, LIMIT);
        assert_eq!((numbers(&changed), changed.requests[0].request.status), (vec![1], Some(200)));

        book.reset();
        book.arrived(seen("/3"), None);
        assert_eq!(numbers(&book.recent(changed.stamp, 10, LIMIT)), [1], "another edition counts from the beginning");
    }

    #[test]
    fn the_json_has_every_field() {
        let book = Book::default();
        book.arrived(seen("/oauth/token"), None);
        let value: Value = serde_json::from_str(&book.snapshot().to_json()).unwrap();
        assert_eq!(value["requests"][0]["client_authentication"], "basic");
        assert_eq!(value["requests"][0]["basic_encoding"], "colon_escaped");
        assert_eq!(value["requests"][0]["oddities"], json!(["no_state"]));
        assert_eq!(value["requests"][0]["status"], Value::Null);
        assert_eq!(value.as_object().unwrap().len(), 15);
    }
}
