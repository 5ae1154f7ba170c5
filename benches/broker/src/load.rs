//! The load, in a process of its own: connections that send requests, or that stay idle after one.

use std::env;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, LocalSet};

use crate::Outcome;
use crate::machine::Cores;

/// The first argument of the process.
pub(crate) const NAME: &str = "load";
/// What is sent before the clock runs.
const WARM_UP: Duration = Duration::from_secs(1);
/// How many connections are opened at once.
const AT_ONCE: usize = 64;
/// Far more than an answer takes.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longer than any answer.
const LONGEST: usize = 16 * 1024;

/// When requests are sent.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// Each connection sends the next request when it has its answer.
    Full,
    /// This many in a second over all connections, whether the server is slow or not. A request that has to wait for its
    /// connection takes as long as it waits, too.
    PerSecond(u32),
}

/// What came of a load. Times are in milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    /// Answers a second.
    pub(crate) rate: f64,
    pub(crate) median: f64,
    /// The 99th percentile.
    pub(crate) high: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rate, self.median, self.high)
    }
}

impl FromStr for Figures {
    type Err = Box<dyn std::error::Error>;

    fn from_str(line: &str) -> Outcome<Self> {
        let numbers: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [rate, median, high] = numbers[..] else { return Err("the load failed".into()) };
        Ok(Self { rate, median, high })
    }
}

/// Sends requests for a while. Each line of `forms` is the body of a request.
pub(crate) fn measure(
    cores: Cores,
    address: &str,
    forms: &str,
    connections: usize,
    seconds: u32,
    pace: Pace,
) -> Outcome<Figures> {
    let pace = match pace {
        Pace::Full => 0,
        Pace::PerSecond(requests) => requests,
    };
    let (mut process, _input, line) =
        start(cores, forms, &[address, &connections.to_string(), &seconds.to_string(), &pace.to_string()])?;
    process.wait()?;
    line.parse()
}

/// Connections that are open until this is dropped.
pub(crate) struct Idle {
    process: Child,
    /// The process ends when this is closed.
    input: Option<ChildStdin>,
}

impl Drop for Idle {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

/// Opens connections, each of which sends one request and is silent after its answer.
pub(crate) fn idle(cores: Cores, address: &str, forms: &str, connections: usize) -> Outcome<Idle> {
    let (process, input, line) = start(cores, forms, &[address, &connections.to_string()])?;
    let idle = Idle { process, input: Some(input) };
    if line.trim() == "ready" { Ok(idle) } else { Err("the load failed".into()) }
}

/// Starts the process, and waits for its first line.
fn start(cores: Cores, forms: &str, arguments: &[&str]) -> Outcome<(Child, ChildStdin, String)> {
    let mut process = cores
        .load(env::current_exe()?)
        .arg(NAME)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = process.stdin.take().ok_or("expected an input")?;
    // An empty line ends the forms.
    input.write_all(format!("{forms}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().ok_or("expected an output")?).read_line(&mut line)?;
    Ok((process, input, line))
}

/// The process.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let arguments: Vec<String> = arguments.collect();
    let mut input = io::stdin().lock();
    let mut requests = Vec::new();
    for line in input.by_ref().lines() {
        let form = line?;
        if form.is_empty() {
            break;
        }
        let head =
            "POST /token HTTP/1.1\r\nhost: broker.example\r\ncontent-type: application/x-www-form-urlencoded\r\n";
        requests.push(format!("{head}content-length: {}\r\n\r\n{form}", form.len()).into_bytes());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    match &arguments[..] {
        [address, connections, seconds, pace] => {
            let duration = Duration::from_secs(seconds.parse()?);
            let load = send(address, requests.into(), connections.parse()?, duration, pace.parse()?);
            println!("{}", local.block_on(&runtime, load)?);
        }
        [address, connections] => {
            let _open = local.block_on(&runtime, open(address, requests.into(), connections.parse()?))?;
            println!("ready");
            io::copy(&mut input, &mut io::sink())?;
        }
        _ => return Err("expected the arguments of a load".into()),
    }
    Ok(())
}

type Requests = Rc<[Vec<u8>]>;

async fn send(
    address: &str,
    requests: Requests,
    connections: usize,
    duration: Duration,
    pace: u32,
) -> Outcome<Figures> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(connect(address).await?);
    }
    let started = Instant::now();
    let senders: Vec<JoinHandle<io::Result<Vec<Duration>>>> = (0..)
        .zip(streams)
        .map(|(number, stream)| {
            let sender =
                Sender { stream, buffer: vec![0; LONGEST], requests: Rc::clone(&requests), number, started, duration };
            let connections = u32::try_from(connections).unwrap_or(u32::MAX);
            tokio::task::spawn_local(async move {
                match pace {
                    0 => sender.at_full_load().await,
                    pace => sender.paced(Duration::from_secs(1) / pace, connections).await,
                }
            })
        })
        .collect();
    let mut took = Vec::new();
    for sender in senders {
        took.extend(sender.await??);
    }
    took.sort_unstable();
    let of = |share: usize| took.get(took.len() * share / 100).map(|took| took.as_secs_f64() * 1000.0);
    let (Some(median), Some(high)) = (of(50), of(99)) else { return Err("no answer came in time".into()) };
    Ok(Figures { rate: f64::from(u32::try_from(took.len())?) / duration.as_secs_f64(), median, high })
}

/// A connection that sends requests until the time is over.
struct Sender {
    stream: TcpStream,
    /// The room for an answer.
    buffer: Vec<u8>,
    requests: Requests,
    number: u32,
    /// When the warm-up begins.
    started: Instant,
    duration: Duration,
}

impl Sender {
    /// Returns how long each request took.
    async fn at_full_load(mut self) -> io::Result<Vec<Duration>> {
        let begun = self.started + WARM_UP;
        let mut took = Vec::new();
        let mut next = usize::try_from(self.number).unwrap_or_default();
        loop {
            let sent = Instant::now();
            next += 1;
            exchange(&mut self.stream, &self.requests[next % self.requests.len()], &mut self.buffer).await?;
            let answered = Instant::now();
            if answered >= begun + self.duration {
                return Ok(took);
            }
            if answered >= begun {
                took.push(answered - sent);
            }
        }
    }

