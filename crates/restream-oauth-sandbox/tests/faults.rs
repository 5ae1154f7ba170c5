//! Every kind of fault: the bytes on the wire, and whether the server acted.

mod raw;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use raw::{Ended, Reply, exchange, exchange_form};
use restream_oauth_sandbox::{BodyFraming, Ending, Endpoint, Fault, Point, Sandbox, What};

/// How long the client waits before it concludes that the server hangs.
const SHORTLY: Duration = Duration::from_millis(100);

fn sandbox_with(what: What) -> Sandbox {
    let sandbox = Sandbox::start().unwrap();
    sandbox.inject(Fault::new(what).on(Endpoint::Token));
    sandbox
}

/// Sends an exchange that meets the fault. Returns the reply and the number of successful exchanges.
fn struck_by(what: What) -> (Reply, u64) {
    let sandbox = sandbox_with(what);
    let reply = exchange(&sandbox);
    (reply, sandbox.ledger().exchanges)
}

/// Sends an exchange without waiting for the answer.
fn start_exchange(sandbox: &Sandbox) -> TcpStream {
    let form = exchange_form(sandbox);
    let request = raw::request(sandbox, "POST /oauth/token", raw::FORM, &form);
    let mut stream = raw::connect(sandbox);
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn is_pair(body: &str) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_str(body).ok();
    value.is_some_and(|value| value["refresh_token"].is_string())
}

/// Joins the data of all chunks before the first malformed one.
fn dechunked(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        match usize::from_str_radix(size, 16) {
            Ok(size) if size > 0 && rest.len() >= size + 2 => {
                out.push_str(&rest[..size]);
                body = &rest[size + 2..];
            }
            _ => break,
        }
    }
    out
}

#[test]
fn a_status_replaces_the_answer_and_issues_nothing() {
    let (reply, exchanges) = struck_by(What::retry_after(503, "120"));
    assert_eq!((reply.status(), reply.body().as_str()), (503, ""));
    assert_eq!(reply.header("retry-after").as_deref(), Some("120"));
    assert_eq!(exchanges, 0);
}

#[test]
fn a_date_header_of_the_fault_replaces_the_usual_one() {
    let date = "Wed, 21 Oct 2015 07:28:00 GMT";
    let headers = vec![("Date".to_owned(), date.to_owned())];
    let (reply, _) = struck_by(What::Status { status: 503, headers, body: Vec::new() });
    assert_eq!(reply.head().matches("\r\nDate: ").count(), 1, "{}", reply.head());
    assert_eq!(reply.header("Date").as_deref(), Some(date));
}

#[test]
fn a_status_after_acting_replaces_the_answer_of_an_exchange_that_succeeded() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.inject(Fault::new(What::status(504)).on(Endpoint::Token).after_acting());
    assert_eq!(exchange(&sandbox).status(), 504);
    assert_eq!(sandbox.ledger().exchanges, 1);
}

#[test]
fn a_fault_that_alters_the_answer_alters_a_503_if_it_strikes_before_acting() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.inject(Fault::new(What::Http10).on(Endpoint::Token).before_acting());
    let reply = exchange(&sandbox);
    assert!(reply.text().starts_with("HTTP/1.0 503 "));
    assert_eq!(reply.json()["error"]["name"], "server_error");
    assert_eq!(sandbox.ledger().exchanges, 0);
}

#[test]
fn a_fault_strikes_only_its_endpoint_and_only_its_number_of_times() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.inject(Fault::new(What::status(500)).on(Endpoint::Profile).times(2));
    sandbox.inject(Fault::new(What::status(502)).on(Endpoint::Revoke).always());
    let (access, _) = raw::pair(&sandbox);
    let statuses: Vec<_> = (0..3).map(|_| raw::profile(&sandbox, &access).status()).collect();
    assert_eq!(statuses, [500, 500, 200]);
    for _ in 0..3 {
        assert_eq!(raw::post(&sandbox, "/oauth/revoke", "token=x").status(), 502);
    }
    sandbox.clear_faults();
    assert_eq!(raw::post(&sandbox, "/oauth/revoke", "token=x").status(), 200);
}

