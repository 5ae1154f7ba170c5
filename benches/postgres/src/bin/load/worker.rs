//! A worker as a process of its own, so that it can be killed as any process can.
//!
//! It reads what it needs from its standard input, one value a line, and works until the input ends. It prints one line for
//! each thing that the run must know: `held N BYTES`, `doubt NAME`, `missed N`.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs, thread};

use restream_oauth_hyper::Transport;
use restream_oauth_keeper::seal::KeyRing;
use restream_oauth_keeper::{EventKind, Events, Keeper, Mode, Policy};
use restream_oauth_keeper_postgres::{Config, PostgresStore, Worker};

use crate::{Outcome, fill, live};

/// The argument of a worker.
pub(crate) const NAME: &str = "worker";

/// What a worker is given.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) database: String,
    pub(crate) base_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) redirect_uri: String,
    pub(crate) rate: f64,
    /// Whether its statements are prepared.
    pub(crate) prepares: bool,
}

/// The work of the process.
pub(crate) async fn work() -> Outcome<()> {
    let mut lines = io::stdin().lines();
    let mut next = || lines.next().ok_or("expected one more line")?.map_err(Box::<dyn std::error::Error>::from);
    let (database, base_url, client_id, client_secret) = (next()?, next()?, next()?, next()?);
    let (redirect_uri, rate, prepares) = (next()?, next()?.parse()?, next()?.parse()?);

    let client = fill::client(&client_id, &client_secret, &redirect_uri, &base_url)?;
    let config = Config::from_url(&database)?.sealed(KeyRing::parse(fill::KEYS)?);
    let config = if prepares { config.prepare_statements() } else { config };
    let store = PostgresStore::connect(&config).await?;
    let seed = std::process::id().into();
    let policy = Policy { mode: Mode::Warm, requests_per_second: rate, spread: true, seed, ..Policy::default() };
    let keeper = Keeper::builder(client, store.clone()).policy(policy).build()?;
    let transport = Transport::new()?;
    let driver = tokio::spawn(keeper.run(async move |call| transport.receive(call).await, tokio::time::sleep));
    tokio::spawn(tell(keeper.events()));
    let (held, kept) = (keeper.clone(), keeper.clone());
    let working = tokio::spawn(async move { Worker::new(store).run(&kept, |error| eprintln!("{error}")).await });
    tokio::spawn(async move {
        loop {
            say(&format!("held {} {}", held.count(), live::bytes()));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    drop(lines);
    tokio::task::spawn_blocking(|| io::stdin().lines().count()).await?;
    working.abort();
    keeper.shut_down().await;
    driver.await??;
    Ok(())
}

/// Tells the run which grants were in doubt.
async fn tell(mut events: Events) {
    let mut missed = 0;
    while let Some(event) = events.next().await {
        if let EventKind::InDoubt { .. } = event.kind {
            say(&format!("doubt {}", event.grant));
        }
        if events.dropped() > missed {
            missed = events.dropped();
            say(&format!("missed {missed}"));
        }
    }
}

fn say(line: &str) {
    // Without a reader, this process ends soon.
    let _ = writeln!(io::stdout(), "{line}");
}

/// A worker, as the run sees it.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    told: Arc<Mutex<Told>>,
}

/// What a worker keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) grants: u64,
    /// What the process has allocated.
    pub(crate) bytes: u64,
}

/// What a worker has said.
#[derive(Default)]
struct Told {
    held: Held,
    doubts: BTreeSet<String>,
    missed: u64,
}

impl Process {
    pub(crate) fn start(given: &Given) -> Outcome<Self> {
        let mut child =
            Command::new(env::current_exe()?).arg(NAME).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (mut input, output) = input.zip(output).ok_or("expected pipes to the worker")?;
        let Given { database, base_url, client_id, client_secret, redirect_uri, rate, prepares } = given;
        writeln!(input, "{database}\n{base_url}\n{client_id}\n{client_secret}\n{redirect_uri}\n{rate}\n{prepares}")?;
        let told = Arc::<Mutex<Told>>::default();
        let listener = Arc::clone(&told);
        thread::spawn(move || listen(output, &listener));
        Ok(Self { child, input: Some(input), told })
    }

    /// Kills the process as nothing can be caught (SIGKILL).
    pub(crate) fn kill(&mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the process to finish, and waits for it.
    pub(crate) fn finish(&mut self) -> Outcome<()> {
        drop(self.input.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a worker ended with {status}").into()) }
    }

    /// What it keeps.
    pub(crate) fn held(&self) -> Held {
        lock(&self.told).held
    }

    /// How many events nobody read in time.
    pub(crate) fn missed(&self) -> u64 {
        lock(&self.told).missed
    }

    /// The grants that it said were in doubt.
    pub(crate) fn doubts(&self) -> BTreeSet<String> {
        lock(&self.told).doubts.clone()
    }

    /// The memory that the system gives the process, in bytes.
    pub(crate) fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }
}

/// A run that fails leaves no process behind.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn listen(output: ChildStdout, told: &Mutex<Told>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let mut told = lock(told);
        match line.split_once(' ') {
            Some(("held", numbers)) => told.held = held(numbers).unwrap_or(told.held),
            Some(("missed", number)) => told.missed = number.parse().unwrap_or(told.missed),
            Some(("doubt", name)) => drop(told.doubts.insert(name.to_owned())),
            _ => {}
        }
    }
}

fn held(numbers: &str) -> Option<Held> {
    let (grants, bytes) = numbers.split_once(' ')?;
    Some(Held { grants: grants.parse().ok()?, bytes: bytes.parse().ok()? })
}

fn lock(told: &Mutex<Told>) -> std::sync::MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}
