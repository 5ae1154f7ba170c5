//! Turns an answer and a fault into the steps that a connection carries out.
//!
//! A script is data: it does nothing by itself. The connection plays it.

use std::time::Duration;

use crate::answer::{Answer, Framing, chunk};
use crate::orders::fault::{BodyFraming, Ending, Point, What};

/// One action on a connection. After a script without an ending, the connection stays open for the next request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends the same bytes this many times; `None` repeats for ever.
    Repeat {
        bytes: Vec<u8>,
        times: Option<u64>,
        every: Duration,
    },
    /// Sends nothing until the client gives up.
    Hang,
    /// Closes in order: with TLS a `close_notify`, then FIN.
    Finish,
    /// Ends the connection abruptly.
    End(Ending),
}

/// The steps, and the status of the final answer if the client receives its whole head.
pub(crate) struct Script {
    pub(crate) status: Option<u16>,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    /// Sends an answer without a fault.
    pub(crate) fn plain(answer: &Answer) -> Self {
        Self { status: Some(answer.status()), steps: vec![Step::Send(answer.to_bytes())] }
    }

    /// Sends an answer as this fault alters it. [`What::Status`] and [`What::Redirect`] change nothing here: the endpoints
    /// have already replaced the answer.
    pub(crate) fn faulty(answer: &Answer, what: &What) -> Self {
        let mut status = Some(answer.status());
        let body = answer.body();
        let whole = || Step::Send(answer.to_bytes());
        let head = |framing| Step::Send(answer.head(framing));
        let steps = match what {
            What::Status { .. } | What::Redirect { .. } => vec![whole()],
            What::Delay(duration) => vec![Step::Wait(*duration), whole()],
            What::Hang(point) => {
                status = status.filter(|_| point.shows_the_head());
                let mut steps = up_to(answer, *point);
                steps.push(Step::Hang);
                steps
            }
            What::Drop { point, ending } => {
                status = status.filter(|_| point.shows_the_head());
                let mut steps = up_to(answer, *point);
                steps.push(Step::End(*ending));
                steps
            }
            What::Truncate { after, framing, ending } => {
                let cut = front(body, *after);
                let framed = match framing {
                    BodyFraming::Length => head(Framing::Length(body.len())),
                    BodyFraming::UntilClose => head(Framing::UntilClose),
                    BodyFraming::Chunked => head(Framing::Chunked),
                };
                // An empty chunk would end the body.
                let chunked = *framing == BodyFraming::Chunked && !cut.is_empty();
                let sent = if chunked { chunk(cut) } else { cut.to_vec() };
                vec![framed, Step::Send(sent), Step::End(*ending)]
            }
            What::Oversize { bytes, answer_first } => oversize(answer, *bytes, *answer_first),
            What::Endless { answer_first } => {
                let mut steps = vec![head(Framing::Chunked)];
                if *answer_first && !body.is_empty() {
                    steps.push(Step::Send(chunk(body)));
                }
                steps.push(Step::Repeat { bytes: chunk(&PADDING), times: None, every: Duration::ZERO });
                steps
            }
            What::Drip { bytes, every } => {
                let all = answer.to_bytes();
                let drops = all.chunks((*bytes).max(1));
                drops.flat_map(|drop| [Step::Send(drop.to_vec()), Step::Wait(*every)]).collect()
            }
            What::WrongLength { by } => {
                let told = i64::try_from(body.len()).unwrap_or(i64::MAX).saturating_add(*by);
                let told = usize::try_from(told).unwrap_or(0);
                vec![head(Framing::Length(told)), Step::Send(body.to_vec()), Step::Finish]
            }
            What::BadChunk => {
                let (first, second) = body.split_at(body.len() / 2);
                let good = if first.is_empty() { Vec::new() } else { chunk(first) };
                let bad = [b"no number\r\n", second, b"\r\n0\r\n\r\n"].concat();
                vec![head(Framing::Chunked), Step::Send(good), Step::Send(bad), Step::Finish]
            }
            What::Gzip => {
                let zipped = answer.with_headers_of_gzip();
                vec![Step::Send(zipped.to_bytes())]
            }
            What::Http10 => {
                vec![head(Framing::UntilClose), Step::Send(body.to_vec()), Step::Finish]
            }
            What::Informational { status: told, times, every } => {
                status = status.filter(|_| times.is_some());
                let bytes = Answer::new(*told).to_bytes();
                vec![Step::Repeat { bytes, times: *times, every: *every }, whole()]
            }
            What::SwitchingProtocols => {
                status = Some(101);
                let answer = Answer::new(101).header("Connection", "Upgrade").header("Upgrade", "sandbox");
                vec![Step::Send(answer.to_bytes()), Step::Finish]
            }
            What::HugeHeader { bytes } => {
                vec![Step::Send(answer.clone_with("X-Huge", &"x".repeat((*bytes).min(HUGE_AT_MOST))).to_bytes())]
            }
            What::TinyChunks => {
                let mut steps = vec![head(Framing::Chunked)];
                steps.extend(body.chunks(1).map(|byte| Step::Send(chunk(byte))));
                steps.push(Step::Send(chunk(b"")));
                steps
            }
        };
        Self { status, steps }
    }
}

impl Script {
    /// Whether the client cannot receive the whole answer.
    pub(crate) fn loses_the_answer(&self) -> bool {
        let loses = |step: &Step| matches!(step, Step::Hang | Step::End(_) | Step::Repeat { times: None, .. });
        self.steps.iter().any(loses)
    }