#[test]
fn a_delay_comes_before_or_after_acting() {
    for before in [true, false] {
        let sandbox = Sandbox::start().unwrap();
        let fault = Fault::new(What::Delay(SHORTLY * 5)).on(Endpoint::Token);
        sandbox.inject(if before { fault.before_acting() } else { fault });
        let started = Instant::now();
        let stream = start_exchange(&sandbox);
        assert!(sandbox.wait_until(SHORTLY * 2, |ledger| ledger.requests.len() == 1));
        if before {
            assert_eq!(sandbox.ledger().exchanges, 0);
        } else {
            assert!(sandbox.wait_until(SHORTLY * 2, |ledger| ledger.exchanges == 1));
        }
        assert!(is_pair(&raw::read(&stream, SHORTLY * 20).body()));
        assert!(started.elapsed() >= SHORTLY * 5);
    }
}

#[test]
fn a_hang_sends_everything_before_its_point_and_then_nothing() {
    for (point, check) in [
        (Point::BeforeHead, (|text| text.is_empty()) as fn(&str) -> bool),
        (Point::InHead, |text| text == "HTTP/1.1 2"),
        (Point::AfterHead, |text| text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n\r\n")),
        (Point::InBody(7), |text| text.ends_with("\r\n\r\n{\"acces")),
    ] {
        let sandbox = sandbox_with(What::Hang(point));
        let reply = raw::read(&start_exchange(&sandbox), SHORTLY);
        assert!(check(&reply.text()), "{point:?}: {}", reply.text());
        assert_eq!(reply.ended, Ended::StillOpen, "{point:?}");
        assert_eq!(sandbox.ledger().exchanges, 1);
    }
}

#[test]
fn a_hang_at_the_start_of_a_connection_reads_no_request() {
    for point in [Point::Accept, Point::Handshake] {
        let sandbox = sandbox_with(What::Hang(point));
        let reply = raw::read(&start_exchange(&sandbox), SHORTLY);
        assert_eq!((reply.text().as_str(), reply.ended), ("", Ended::StillOpen));
        assert_eq!(sandbox.ledger().requests.len(), 0);
        assert!(is_pair(&exchange(&sandbox).body()), "the next connection is served");
    }
}

#[test]
fn a_drop_ends_the_connection_at_its_point_by_close_or_reset() {
    for (ending, ended) in [(Ending::Close, Ended::Closed), (Ending::Reset, Ended::Reset)] {
        for (point, text) in [(Point::BeforeHead, ""), (Point::InHead, "HTTP/1.1 2")] {
            let (reply, exchanges) = struck_by(What::Drop { point, ending });
            assert_eq!(reply.text(), text, "{point:?}, {ending:?}");
            assert_eq!(reply.ended, ended, "{point:?}, {ending:?}");
            assert_eq!(exchanges, 1);
        }
    }
}

#[test]
fn a_drop_before_acting_issues_nothing() {
    for what in [What::lost_answer(), What::reset()] {
        let sandbox = Sandbox::start().unwrap();
        sandbox.inject(Fault::new(what).on(Endpoint::Token).before_acting());
        assert_eq!(exchange(&sandbox).text(), "");
        let ledger = sandbox.ledger();
        assert_eq!(ledger.exchanges, 0);
        assert_eq!((ledger.requests[0].fault, ledger.requests[0].status), (Some("drop"), None));
    }
}

#[test]
fn a_drop_can_strike_right_after_accepting() {
    for (ending, ended) in [(Ending::Close, Ended::Closed), (Ending::Reset, Ended::Reset)] {
        let sandbox = sandbox_with(What::Drop { point: Point::Accept, ending });
        // The client sends nothing, so that only the fault can end the connection.
        let reply = raw::read(&raw::connect(&sandbox), SHORTLY * 20);
        assert_eq!((reply.text().as_str(), reply.ended), ("", ended));
        assert_eq!(sandbox.ledger().requests.len(), 0);
    }
}

#[test]
fn a_drop_can_strike_after_the_first_bytes() {
    let sandbox = sandbox_with(What::Drop { point: Point::Handshake, ending: Ending::Reset });
    let mut stream = raw::connect(&sandbox);
    assert_eq!(raw::read(&stream, SHORTLY).ended, Ended::StillOpen);
    stream.write_all(b"P").unwrap();
    assert_eq!(raw::read(&stream, SHORTLY * 20).ended, Ended::Reset);
}

#[test]
fn a_body_is_truncated_at_any_byte_under_each_framing() {
    for after in [0, 1, 40, 100_000] {
        for framing in [BodyFraming::Length, BodyFraming::UntilClose, BodyFraming::Chunked] {
            let (reply, exchanges) = struck_by(What::Truncate { after, framing, ending: Ending::Close });
            let (version, body) = match framing {
                BodyFraming::Length => ("HTTP/1.1", reply.body()),
                BodyFraming::UntilClose => ("HTTP/1.0", reply.body()),
                _ => ("HTTP/1.1", dechunked(&reply.body())),
            };
            assert!(reply.text().starts_with(version));
            assert_eq!(reply.header("content-length").is_some(), framing == BodyFraming::Length);
            assert_eq!(reply.header("transfer-encoding").is_some(), framing == BodyFraming::Chunked);
            assert!(!reply.text().ends_with("0\r\n\r\n"), "the last chunk is missing");
            if after <= 40 {
                assert_eq!(body.len(), after, "{framing:?}");
            } else {
                assert!(is_pair(&body), "{framing:?}");
            }
            assert_eq!((reply.ended, exchanges), (Ended::Closed, 1));
        }
    }
}

#[test]
fn a_truncated_body_can_end_with_a_reset() {
    let framing = BodyFraming::Length;
    let (reply, _) = struck_by(What::Truncate { after: 40, framing, ending: Ending::Reset });
    assert_eq!((reply.body().len(), reply.ended), (40, Ended::Reset));
}

#[test]
fn an_html_page_comes_under_any_status() {
    for status in [200, 502, 520] {
        let (reply, exchanges) = struck_by(What::html(status));
        assert_eq!(reply.status(), status);
        assert_eq!(reply.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
        assert!(reply.body().starts_with("<!doctype html>"));
        assert_eq!(exchanges, 0);
    }
}

#[test]
fn an_oversize_body_has_its_size_and_begins_with_the_answer_if_so_ordered() {
    for answer_first in [true, false] {
        let (reply, _) = struck_by(What::Oversize { bytes: 300_000, answer_first });
        assert_eq!(reply.header("content-length").as_deref(), Some("300000"));
        assert_eq!(reply.body().len(), 300_000);
        assert_eq!(is_pair(&reply.body()), answer_first);
    }
}

#[test]
fn an_endless_body_does_not_end_before_the_connection() {
    let sandbox = sandbox_with(What::Endless { answer_first: true });
    let mut stream = start_exchange(&sandbox);
    let mut bytes = vec![0; 3_000_000];
    stream.read_exact(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Transfer-Encoding: chunked"));
    assert!(is_pair(&dechunked(&body[..body.len() / 16])));
    // Dropping the sandbox and the stream must not hang.
}

#[test]
fn a_drip_sends_the_answer_a_few_bytes_at_a_time() {
    let every = Duration::from_millis(2);
    let sandbox = sandbox_with(What::Drip { bytes: 16, every });
    let started = Instant::now();
    let reply = exchange(&sandbox);
    assert!(is_pair(&reply.body()));
    let drops = u32::try_from(reply.bytes.len() / 16).unwrap();
    assert!(started.elapsed() >= every * drops);
}

#[test]
fn bad_json_and_literal_bodies_are_sent_unchanged() {
    let (reply, _) = struck_by(What::bad_json());
    assert_eq!(reply.status(), 200);
    assert!(serde_json::from_str::<serde_json::Value>(&reply.body()).is_err());
    let (reply, _) = struck_by(What::body("text/json; charset=utf-16", b"\xff\xfe{\0".to_vec()));
    assert!(reply.bytes.ends_with(b"\r\n\r\n\xff\xfe{\0"));
    assert_eq!(reply.header("content-type").as_deref(), Some("text/json; charset=utf-16"));
}

#[test]
fn a_redirect_points_to_the_canary_or_to_its_own_location() {
    for status in [301, 302, 303, 307, 308] {
        let sandbox = sandbox_with(What::redirect(status));
        let reply = exchange(&sandbox);
        assert_eq!((reply.status(), reply.header("location")), (status, Some(sandbox.canary_url())));
    }
    let location = Some("https://evil.example/".to_owned());
    let (reply, _) = struck_by(What::Redirect { status: 307, location: location.clone() });
    assert_eq!(reply.header("location"), location);
}

#[test]
fn a_wrong_length_differs_by_the_ordered_number_of_bytes() {
    for by in [-5_i64, 5] {
        let (reply, _) = struck_by(What::WrongLength { by });
        let told: i64 = reply.header("content-length").unwrap().parse().unwrap();
        let sent = i64::try_from(reply.body().len()).unwrap();
        assert_eq!(told - sent, by);
        assert!(is_pair(&reply.body()));
        assert_eq!(reply.ended, Ended::Closed);
    }
}

#[test]
fn a_bad_chunk_follows_a_good_one() {
    let (reply, _) = struck_by(What::BadChunk);
    assert_eq!(reply.header("transfer-encoding").as_deref(), Some("chunked"));
    let good = dechunked(&reply.body());
    assert!(good.starts_with("{\"access_token\"") && !is_pair(&good));
    assert!(reply.body().contains("\r\nno number\r\n"));
}

#[test]
fn gzip_is_sent_although_the_client_did_not_ask_for_it() {
    let (reply, _) = struck_by(What::Gzip);
    assert_eq!(reply.header("content-encoding").as_deref(), Some("gzip"));
    let at = reply.bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let body = &reply.bytes[at..];
    assert_eq!(reply.header("content-length"), Some(body.len().to_string()));
    assert_eq!(body[..3], [0x1f, 0x8b, 8]);
    // The body is in one stored block, between the block's header and the checksum.
    assert!(is_pair(&String::from_utf8_lossy(&body[15..body.len() - 8])));
}

#[test]
fn an_http_1_0_answer_ends_with_its_connection() {
    let (reply, exchanges) = struck_by(What::Http10);
    assert!(reply.text().starts_with("HTTP/1.0 200 OK\r\n"));
    assert_eq!(reply.header("content-length"), None);
    assert!(is_pair(&reply.body()));
    assert_eq!((reply.ended, exchanges), (Ended::Closed, 1));
}

#[test]
fn informational_answers_precede_the_real_one() {
    for (status, line) in
        [(100, "HTTP/1.1 100 Continue"), (102, "HTTP/1.1 102 Processing"), (103, "HTTP/1.1 103 Early Hints")]
    {
        let (reply, _) = struck_by(What::Informational { status, times: Some(3), every: Duration::ZERO });
        let text = reply.text();
        let rest = text.strip_prefix(&format!("{line}\r\n\r\n").repeat(3)).unwrap();
        assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(is_pair(rest.split_once("\r\n\r\n").unwrap().1));
    }
}

#[test]
fn informational_answers_can_be_endless() {
    let every = Duration::from_millis(1);
    let sandbox = sandbox_with(What::Informational { status: 102, times: None, every });
    let mut stream = start_exchange(&sandbox);
    let mut bytes = vec![0; 50 * "HTTP/1.1 102 Processing\r\n\r\n".len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), "HTTP/1.1 102 Processing\r\n\r\n".repeat(50));
    assert_eq!(sandbox.ledger().requests[0].status, None);
}

#[test]
fn switching_protocols_sends_101_and_closes() {
    let (reply, _) = struck_by(What::SwitchingProtocols);
    assert_eq!(reply.status(), 101);
    assert!(reply.header("upgrade").is_some());
    assert_eq!((reply.body().as_str(), reply.ended), ("", Ended::Closed));
}

#[test]
fn a_huge_header_precedes_the_real_body() {
    let (reply, _) = struck_by(What::HugeHeader { bytes: 1024 * 1024 });
    assert_eq!(reply.header("x-huge").map(|value| value.len()), Some(1024 * 1024));
    assert!(is_pair(&reply.body()));
}

#[test]
fn tiny_chunks_hold_one_byte_each() {
    let (reply, _) = struck_by(What::TinyChunks);
    assert!(reply.body().starts_with("1\r\n{\r\n1\r\n\"\r\n"));
    assert!(reply.body().ends_with("\r\n0\r\n\r\n"));
    assert!(is_pair(&dechunked(&reply.body())));
}

#[test]
fn a_sandbox_stops_in_the_middle_of_a_fault() {
    for what in [
        What::Hang(Point::BeforeHead),
        What::Delay(Duration::MAX),
        What::Endless { answer_first: false },
        What::Drip { bytes: 1, every: Duration::from_secs(3600) },
    ] {
        let sandbox = sandbox_with(what);
        let _stream = start_exchange(&sandbox);
        assert!(sandbox.wait_until(Duration::from_secs(5), |ledger| ledger.requests.len() == 1));
        let started = Instant::now();
        drop(sandbox);
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}
