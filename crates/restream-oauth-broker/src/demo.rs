//! `--demo`: two years of OBS Studio in some seconds. A local Restream, the broker and a stand-in for OBS run in one process,
//! on one clock that is set forward a day at a time. Nothing is configured, and nothing but 127.0.0.1 is reached.

mod obs;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_broker::limits::Rates;
use restream_oauth_broker::log::{Level, Log};
use restream_oauth_broker::protocol::Rules;
use restream_oauth_broker::server::{Broker, Clock, Options, RELAY_MEMORY, serve};
use restream_oauth_broker::settings::{Mode, Store};
use restream_oauth_core::{Client, Endpoints};
use restream_oauth_hyper::Transport;
use restream_oauth_keeper::Now;
use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::obs::{Obs, Read, accepts};
use crate::program::{Failure, print_line};

/// One refresh a day for two years.
const DAYS: u32 = 730;
const DAY: Duration = Duration::from_secs(86_400);
/// How long OBS is off after a failure.
const PAUSE: Duration = Duration::from_secs(60);
/// How many days are shown in full.
const SHOWN: u32 = 3;
/// How many days go by without a line.
const MONTH: u32 = 30;
/// How often OBS may try in vain before the demonstration gives up.
const MOST_TRIES: u32 = 100;

/// Runs the demonstration. Its end says how many logins were asked for.
pub(crate) fn run() -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::other)?;
    let folder = folder()?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = two_years(&folder) => result,
            _ = tokio::signal::ctrl_c() => Err(Failure::other("interrupted")),
        }
    });
    // The broker has let go of it.
    drop(runtime);
    drop(std::fs::remove_dir_all(&folder));
    result
}

async fn two_years(folder: &Path) -> Result<(), Failure> {
    let begun = Instant::now();
    let world = World::start(folder).await?;
    print_line("A local Restream, the broker and a stand-in for OBS Studio, on one clock. Secrets are cut short.")?;
    print_line("\nThe user logs in:")?;
    let mut story = Story { obs: world.log_in().await?, logins: 0, world };
    print_line(
        "\nTwo years, one refresh a day. Restream replaces its refresh token at each of them; OBS keeps its first:",
    )?;
    for day in 1..=DAYS {
        story.world.advance(DAY);
        story.live_through(day).await?;
    }
    let Story { logins, world, .. } = story;
    let refreshes = world.sandbox.ledger().refreshes;
    world.stop().await;
    let seconds = begun.elapsed().as_secs_f64();
    print_line(&format!("\n{refreshes} refreshes, {logins} logins asked for, in {seconds:.1} s"))?;
    if (refreshes, logins) == (u64::from(DAYS), 0) {
        Ok(())
    } else {
        Err(Failure::other(format!("expected {DAYS} refreshes and no login")))
    }
}

/// What goes wrong on a day.
#[derive(Clone, Copy)]
enum Trouble {
    None,
    /// OBS dies while it waits for the answer.
    Death,
    /// OBS crashes later that day, and has the token of the day before when it starts again.
    OldState,
    /// Two copies of OBS with the same profile.
    TwoCopies,
    /// Restream refuses for a moment.
    Unavailable,
    /// The connection to Restream breaks before the request has arrived.
    Broken,
    /// Restream answers later than OBS waits.
    Slow,
}

impl Trouble {
    fn on(day: u32) -> Self {
        match (day, day % 146, day % 365) {
            (_, 20, _) => Self::Death,
            (_, 50, _) => Self::OldState,
            (_, 80, _) => Self::TwoCopies,
            // Each of these costs a second, and the last one six.
            (_, _, 110) => Self::Unavailable,
            (_, _, 135) => Self::Broken,
            (250, ..) => Self::Slow,
            _ => Self::None,
        }
    }

