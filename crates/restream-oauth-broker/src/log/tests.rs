use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::mpsc;

use http::{Method, StatusCode};
use restream_oauth_keeper::{DeathCause, Event, EventKind};

use super::*;

/// More than a loaded machine needs. No test waits for all of it.
const LIMIT: Duration = Duration::from_secs(60);

fn members(line: &str) -> BTreeMap<String, serde_json::Value> {
    assert!(!line.contains('\n'), "{line}");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn line(entry: Entry) -> BTreeMap<String, serde_json::Value> {
    members(&entry.into_line(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_000_000_123)))
}

fn request(status: Option<u16>) -> Entry {
    Entry::request(&RequestLine {
        method: &Method::POST,
        route: "token",
        status: status.map(|code| StatusCode::from_u16(code).unwrap()),
        duration: Duration::from_micros(1_234),
        device: Some("d7"),
        address: Ipv4Addr::new(203, 0, 113, 7).into(),
    })
}

#[test]
fn a_line_of_a_request_has_exactly_what_is_promised() {
    let line = line(request(Some(200)));
    let expected = serde_json::json!({
        "time": "2026-11-18T11:06:40.123Z", "level": "info", "event": "request", "message": "answered",
        "method": "POST", "route": "token", "status": 200, "duration_us": 1_234, "device": "d7",
        "address": "203.0.113.7",
    });
    assert_eq!(serde_json::to_value(&line).unwrap(), expected);
}

#[test]
fn the_level_of_a_request_follows_from_its_status() {
    for (status, level) in
        [(Some(200), "info"), (Some(429), "info"), (Some(500), "warn"), (Some(503), "warn"), (None, "info")]
    {
        let line = line(request(status));
        assert_eq!(
            (line["level"].as_str(), line.contains_key("status")),
            (Some(level), status.is_some()),
            "{status:?}"
        );
    }
}

#[test]
fn a_method_that_a_client_made_up_is_not_written() {
    for (method, written) in [("GET", "GET"), ("BREW", "other"), ("get", "other")] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let address = Ipv4Addr::LOCALHOST.into();
        let request =
            RequestLine { method: &method, route: "r", status: None, duration: Duration::ZERO, device: None, address };
        let line = line(Entry::request(&request));
        assert_eq!(line["method"], written);
        assert!(!line.contains_key("device"));
    }
}

#[test]
fn texts_are_truncated_and_control_characters_escaped() {
    let line = line(Entry::new(Level::Error, "e", &"é".repeat(1_000)).with("text", "a\n\u{1b}[31m\"}"));
    assert_eq!(line["message"].as_str().unwrap(), "é".repeat(512) + "…");
    assert_eq!(line["text"], "a\n\u{1b}[31m\"}");
}

#[test]
fn a_member_does_not_replace_what_every_line_has() {
    let line = line(Entry::new(Level::Info, "e", "m").with("level", "error").with("n", 1_u32).with("n", true));
    assert_eq!((line["level"].as_str(), line["n"].as_u64()), (Some("info"), Some(1)));
}

#[test]
fn a_wrong_clock_does_not_silence_the_log() {
    for (time, expected) in [
        (SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1)), "1970-01-01T00:00:00.000Z"),
        (SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(300_000_000_000)), "9999-12-31T23:59:59.999Z"),
    ] {
        let line = members(&Entry::new(Level::Info, "e", "m").into_line(time.unwrap()));
        assert_eq!(line["time"], expected);
    }
}

#[test]
fn an_event_of_the_keeper_says_what_happened_to_which_grant() {
    let event = |kind| Event { grant: "d7".parse().unwrap(), kind };
    let rotated = line(Entry::keeper(&event(EventKind::Rotated { generation: 3 })));
    assert_eq!((rotated["what"].as_str(), rotated["grant"].as_str()), (Some("rotated"), Some("d7")));
    assert_eq!((rotated["event"].as_str(), rotated["level"].as_str()), (Some("grant"), Some("info")));
    let lost = line(Entry::keeper(&event(EventKind::Dead { why: DeathCause::LostAnswer })));
    assert_eq!(lost["level"], "warn");
    let ended = line(Entry::keeper(&event(EventKind::Dead { why: DeathCause::Revoked })));
    assert_eq!(ended["level"], "info", "a user who withdraws a grant is no fault");
}

