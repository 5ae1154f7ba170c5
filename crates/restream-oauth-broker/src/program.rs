//! What the program does: runs the broker, checks its configuration, and looks after its devices.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use restream_oauth_broker::devices::{DeviceId, DeviceOp, DeviceOutcome, DevicesError};
use restream_oauth_broker::log::{Entry, Level, Log};
use restream_oauth_broker::protocol::Rules;
use restream_oauth_broker::server::{
    Broker, Clock, Options, RELAY_MEMORY, Tls, devices_beside, end_device, serve, serve_admin, serve_tls,
};
use restream_oauth_broker::settings::{Mode, Settings, Store};
use restream_oauth_hyper::Transport;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How many devices are read at a time.
const PAGE: usize = 1024;
/// How long a renewed certificate may wait to be served.
const REREAD: Duration = Duration::from_secs(10);
/// How many connections wait until the program takes them. The kernel may allow fewer.
const LONGEST_QUEUE: u32 = 4096;
/// How long the last lines of the log may take.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Why the program ends without having done what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit_code: u8,
}

impl Failure {
    /// Wrong usage, or a configuration that must be mended: exit code 2.
    pub(crate) fn usage(message: String) -> Self {
        Self { message, exit_code: 2 }
    }

    /// Anything else: exit code 1.
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    pub(crate) fn other(message: impl ToString) -> Self {
        Self { message: message.to_string(), exit_code: 1 }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        self.exit_code.into()
    }
}

/// Says on standard error why the program ends. If nobody reads it, the exit code says it.
pub(crate) fn report(failure: &Failure) {
    drop(writeln!(std::io::stderr(), "{}", failure.message));
}

/// Checks the configuration. What is wrong with it is the failure.
pub(crate) fn check(config: &Path) -> Result<(), Failure> {
    load(config, say).map(drop)
}

/// Runs the broker until SIGTERM or SIGINT.
pub(crate) fn run(config: &Path) -> Result<(), Failure> {
    let log = Log::to_standard_error(Level::Info);
    let warn = |warning: &str| log.write(Entry::new(Level::Warn, "configuration", warning));
    let result = load(config, warn).and_then(|settings| {
        let runtime = tokio::runtime::Runtime::new().map_err(Failure::other)?;
        runtime.block_on(serve_until_stopped(settings, &log))
    });
    log.flush(FLUSH_LIMIT);
    result
}

async fn serve_until_stopped(settings: Settings, log: &Log) -> Result<(), Failure> {
    let listener = listen(settings.listen)?;
    let admin = match settings.admin_listen {
        Some(address) => Some(listen(address)?),
        None => None,
    };
    let tls = settings.tls.as_ref().map(|files| Tls::open(files.clone(), REREAD)).transpose();
    let tls = tls.map_err(|error| Failure::usage(error.to_string()))?.map(Arc::new);
    let mut terminated = signal(SignalKind::terminate()).map_err(Failure::other)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Failure::other)?;
    let options = Options {
        rules: Rules::from(&settings),
        client: settings.restream,
        transport: Transport::new().map_err(Failure::other)?,
        mode: settings.mode,
        relay_memory: RELAY_MEMORY,
        rates: settings.rates,
        trusted_proxies: settings.trusted_proxies,
        clock: Clock::system(),
        log: log.clone(),
    };
    let broker = Broker::start(options).await.map_err(Failure::other)?;
    let base_url = url_of(&listener, if tls.is_some() { "https" } else { "http" })?;
    let admin_url = admin.as_ref().map(|admin| url_of(admin, "http")).transpose()?;
    let (stop, stopped) = watch::channel(false);
    let until = until_stopped(stopped);
    let served = match tls {
        Some(tls) => tokio::spawn(serve_tls(listener, Arc::clone(&broker), tls, until)),
        None => tokio::spawn(serve(listener, Arc::clone(&broker), until)),
    };
    if let Some(admin) = admin {
        // To the very end, so that a supervisor sees that the broker stops.
        tokio::spawn(serve_admin(admin, Arc::clone(&broker), std::future::pending()));
    }
    print_line(&json!({"base_url": base_url, "admin_url": admin_url}).to_string())?;
    log.write(Entry::new(Level::Info, "ready", "serving").with("base_url", base_url.as_str()));

    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    log.write(Entry::new(Level::Info, "stopping", "taking no new work; finishing what is under way"));
    let _ = stop.send(true);
    let waits = |what: &str| log.write(Entry::new(Level::Info, "waiting", what));
    broker.begin_to_stop(waits);
    let _ = served.await;
    let left = broker.stop(waits).await;
    if left.stranded.is_empty() {
        log.write(Entry::new(Level::Info, "stopped", "nothing is lost"));
        Ok(())
    } else {
        Err(Failure::other("the store failed: new tokens of some grants were in memory alone, and are lost"))
    }
}

