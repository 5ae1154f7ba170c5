//! The page's events, `GET /_sandbox/events`: each request as it comes, as server-sent events (HTML standard section 9.2).
//!
//! | event | data |
//! |---|---|
//! | `request` | the row of a request that came or was answered |
//! | `now` | counts, faults and grants, when they change |
//! | `reset` | the page must load again, because the sandbox has forgotten what the page shows |

use std::io;
use std::time::{Duration, Instant};

use crate::answer::{Answer, Framing, chunk};
use crate::http::endpoints;
use crate::http::guard;
use crate::http::request::Request;
use crate::http::state::State;
use crate::http::watch::rendering::{MOST_ROWS, now, row};
use crate::http::wire::{Next, Wire};
use crate::ledger::{Numbered, Stamp};
use crate::orders::script::Step;
use crate::restream::form::Form;

/// How long the stream waits for a request before it looks at counts, faults and grants again.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the stream is silent. A comment then shows whether the browser is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// Whether this request asks for events and may have them.
pub(crate) fn asked_for(state: &State, request: &Request) -> bool {
    let head = &request.head;
    (head.method(), head.path()) == ("GET", "/_sandbox/events") && guard::check(state, head).is_ok()
}

/// Sends events until the browser goes or the sandbox stops.
pub(crate) fn send(state: &State, request: &Request, wire: &mut Wire) -> io::Result<()> {
    let head = Answer::new(200)
        .header("Content-Type", "text/event-stream")
        .header("Cache-Control", "no-store")
        .header("X-Content-Type-Options", "nosniff")
        .header("Connection", "close");
    let head = endpoints::with_common_headers(state, head).head(Framing::Chunked);
    let mut stream = Stream { wire, state, spoke_at: Instant::now() };
    stream.write(head)?;

    let current = state.provider.book.recent(NOTHING, 0, Duration::ZERO).stamp;
    let mut seen = seen_by(request).unwrap_or(Stamp { revision: 0, ..current });
    let mut shown = String::new();
    while !state.stop.is_stopping() {
        let mut recent = state.provider.book.recent(seen, MOST_ROWS, PAUSE);
        if recent.stamp.edition != seen.edition || recent.stamp.revision < seen.revision {
            stream.event("reset", "", "")?;
            break;
        }
        // The browser repeats the id of the last event that it has, so that ids must not decrease.
        recent.requests.sort_by_key(|it| it.revision);
        for it in &recent.requests {
            stream.event("request", &id(seen.edition, it), &row(it))?;
        }
        seen = recent.stamp;
        let now = now(state, &recent.totals);
        if now != shown {
            stream.event("now", "", &now)?;
            shown = now;
        }
        stream.keep_alive()?;
    }
    stream.write(chunk(b""))
}

/// No book has an edition as late as this.
const NOTHING: Stamp = Stamp { edition: u64::MAX, revision: 0 };

/// What the page has already: the id of its last event, or what the page said when it was loaded.
fn seen_by(request: &Request) -> Option<Stamp> {
    let query = Form::parse(request.head.query().as_bytes());
    let (edition, revision) = request.head.header("last-event-id").or(query.value("seen"))?.split_once('.')?;
    Some(Stamp { edition: edition.parse().ok()?, revision: revision.parse().ok()? })
}

fn id(edition: u64, Numbered { revision, .. }: &Numbered) -> String {
    format!("id: {edition}.{revision}\n")
}

struct Stream<'a> {
    wire: &'a mut Wire,
    state: &'a State,
    spoke_at: Instant,
}

impl Stream<'_> {
    /// `data` is one line.
    fn event(&mut self, name: &str, id: &str, data: &str) -> io::Result<()> {
        self.write(chunk(format!("{id}event: {name}\ndata: {data}\n\n").as_bytes()))
    }

    fn keep_alive(&mut self) -> io::Result<()> {
        if self.spoke_at.elapsed() < SILENCE { Ok(()) } else { self.write(chunk(b":\n\n")) }
    }

    fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.spoke_at = Instant::now();
        match self.wire.play(vec![Step::Send(bytes)], &self.state.stop)? {
            Next::Request => Ok(()),
            Next::Nothing => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}
