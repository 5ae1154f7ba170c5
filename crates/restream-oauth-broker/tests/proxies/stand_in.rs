//! A stand-in for the broker: it remembers what it is asked, and gives one answer, or none.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of the answer that must pass.
pub(crate) const HEADERS: [(&str, &str); 4] = [
    ("content-type", "text/html"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("set-cookie", "__Host-login=1; Path=/; Secure; HttpOnly; SameSite=Lax"),
];

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The body is as long as was announced.
    is_whole: bool,
}

pub(crate) struct StandIn {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, is_stopped) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(AtomicBool::new(false)));
        let (of_thread, stopped) = (Arc::clone(&seen), Arc::clone(&is_stopped));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let seen = Arc::clone(&of_thread);
                thread::spawn(move || serve(&stream, &seen));
            }
        });
        Self { port, seen, is_stopped, thread: Some(thread) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().expect("a request")
    }

    pub(crate) fn requests_to(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.target.starts_with(path)).count()
    }

    pub(crate) fn whole_requests_to(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.is_whole && seen.target.starts_with(path)).count()
    }
}

/// From then on, nothing listens at the port.
impl Drop for StandIn {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Keeps the connection, as the broker does, until a request wants none of its answers.
fn serve(stream: &TcpStream, seen: &Mutex<Vec<Seen>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Ok(request) = read(&mut reader) {
        let is_cut = request.target.starts_with("/cut");
        seen.lock().unwrap().push(request);
        let body = "<p>hello</p>".repeat(1_000);
        let headers = HEADERS.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
        if is_cut || writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let target = lines[0].split(' ').nth(1).unwrap().to_owned();
    let mut headers = HeaderMap::new();
    for line in &lines[1..] {
        let (name, value) = line.split_once(':').unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    let length = headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse().unwrap());
    let mut body = Vec::new();
    let _ = reader.take(length).read_to_end(&mut body);
    let is_whole = u64::try_from(body.len()).unwrap() == length && !headers.contains_key("transfer-encoding");
    Ok(Seen { target, headers, body, is_whole })
}
