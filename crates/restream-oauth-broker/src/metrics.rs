//! What operators count: Prometheus text, and whether the broker is healthy.
//!
//! Every label has a few values that are known beforehand, so neither a device nor an address can make the text longer.
//! Nothing that came with a request is in it.

mod health;
mod labels;
mod text;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use restream_oauth_keeper::EventKind;

use crate::keeper_event;
use labels::Label;
use text::Text;

pub use health::Health;
pub use labels::{Bound, Door, HandleEnd, LoginStep, Outcome, UpstreamCall, UpstreamOutcome};

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The upper ends of the classes of durations, in milliseconds, and as the text names them in seconds. OBS hangs up after
/// five seconds.
const CLASSES: [(u64, &str); 9] = [
    (1, "0.001"),
    (5, "0.005"),
    (20, "0.02"),
    (100, "0.1"),
    (500, "0.5"),
    (2_000, "2"),
    (5_000, "5"),
    (10_000, "10"),
    (30_000, "30"),
];

/// The counters of a broker. Any number of threads may count at once.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use restream_oauth_broker::metrics::{Door, Gauge, Metrics, Outcome};
///
/// let metrics = Metrics::new(SystemTime::now());
/// metrics.request(Door::Obs, Outcome::Ok, Duration::from_millis(3));
/// metrics.set(Gauge::Handles, 2);
/// let text = metrics.text();
/// assert!(text.contains("restream_oauth_broker_requests_total{door=\"obs\",outcome=\"ok\"} 1\n"));
/// assert!(text.contains("restream_oauth_broker_handles 2\n"));
/// ```
#[derive(Debug)]
pub struct Metrics {
    started_at: SystemTime,
    requests: Counters,
    /// Of each door: the requests in each class of durations, and those that took longer.
    durations: Counters,
    /// Of each door: the sum of durations in nanoseconds.
    nanoseconds: Counters,
    upstream: Counters,
    logins: Counters,
    handles_issued: Counters,
    handles_ended: Counters,
    turned_away: Counters,
    keeper: Counters,
    lines_dropped: Counters,
    gauges: Counters,
}

/// What goes up and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gauge {
    /// The handles that have not ended.
    Handles,
    /// The logins that have not come back from Restream.
    OpenLogins,
    /// The connections.
    Connections,
    /// The requests that are being answered.
    RequestsInFlight,
    /// The new pairs that are in memory alone, because the store fails.
    Stranded,
}

impl Gauge {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Handles, "handles", "Handles that have not ended."),
        (Self::OpenLogins, "open_logins", "Logins that have not come back from Restream."),
        (Self::Connections, "connections", "Open connections."),
        (Self::RequestsInFlight, "requests_in_flight", "Requests that are being answered."),
        (Self::Stranded, "stranded_pairs", "New pairs that are in memory alone. Do not stop the process."),
    ];
}

impl Metrics {
    /// Begins at zero. `started_at` is the time at which the process began to serve.
    pub fn new(started_at: SystemTime) -> Self {
        let doors = Door::VALUES.len();
        Self {
            started_at,
            requests: Counters::new(doors.saturating_mul(Outcome::VALUES.len())),
            durations: Counters::new(doors.saturating_mul(CLASSES.len().saturating_add(1))),
            nanoseconds: Counters::new(doors),
            upstream: Counters::new(UpstreamCall::VALUES.len().saturating_mul(UpstreamOutcome::VALUES.len())),
            logins: Counters::new(LoginStep::VALUES.len()),
            handles_issued: Counters::new(1),
            handles_ended: Counters::new(HandleEnd::VALUES.len()),
            turned_away: Counters::new(Bound::VALUES.len()),
            keeper: Counters::new(keeper_event::WORDS.len()),
            lines_dropped: Counters::new(1),
            gauges: Counters::new(Gauge::ALL.len()),
        }
    }