#[test]
fn levels_are_read_and_compared() {
    for level in Level::ALL {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
    assert_eq!("INFO".parse::<Level>(), Err(UnknownLevel));
    assert!(Level::Debug < Level::Info && Level::Info < Level::Warn && Level::Warn < Level::Error);
}

/// Sends what is written to a test, and waits for a leave before each write if there is a gate.
struct Place {
    written: mpsc::Sender<String>,
    gate: Option<mpsc::Receiver<()>>,
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gate.as_ref().is_some_and(|gate| gate.recv_timeout(LIMIT).is_err()) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.written.send(String::from_utf8(bytes.to_vec()).unwrap()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_are_written_in_order_from_the_lowest_level_on() {
    let (written, lines) = mpsc::channel();
    let log = Log::to(Place { written, gate: None }, Level::Info);
    assert!(!log.is_written(Level::Debug) && log.is_written(Level::Info));
    log.write(Entry::new(Level::Debug, "left_out", "m"));
    for number in 0..100_u32 {
        log.clone().write(Entry::new(Level::Info, "e", "m").with("number", number));
    }
    assert!(log.flush(LIMIT));
    let numbers: Vec<_> = lines.try_iter().map(|line| members(line.trim_end())["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    drop(log);
    // The thread has ended, and its sender with it.
    assert_eq!(lines.recv_timeout(LIMIT), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_reader_that_reads_nothing_stops_nobody_and_learns_what_it_missed() {
    let (written, lines) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let log = Log::to(Place { written, gate: Some(gate) }, Level::Info);
    // The thread holds one line at most, and waits at the gate.
    let count = LONGEST_QUEUE + 101;
    for _ in 0..count {
        log.write(Entry::new(Level::Info, "e", "m"));
    }
    assert!(!log.flush(Duration::from_millis(1)), "nobody reads");
    let dropped = usize::try_from(log.dropped()).unwrap();
    assert!((100..=101).contains(&dropped), "{dropped}");
    // The gate opens, and lets one more through: the line about those that were dropped.
    for _ in 0..=(count - dropped) {
        open.send(()).unwrap();
    }
    assert!(log.flush(LIMIT));
    let written: Vec<_> = lines.try_iter().map(|line| members(line.trim_end())).collect();
    assert_eq!(written.len(), count - dropped + 1);
    let told: Vec<_> = written.iter().filter(|line| line["event"] == "log_lines_dropped").collect();
    assert_eq!((told.len(), told[0]["count"].as_u64()), (1, Some(u64::try_from(dropped).unwrap())));
}

#[test]
fn a_place_that_cannot_be_written_to_stops_nobody() {
    let (written, lines) = mpsc::channel();
    drop(lines);
    let log = Log::to(Place { written, gate: None }, Level::Info);
    log.write(Entry::new(Level::Info, "e", "m"));
    assert!(log.flush(LIMIT));
    assert_eq!(log.dropped(), 1);
}

#[test]
fn a_line_that_comes_while_the_thread_rests_is_written_and_so_is_one_after_a_silence() {
    let (written, lines) = mpsc::channel();
    let log = Log::to(Place { written, gate: None }, Level::Info);
    for pause in [0, 1, 4, 6, 50] {
        // Whatever the thread does then: the line must come.
        std::thread::sleep(Duration::from_millis(pause));
        log.write(Entry::new(Level::Info, "e", "m"));
        lines.recv_timeout(LIMIT).unwrap();
        log.write(Entry::new(Level::Info, "e", "m"));
        lines.recv_timeout(LIMIT).unwrap();
    }
}