async fn until_stopped(mut stopped: watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// Prints a line of JSON for each handle.
pub(crate) fn list(config: &Path) -> Result<(), Failure> {
    let store = store(&load(config, say)?)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::other)?;
    runtime.block_on(print_devices(&store))
}

async fn print_devices(store: &Store) -> Result<(), Failure> {
    let devices = devices_beside(store).await.map_err(Failure::other)?;
    let now = SystemTime::now();
    let mut after = None;
    loop {
        let op = DeviceOp::List { after, most: PAGE };
        let DeviceOutcome::Listed { devices: listed, damaged, next } = devices.run(op).await.map_err(Failure::other)?
        else {
            return Ok(());
        };
        for device in listed.iter().filter(|device| device.is_living(now)) {
            let time = |time| humantime::format_rfc3339_seconds(time).to_string();
            print_line(
                &json!({
                    "id": device.id.to_string(),
                    "client_id": device.owner.client_id(),
                    "created_at": time(device.created_at),
                    "last_used_at": time(device.last_used_at),
                })
                .to_string(),
            )?;
        }
        for id in damaged {
            report(&Failure::other(DevicesError::Damaged {
                id,
                reason: "see its file in the folder of devices, or its row",
            }));
        }
        after = next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Ends a device, and revokes its grant.
pub(crate) fn end(config: &Path, id: DeviceId) -> Result<(), Failure> {
    let settings = load(config, say)?;
    let store = store(&settings)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::other)?;
    let transport = Transport::new().map_err(Failure::other)?;
    runtime.block_on(end_device(&store, settings.restream, transport, id)).map_err(Failure::other)
}

/// Says a warning to the person who started the program.
fn say(warning: &str) {
    drop(writeln!(std::io::stderr(), "warning: {warning}"));
}

fn load(config: &Path, warn: impl Fn(&str)) -> Result<Settings, Failure> {
    let checked = Settings::load(config).map_err(|error| Failure::usage(error.to_string()))?;
    checked.warnings.iter().for_each(|warning| warn(&warning.to_string()));
    // Some faults depend on more than the text.
    match &checked.settings.mode {
        Mode::Handle(Store::Postgres(database)) => {
            database.check().map_err(|error| Failure::usage(format!("store.url: {error}")))?;
        }
        Mode::Handle(Store::File(folder)) => can_hold_a_store(folder)?,
        _ => {}
    }
    Ok(checked.settings)
}

/// Fails if a folder is not there and cannot be made.
fn can_hold_a_store(folder: &Path) -> Result<(), Failure> {
    let there = folder.ancestors().find_map(|above| above.metadata().ok().map(|metadata| (above, metadata)));
    match there {
        Some((above, metadata)) if !metadata.is_dir() || metadata.permissions().readonly() => {
            let (folder, above) = (folder.display(), above.display());
            let advice = "give another path, or make the folder for the user of the broker";
            Err(Failure::usage(format!("store.path: no folder {folder} can be made in {above}: {advice}")))
        }
        _ => Ok(()),
    }
}

/// The store, if there is one.
fn store(settings: &Settings) -> Result<Store, Failure> {
    match &settings.mode {
        Mode::Handle(store) => Ok(store.clone()),
        Mode::Relay => Err(Failure::usage("expected mode \"handle\": a relay knows no devices".to_owned())),
    }
}

/// With a longer queue than tokio's 128. A connection that finds the queue full is tried again a second later.
fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // As tokio does: the program can be started again at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(LONGEST_QUEUE)
    };
    listen().map_err(|error: std::io::Error| Failure::other(format!("cannot listen on {address}: {error}")))
}

fn url_of(listener: &TcpListener, scheme: &str) -> Result<String, Failure> {
    listener.local_addr().map(|address| format!("{scheme}://{address}")).map_err(Failure::other)
}

/// Prints a line, at once.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::other(format!("cannot write to standard output: {error}")))
}