    fn fault(self) -> Option<Fault> {
        let what = match self {
            Self::Unavailable => Fault::new(What::status(503)),
            Self::Broken => Fault::new(What::reset()).before_acting(),
            Self::Slow => Fault::new(What::Delay(Duration::from_millis(5_500))),
            Self::None | Self::Death | Self::OldState | Self::TwoCopies => return None,
        };
        Some(what.on(Endpoint::Token))
    }

    fn words(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Death => "OBS dies while it waits, and the answer is lost. At its next start it",
            Self::OldState => "OBS crashes, and starts with the token of the day before. It",
            Self::TwoCopies => "Two copies of OBS have the same profile. Each",
            Self::Unavailable => "Restream answers 503. The broker asks again, and OBS",
            Self::Broken => "The connection to Restream breaks. The broker asks again, and OBS",
            Self::Slow => "Restream takes 5.5 s, and OBS waits for 5 s at most. It",
        }
    }
}

struct Story {
    world: World,
    obs: Obs,
    logins: u64,
}

impl Story {
    async fn live_through(&mut self, day: u32) -> Result<(), Failure> {
        let trouble = Trouble::on(day);
        if let Some(fault) = trouble.fault() {
            self.world.sandbox.inject(fault);
        }
        let yesterday = self.obs.clone();
        if day <= SHOWN {
            print_line(&format!("{}  {}", self.world.date(), self.obs.refresh_shown()))?;
        }
        if matches!(trouble, Trouble::Death) {
            let (before, mut dying) = (self.world.sandbox.ledger().refreshes, self.obs.clone());
            tokio::select! {
                // What it learns is lost.
                _ = dying.refresh(self.world.now()) => {}
                () = self.world.rotated_since(before) => {}
            }
        }
        let (mut answer, failures) = self.refresh(day).await?;
        let token = self.obs.access_token.clone();
        match trouble {
            Trouble::OldState => {
                self.obs = yesterday;
                answer = self.refresh(day).await?.0;
            }
            Trouble::TwoCopies => {
                let mut other = yesterday;
                let (one, two) = tokio::join!(self.obs.refresh(self.world.now()), other.refresh(self.world.now()));
                let both = matches!((one, two), (Read::Token(_), Read::Token(_)));
                if !both || other.access_token != token {
                    return Err(failed(day, "the copies did not get the same token"));
                }
            }
            _ => {}
        }
        if self.obs.access_token != token {
            return Err(failed(day, "a token was replaced that others may have"));
        }
        if self.obs.ends_at <= self.world.now() || !accepts(&self.world.sandbox, &token).await {
            return Err(failed(day, "Restream does not accept the token"));
        }
        self.tell(day, trouble, &answer, &failures)
    }

    /// Refreshes until OBS has a token. Returns its answer, and what failed before.
    async fn refresh(&mut self, day: u32) -> Result<(String, Vec<String>), Failure> {
        let mut failures = Vec::new();
        for _ in 0..MOST_TRIES {
            match self.obs.refresh(self.world.now()).await {
                Read::Token(answer) => return Ok((answer, failures)),
                Read::InvalidGrant => {
                    self.logins = self.logins.saturating_add(1);
                    self.obs = self.world.log_in().await?;
                }
                Read::Failure(why) => {
                    failures.push(why);
                    self.world.advance(PAUSE);
                }
            }
        }
        Err(failed(day, "OBS gets no token any more"))
    }

    fn tell(&self, day: u32, trouble: Trouble, answer: &str, failures: &[String]) -> Result<(), Failure> {
        let date = self.world.date();
        if day <= SHOWN {
            print_line(&format!("            200 {answer}"))?;
        } else if day == SHOWN.saturating_add(1) {
            print_line("            and so on")?;
        }
        if !trouble.words().is_empty() {
            let tries =
                if failures.is_empty() { String::new() } else { format!("gets {}, and then ", failures.join(", ")) };
            print_line(&format!("{date}  {} {tries}gets the token that is alive.", trouble.words()))?;
        }
        if day.is_multiple_of(MONTH) {
            let refreshes = self.world.sandbox.ledger().refreshes;
            print_line(&format!("{date}  {refreshes} refreshes, {} logins asked for", self.logins))?;
        }
        Ok(())
    }
}

