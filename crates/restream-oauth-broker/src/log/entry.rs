//! One line of the log.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use restream_oauth_keeper::{DeathCause, Event, EventKind};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::level::Level;
use crate::keeper_event;

/// The longest text of a member, in characters.
const LONGEST_TEXT: usize = 512;

/// One line of the log: pure until [`into_line`](Self::into_line) is given the time.
///
/// ```
/// use std::time::SystemTime;
/// use restream_oauth_broker::log::{Entry, Level};
///
/// let entry = Entry::new(Level::Warn, "secret_readable", "others can read the file").with("mode", 644_u16);
/// let line: serde_json::Value = serde_json::from_str(&entry.into_line(SystemTime::UNIX_EPOCH))?;
/// assert_eq!(line["time"], "1970-01-01T00:00:00.000Z");
/// assert_eq!(line["level"], "warn");
/// assert_eq!(line["mode"], 644);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    level: Level,
    event: &'static str,
    message: String,
    members: Vec<(&'static str, Value)>,
}

/// A value of a member.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A whole number.
    Number(u64),
    /// True or false.
    Flag(bool),
    /// A text without secrets. It is truncated to 512 characters.
    Text(String),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(truncated(text))
    }
}

impl From<IpAddr> for Value {
    fn from(address: IpAddr) -> Self {
        Self::Text(address.to_string())
    }
}

/// A request that ended.
#[derive(Clone, Debug)]
pub struct RequestLine<'a> {
    /// The method. One that HTTP does not define is logged as `other`.
    pub method: &'a Method,
    /// The name of the route, which is not the URL.
    pub route: &'static str,
    /// The status of the answer; `None` if the device hung up before.
    pub status: Option<StatusCode>,
    /// The time from the head until the answer.
    pub duration: Duration,
    /// The device, by the name under which it is listed. Never its handle.
    pub device: Option<&'a str>,
    /// The address that asked.
    pub address: IpAddr,
}

impl Entry {
    /// An entry. `event` is a word that programs search for; `message` is for people, and holds no secret.
    pub fn new(level: Level, event: &'static str, message: &str) -> Self {
        Self { level, event, message: truncated(message), members: Vec::new() }
    }

    /// Adds a member. A name that is there already, also `time`, `level`, `event` and `message`, is not replaced.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// The entry for a request. A status of 500 and more is a warning.
    ///
    /// ```
    /// use std::net::{IpAddr, Ipv4Addr};
    /// use std::time::{Duration, SystemTime};
    /// use http::{Method, StatusCode};
    /// use restream_oauth_broker::log::{Entry, RequestLine};
    ///
    /// let entry = Entry::request(&RequestLine {
    ///     method: &Method::POST,
    ///     route: "obs_token",
    ///     status: Some(StatusCode::OK),
    ///     duration: Duration::from_micros(1500),
    ///     device: Some("d7"),
    ///     address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    /// });
    /// assert!(entry.into_line(SystemTime::now()).contains(r#""route":"obs_token""#));
    /// ```
    pub fn request(request: &RequestLine<'_>) -> Self {
        let is_fault = request.status.is_some_and(|status| status.is_server_error());
        let level = if is_fault { Level::Warn } else { Level::Info };
        let microseconds = u64::try_from(request.duration.as_micros()).unwrap_or(u64::MAX);
        let entry =
            Self::new(level, "request", if request.status.is_some() { "answered" } else { "the device hung up" })
                .with("method", known(request.method))
                .with("route", request.route)
                .with("duration_us", microseconds)
                .with("address", request.address);
        let entry = match request.status {
            Some(status) => entry.with("status", status.as_u16()),
            None => entry,
        };
        match request.device {
            Some(device) => entry.with("device", device),
            None => entry,
        }
    }

    /// The entry for an event of the keeper. `grant` is the name of the grant, which is that of a device.
    pub fn keeper(event: &Event) -> Self {
        let level = match &event.kind {
            EventKind::Stranded { .. } => Level::Error,
            EventKind::Dead { why: DeathCause::LostAnswer }
            | EventKind::InDoubt { .. }
            | EventKind::Throttled
            | EventKind::Failed(_)
            | EventKind::Odd(_) => Level::Warn,
            _ => Level::Info,
        };
        Self::new(level, "grant", &event.kind.to_string())
            .with("what", keeper_event::word(&event.kind))
            .with("grant", event.grant.as_str())
    }

    /// How much the entry matters.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The entry as one line of JSON, without the line break.
    pub fn into_line(self, time: SystemTime) -> String {
        // Numbers, flags and text alone: nothing that could fail.
        serde_json::to_string(&Line { entry: &self, time: &rfc_3339(time) }).unwrap_or_default()
    }
}

/// An entry with its time, as the members of an object.
struct Line<'a> {
    entry: &'a Entry,
    time: &'a str,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Entry { level, event, message, members } = self.entry;
        let first = [("time", self.time), ("level", level.as_str()), ("event", event), ("message", message)];
        let mut line = serializer.serialize_map(None)?;
        for (name, text) in first {
            line.serialize_entry(name, text)?;
        }
        for (place, (name, value)) in members.iter().enumerate() {
            let is_there = first.iter().any(|(known, _)| known == name)
                || members.iter().take(place).any(|(known, _)| known == name);
            match value {
                _ if is_there => {}
                Value::Number(number) => line.serialize_entry(name, number)?,
                Value::Flag(flag) => line.serialize_entry(name, flag)?,
                Value::Text(text) => line.serialize_entry(name, text)?,
            }
        }
        line.end()
    }
}

/// A client may send any word as a method, and as many as it likes.
fn known(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 9] = [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::HEAD, "HEAD"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::PUT, "PUT"),
        (Method::DELETE, "DELETE"),
        (Method::PATCH, "PATCH"),
        (Method::CONNECT, "CONNECT"),
        (Method::TRACE, "TRACE"),
    ];
    KNOWN.iter().find(|(known, _)| known == method).map_or("other", |(_, name)| name)
}

fn truncated(text: &str) -> String {
    // A character has a byte at least.
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let mut characters = text.chars();
    let mut truncated: String = characters.by_ref().take(LONGEST_TEXT).collect();
    if characters.next().is_some() {
        truncated.push('…');
    }
    truncated
}

/// A time in UTC with milliseconds. The formatter panics before 1970 and fails after 9999, so such a time is written as
/// the nearest that it knows: a wrong clock must not silence the log.
fn rfc_3339(time: SystemTime) -> String {
    let mut text = String::new();
    match write!(text, "{}", humantime::format_rfc3339_millis(time.max(SystemTime::UNIX_EPOCH))) {
        Ok(()) => text,
        Err(_) => "9999-12-31T23:59:59.999Z".to_owned(),
    }
}