    /// Counts a request that ended, with the time from its head until its answer.
    pub fn request(&self, door: Door, outcome: Outcome, duration: Duration) {
        self.requests.add(pair(door, outcome));
        let class = CLASSES.iter().position(|(end, _)| duration <= Duration::from_millis(*end));
        self.durations.add(place_of_class(door, class.unwrap_or(CLASSES.len())));
        self.nanoseconds.add_many(door.index(), u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a call to Restream.
    pub fn upstream(&self, call: UpstreamCall, outcome: UpstreamOutcome) {
        self.upstream.add(pair(call, outcome));
    }

    /// Counts a step of a login.
    pub fn login(&self, step: LoginStep) {
        self.logins.add(step.index());
    }

    /// Counts a handle that was given out.
    pub fn handle_issued(&self) {
        self.handles_issued.add(0);
    }

    /// Counts a handle that ended.
    pub fn handle_ended(&self, why: HandleEnd) {
        self.handles_ended.add(why.index());
    }

    /// Counts a request or a connection that a bound turned away.
    pub fn turned_away(&self, bound: impl Into<Bound>) {
        self.turned_away.add(bound.into().index());
    }

    /// Counts an event of the keeper.
    pub fn keeper(&self, kind: &EventKind) {
        let word = keeper_event::word(kind);
        if let Some(place) = keeper_event::WORDS.iter().position(|known| *known == word) {
            self.keeper.add(place);
        }
    }

    /// Sets how many lines of the log nobody read in time, since the process began.
    pub fn set_lines_dropped(&self, lines: u64) {
        self.lines_dropped.set(0, lines);
    }

    /// Sets a gauge.
    pub fn set(&self, gauge: Gauge, value: u64) {
        self.gauges.set(gauge as usize, value);
    }

    /// Adds one to a gauge.
    pub fn up(&self, gauge: Gauge) {
        self.gauges.add(gauge as usize);
    }

    /// Takes one from a gauge. A gauge at zero stays there.
    pub fn down(&self, gauge: Gauge) {
        self.gauges.take(gauge as usize);
    }

    /// All values, in the text format of Prometheus, version 0.0.4.
    pub fn text(&self) -> String {
        let mut text = Text::new();
        let started_at = self.started_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        text.family("start_time_seconds", "gauge", "When the process began to serve, in seconds since 1970.");
        text.sample("start_time_seconds", &[], started_at.as_secs());
        text.family("requests_total", "counter", "Requests that ended, by door and outcome.");
        self.requests.write_pairs::<Door, Outcome>(&mut text, "requests_total", ["door", "outcome"]);
        self.write_durations(&mut text);
        text.family("upstream_calls_total", "counter", "Calls to Restream, by call and outcome.");
        let labels = ["call", "outcome"];
        self.upstream.write_pairs::<UpstreamCall, UpstreamOutcome>(&mut text, "upstream_calls_total", labels);
        text.family("logins_total", "counter", "Steps of logins.");
        self.logins.write::<LoginStep>(&mut text, "logins_total", "step");
        text.family("handles_issued_total", "counter", "Handles that were given out.");
        text.sample("handles_issued_total", &[], self.handles_issued.read(0));
        text.family("handles_ended_total", "counter", "Handles that ended, by the reason.");
        self.handles_ended.write::<HandleEnd>(&mut text, "handles_ended_total", "why");
        text.family("turned_away_total", "counter", "Requests and connections that a bound turned away.");
        self.turned_away.write::<Bound>(&mut text, "turned_away_total", "bound");
        text.family("keeper_events_total", "counter", "Events of the keeper.");
        for (place, word) in keeper_event::WORDS.iter().enumerate() {
            text.sample("keeper_events_total", &[("event", word)], self.keeper.read(place));
        }
        text.family("log_lines_dropped_total", "counter", "Lines of the log that nobody read in time.");
        text.sample("log_lines_dropped_total", &[], self.lines_dropped.read(0));
        for (gauge, name, help) in Gauge::ALL {
            text.family(name, "gauge", help);
            text.sample(name, &[], self.gauges.read(gauge as usize));
        }
        text.into_string()
    }

    fn write_durations(&self, text: &mut Text) {
        text.family("request_seconds", "histogram", "The time from the head of a request until its answer, by door.");
        for (door, word) in Door::VALUES {
            let mut count = 0_u64;
            let ends = CLASSES.iter().map(|(_, end)| *end).chain(["+Inf"]);
            for (class, end) in ends.enumerate() {
                count = count.saturating_add(self.durations.read(place_of_class(*door, class)));
                text.sample("request_seconds_bucket", &[("door", word), ("le", &end)], count);
            }
            let sum = Duration::from_nanos(self.nanoseconds.read(door.index())).as_secs_f64();
            text.sample("request_seconds_sum", &[("door", word)], sum);
            text.sample("request_seconds_count", &[("door", word)], count);
        }
    }
}

/// Numbers at fixed places.
#[derive(Debug)]
struct Counters(Box<[AtomicU64]>);

impl Counters {
    fn new(places: usize) -> Self {
        Self((0..places).map(|_| AtomicU64::new(0)).collect())
    }

    fn add(&self, place: usize) {
        self.add_many(place, 1);
    }

    fn add_many(&self, place: usize, number: u64) {
        self.0.get(place).map(|counter| counter.fetch_add(number, Relaxed));
    }

    fn take(&self, place: usize) {
        if let Some(counter) = self.0.get(place) {
            let _ = counter.fetch_update(Relaxed, Relaxed, |number| number.checked_sub(1));
        }
    }

    fn set(&self, place: usize, number: u64) {
        if let Some(counter) = self.0.get(place) {
            counter.store(number, Relaxed);
        }
    }

    fn read(&self, place: usize) -> u64 {
        self.0.get(place).map_or(0, |counter| counter.load(Relaxed))
    }

    fn write<A: Label>(&self, text: &mut Text, name: &str, label: &str) {
        for (value, word) in A::VALUES {
            text.sample(name, &[(label, word)], self.read(value.index()));
        }
    }

    fn write_pairs<A: Label, B: Label>(&self, text: &mut Text, name: &str, [one, other]: [&str; 2]) {
        for (a, a_word) in A::VALUES {
            for (b, b_word) in B::VALUES {
                text.sample(name, &[(one, a_word), (other, b_word)], self.read(pair(*a, *b)));
            }
        }
    }
}

fn pair<A: Label, B: Label>(a: A, b: B) -> usize {
    a.index().saturating_mul(B::VALUES.len()).saturating_add(b.index())
}

fn place_of_class(door: Door, class: usize) -> usize {
    door.index().saturating_mul(CLASSES.len().saturating_add(1)).saturating_add(class)
}

#[cfg(test)]
mod tests;