fn failed(day: u32, why: &str) -> Failure {
    Failure::other(format!("the demonstration failed on day {day}: {why}"))
}

/// Restream and the broker.
struct World {
    sandbox: Sandbox,
    broker: Arc<Broker>,
    authority: String,
    /// How many seconds the clock is set forward.
    ahead: Arc<AtomicU64>,
    stop: oneshot::Sender<()>,
}

impl World {
    async fn start(folder: &Path) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failure::other)?;
        let authority = listener.local_addr().map_err(Failure::other)?.to_string();
        let issuer = format!("http://{authority}");
        let callback = format!("{issuer}/callback");
        let sandbox = Sandbox::builder().redirect_uri(&callback).start().map_err(Failure::other)?;
        let client = Client::builder(sandbox.client_id())
            .secret(sandbox.client_secret().unwrap_or_default())
            .redirect_uri(callback)
            .endpoints(Endpoints::at(sandbox.base_url()))
            .build()
            .map_err(Failure::other)?;
        let ahead = Arc::new(AtomicU64::new(0));
        let (begun, read) = (Instant::now(), Arc::clone(&ahead));
        let options = Options {
            rules: Rules { issuer, clients: Vec::new(), obs_prefix: Some("/obs/".into()), is_relay: false },
            client,
            transport: Transport::new().map_err(Failure::other)?,
            mode: Mode::Handle(Store::File(folder.to_owned())),
            relay_memory: RELAY_MEMORY,
            // Two years of requests come in some seconds.
            rates: Rates { per_device: NonZeroU32::MAX, per_address: NonZeroU32::MAX },
            trusted_proxies: Vec::new(),
            clock: Clock::of(move || {
                let ahead = Duration::from_secs(read.load(Ordering::SeqCst));
                let now = SystemTime::now();
                Now { wall: now.checked_add(ahead).unwrap_or(now), steady: begun.elapsed().saturating_add(ahead) }
            }),
            log: Log::to(std::io::sink(), Level::Error),
        };
        let broker = Broker::start(options).await.map_err(Failure::other)?;
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(serve(listener, Arc::clone(&broker), async move { drop(stopped.await) }));
        Ok(Self { sandbox, broker, authority, ahead, stop })
    }

    async fn log_in(&self) -> Result<Obs, Failure> {
        let tell = |step: &str| print_line(&format!("  {step}"));
        Obs::log_in(&self.authority, &self.sandbox, self.now(), tell).await
    }

    fn advance(&self, by: Duration) {
        self.sandbox.advance(by);
        self.ahead.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    fn now(&self) -> SystemTime {
        let now = SystemTime::now();
        now.checked_add(Duration::from_secs(self.ahead.load(Ordering::SeqCst))).unwrap_or(now)
    }

    /// Waits until Restream has replaced a refresh token.
    async fn rotated_since(&self, before: u64) {
        while self.sandbox.ledger().refreshes == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn date(&self) -> String {
        humantime::format_rfc3339_seconds(self.now()).to_string().chars().take(10).collect()
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.broker.stop(|_| {}).await;
    }
}

/// A folder of this run's own. In memory where that is known to be possible: there is nothing to keep, and a disk takes longer
/// than everything else.
fn folder() -> Result<PathBuf, Failure> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(Failure::other)?;
    let name = format!("restream-oauth-broker-demo-{:x}", u64::from_ne_bytes(random));
    let in_memory = Path::new("/dev/shm").join(&name);
    if std::fs::create_dir(&in_memory).is_ok() {
        return Ok(in_memory);
    }
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).map_err(Failure::other)?;
    Ok(folder)
}