    /// Returns how long each request took from the time at which it was due.
    async fn paced(mut self, between: Duration, connections: u32) -> io::Result<Vec<Duration>> {
        let begun = self.started + WARM_UP;
        let mut took = Vec::new();
        let mut due = self.started + between * self.number;
        let mut next = usize::try_from(self.number).unwrap_or_default();
        while due < begun + self.duration {
            // The timer wakes up late, by a millisecond at most. That is no fault of the server.
            let is_late = Instant::now() >= due;
            let sent = if is_late {
                due
            } else {
                tokio::time::sleep_until(due.into()).await;
                Instant::now()
            };
            next += 1;
            exchange(&mut self.stream, &self.requests[next % self.requests.len()], &mut self.buffer).await?;
            if due >= begun {
                took.push(sent.elapsed());
            }
            due += between * connections;
        }
        Ok(took)
    }
}

/// Opens connections, and sends one request over each.
async fn open(address: &str, requests: Requests, connections: usize) -> Outcome<Vec<TcpStream>> {
    let openers: Vec<_> = (0..AT_ONCE)
        .map(|opener| {
            let (address, requests) = (address.to_owned(), Rc::clone(&requests));
            tokio::task::spawn_local(async move {
                let (mut open, mut buffer) = (Vec::new(), vec![0; LONGEST]);
                for number in (opener..connections).step_by(AT_ONCE) {
                    let mut stream = connect(&address).await?;
                    exchange(&mut stream, &requests[number % requests.len()], &mut buffer).await?;
                    open.push(stream);
                }
                io::Result::Ok(open)
            })
        })
        .collect();
    let mut open = Vec::new();
    for opener in openers {
        open.extend(opener.await??);
    }
    Ok(open)
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a request, and reads its answer to the end. Fails unless the answer is a success.
async fn exchange(stream: &mut TcpStream, request: &[u8], answer: &mut [u8]) -> io::Result<()> {
    let exchange = async {
        stream.write_all(request).await?;
        let mut length = 0;
        loop {
            let read = stream.read(&mut answer[length..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length += read;
            if let Some(whole) = length_of(&answer[..length])?
                && length >= whole
            {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, exchange).await?
}

/// The length of a whole answer, once its head is there.
fn length_of(answer: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200 ") {
        return Err(io::Error::other(format!("expected a success: {head}")));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.map(|length| Some(end + 4 + length)).ok_or_else(|| io::Error::other("expected a content-length"))
}