    /// Divides the steps before those that send the last bytes.
    pub(crate) fn before_the_last_bytes(mut self) -> (Vec<Step>, Vec<Step>) {
        let last = self.steps.iter().rposition(|step| matches!(step, Step::Send(_))).unwrap_or_default();
        let last = self.steps.split_off(last);
        (self.steps, last)
    }
}

impl Point {
    fn shows_the_head(self) -> bool {
        matches!(self, Self::AfterHead | Self::InBody(_))
    }
}

/// The header is built in memory, which an order over HTTP must not exhaust.
const HUGE_AT_MOST: usize = 64 * 1024 * 1024;
/// Spaces, which JSON allows around a value.
const PADDING: [u8; 16 * 1024] = [b' '; 16 * 1024];

/// Sends the part of the answer before this point.
fn up_to(answer: &Answer, point: Point) -> Vec<Step> {
    let head = answer.head(Framing::Length(answer.body().len()));
    match point {
        Point::Accept | Point::Handshake | Point::BeforeHead => Vec::new(),
        Point::InHead => vec![Step::Send(front(&head, "HTTP/1.1 2".len()).to_vec())],
        Point::AfterHead => vec![Step::Send(head)],
        Point::InBody(after) => {
            vec![Step::Send(head), Step::Send(front(answer.body(), after).to_vec())]
        }
    }
}

fn oversize(answer: &Answer, bytes: u64, answer_first: bool) -> Vec<Step> {
    let first = if answer_first { answer.body() } else { &[] };
    let padding = bytes.saturating_sub(first.len() as u64);
    let total = usize::try_from(padding).unwrap_or(usize::MAX).saturating_add(first.len());
    let whole_pieces = padding / PADDING.len() as u64;
    let rest = usize::try_from(padding % PADDING.len() as u64).unwrap_or(0);
    vec![
        Step::Send(answer.head(Framing::Length(total))),
        Step::Send(first.to_vec()),
        Step::Repeat { bytes: PADDING.to_vec(), times: Some(whole_pieces), every: Duration::ZERO },
        Step::Send(front(&PADDING, rest).to_vec()),
    ]
}

fn front(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

impl Answer {
    fn with_headers_of_gzip(&self) -> Self {
        self.clone_with("Content-Encoding", "gzip").replace_body(gzip(self.body()))
    }
}

/// Encodes as gzip without compression: stored blocks and a checksum (RFC 1952, RFC 1951 section 3.2.4).
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = data.chunks(usize::from(u16::MAX)).peekable();
    if blocks.peek().is_none() {
        out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&crc32(data).to_le_bytes());
    let size = u32::try_from(data.len() & 0xffff_ffff).unwrap_or(u32::MAX);
    out.extend_from_slice(&size.to_le_bytes());
    out
}

fn crc32(data: &[u8]) -> u32 {
    let mut register = u32::MAX;
    for byte in data {
        register ^= u32::from(*byte);
        for _ in 0..8 {
            let polynomial = if register & 1 == 1 { 0xedb8_8320 } else { 0 };
            register = (register >> 1) ^ polynomial;
        }
    }
    !register
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_carries_checksum_and_size_as_rfc_1952_asks() {
        // The published check value of CRC-32 is that of "123456789".
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let zipped = gzip(b"123456789");
        assert_eq!(zipped[10..15], [1, 9, 0, !9, 0xff]);
        assert_eq!(zipped[15..24], *b"123456789");
        assert_eq!(zipped[24..], [0x26, 0x39, 0xf4, 0xcb, 9, 0, 0, 0]);
    }

    #[test]
    fn gzip_splits_a_body_that_is_larger_than_a_stored_block() {
        let zipped = gzip(&vec![7; 65_536]);
        assert_eq!(zipped[10..15], [0, 0xff, 0xff, 0, 0]);
        assert_eq!(zipped[15 + 65_535..][..5], [1, 1, 0, 0xfe, 0xff]);
        assert_eq!(gzip(b"").len(), 10 + 5 + 8);
    }

    #[test]
    fn an_oversize_body_is_as_long_as_its_content_length_says() {
        let answer = Answer::json(200, "{}".to_owned());
        for (bytes, answer_first) in [(0, false), (1, true), (16 * 1024, false), (100_000, true)] {
            let steps = oversize(&answer, bytes, answer_first);
            let sent: u64 = steps[1..]
                .iter()
                .map(|step| match step {
                    Step::Send(bytes) => bytes.len() as u64,
                    Step::Repeat { bytes, times, .. } => bytes.len() as u64 * times.unwrap(),
                    _ => 0,
                })
                .sum();
            let Step::Send(head) = &steps[0] else { panic!("no head") };
            let head = String::from_utf8_lossy(head);
            assert!(head.contains(&format!("Content-Length: {sent}\r\n")), "{head}");
            assert!(sent >= bytes);
        }
    }

    #[test]
    fn the_script_has_a_status_only_if_a_whole_head_is_sent() {
        let answer = Answer::json(200, "{}".to_owned());
        let status = |what| Script::faulty(&answer, &what).status;
        assert_eq!(status(What::lost_answer()), None);
        assert_eq!(status(What::Hang(Point::InHead)), None);
        assert_eq!(status(What::Hang(Point::AfterHead)), Some(200));
        let endless = What::Informational { status: 103, times: None, every: Duration::ZERO };
        assert_eq!(status(endless), None);
    }
}
