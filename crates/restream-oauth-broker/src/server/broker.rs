//! A running broker: what carries out the decisions of the protocol.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Response};
use ipnet::IpNet;
use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Call, Client, Endpoints, Error};
use restream_oauth_hyper::Transport;
use restream_oauth_keeper::Left;
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::kept::{Handles, Kept};
use super::observe::Observer;
use super::relay::Relay;
use super::start_error::StartError;
use super::work::Work;
use crate::addresses::asker;
use crate::limits::{Limits, Rates, Refused};
use crate::log::Log;
use crate::metrics::UpstreamCall;
use crate::protocol::{Ask, Decision, Door, Protocol, Refusal, Request, Rules, busy, refused, unavailable};
use crate::settings::Mode;

/// How many answers a relay remembers: 136 refreshes a second.
pub const RELAY_MEMORY: usize = 16_384;
/// How long a stop waits for ends of devices that are under way.
const SWEEP_LIMIT: Duration = Duration::from_secs(5);
/// How often a relay forgets what is too old.
const TICK: Duration = Duration::from_secs(1);

/// What a broker is made of.
#[derive(Debug)]
pub struct Options {
    /// The rules of the protocol.
    pub rules: Rules,
    /// The application at Restream, with its secret. Its redirect URI is the issuer and `/callback`.
    pub client: Client,
    /// The way to Restream.
    pub transport: Transport,
    /// What devices get, and where devices, logins and grants are kept.
    pub mode: Mode,
    /// How many answers a relay remembers: [`RELAY_MEMORY`](super::RELAY_MEMORY) in a program.
    pub relay_memory: usize,
    /// How many requests a device and an address may send.
    pub rates: Rates,
    /// The proxies that tell the address of the one who asks.
    pub trusted_proxies: Vec<IpNet>,
    /// The clocks.
    pub clock: Clock,
    /// Where the broker writes what happens.
    pub log: Log,
}

/// A running broker. It answers requests; [`serve`](super::serve) brings them.
#[derive(Debug)]
pub struct Broker {
    pub(super) protocol: Protocol,
    pub(super) client: Client,
    transport: Transport,
    pub(super) kept: Kept,
    pub(super) clock: Clock,
    pub(super) work: Work,
    observer: Arc<Observer>,
    limits: Mutex<Limits>,
    trusted_proxies: Vec<IpNet>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    sweeps: Mutex<Option<JoinHandle<()>>>,
    /// The keeper has shut down: nothing is swept any more.
    is_over: AtomicBool,
}

impl Broker {
    /// Opens the store, and begins to keep the grants in it. Needs a tokio runtime with time and I/O.
    ///
    /// # Errors
    /// [`StartError`] if the store cannot be used, or another broker has the folder.
    pub async fn start(options: Options) -> Result<Arc<Self>, StartError> {
        let Options { rules, client, transport, mode, relay_memory, rates, trusted_proxies, clock, log } = options;
        let observer = Arc::new(Observer::new(log));
        let kept = match mode {
            Mode::Handle(store) => Kept::Handles(Handles::open(store, &client, &clock, &observer).await?),
            Mode::Relay => Kept::Relay(Arc::new(Relay::new(relay_memory, Arc::clone(&observer)))),
        };
        let broker = Arc::new(Self {
            protocol: Protocol::new(rules),
            client,
            transport,
            kept,
            clock,
            work: Work::default(),
            observer,
            limits: Mutex::new(Limits::new(rates)),
            trusted_proxies,
            tasks: Mutex::default(),
            sweeps: Mutex::default(),
            is_over: AtomicBool::default(),
        });
        if let Kept::Handles(handles) = &broker.kept {
            broker.drive(handles);
            broker.look_for_endings(handles).await.map_err(StartError::Devices)?;
        }
        let sweeping = Arc::downgrade(&broker);
        let sweeps = tokio::spawn(async move {
            loop {
                let Some(broker) = sweeping.upgrade() else { break };
                match &broker.kept {
                    Kept::Handles(handles) => {
                        handles.endings.tick().await;
                        if broker.is_over.load(Ordering::SeqCst) {
                            break;
                        }
                        broker.sweep(handles).await;
                    }
                    Kept::Relay(relay) => {
                        tokio::time::sleep(TICK).await;
                        if broker.is_over.load(Ordering::SeqCst) {
                            break;
                        }
                        broker.sweep_relay(relay);
                    }
                }
            }
        });
        *broker.sweeps.lock().unwrap_or_else(PoisonError::into_inner) = Some(sweeps);
        Ok(broker)
    }

    /// Begins to drive the keeper, and to tell what it does.
    fn drive(&self, handles: &Handles) {
        let (clock, transport, observer) = (self.clock.clone(), self.transport.clone(), Arc::clone(&self.observer));
        let (endpoints, mut events) = (self.client.endpoints().clone(), handles.keeper.events());
        let told_of = Arc::clone(&observer);
        let told = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                told_of.keeper(&event);
            }
        });
        let driver = handles.keeper.run(
            async move |call| {
                let kind = kind_of(&call, &endpoints);
                let answer = transport.receive_at(call, clock.now()).await;
                observer.keeper_call(kind, &answer);
                answer
            },
            tokio::time::sleep,
        );
        let keeping = tokio::spawn(async move {
            let _ = driver.await;
        });
        self.tasks().extend([keeping, told]);
    }

    /// Answers a request. `body` was read to its end.
    ///
    /// The work goes on if this future is dropped.
    pub(super) async fn answer(
        self: &Arc<Self>,
        address: IpAddr,
        head: http::request::Parts,
        body: Bytes,
    ) -> Response<Bytes> {
        let begun = self.work.begin();
        let broker = Arc::clone(self);
        let answered = tokio::spawn(async move {
            let answer = broker.decide_and_do(address, &head, &body).await;
            // In this order: a stop that has waited for it finds the folder free.
            drop(broker);
            drop(begun);
            answer
        });
        answer_of(answered).await
    }

    /// The address that a request comes from.
    pub(super) fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        asker(peer, headers, &self.trusted_proxies)
    }

    /// Counts a request from an address, before its body is read.
    ///
    /// # Errors
    /// The answer that says how long to wait, if there were too many.
    pub(super) fn admit(&self, address: IpAddr, path: &str) -> Result<(), Box<Response<Bytes>>> {
        let admitted = self.limits().admit_address(address, Instant::now());
        admitted
            .inspect_err(|refused| self.observer.metrics.turned_away(refused.limit))
            .map_err(|refused| Box::new(too_many(refused, self.protocol.rules().is_obs(path))))
    }

    /// Counts a request from a device.
    pub(super) fn admit_device(&self, handle: crate::devices::Hash) -> Result<(), Refused> {
        let admitted = self.limits().admit_device(handle.into_bytes(), Instant::now());
        admitted.inspect_err(|refused| self.observer.metrics.turned_away(refused.limit))
    }

    /// Says that the broker is about to stop: its health shows it from now on. `waits` is told what is waited for.
    ///
    /// Call it before the end of [`serve`](super::serve) is waited for, which comes only when all devices have their answers.
    pub fn begin_to_stop(&self, waits: impl Fn(&str)) {
        self.observer.stopping();
        match self.work.count() {
            0 => {}
            1 => waits("1 request"),
            count => waits(&format!("{count} requests")),
        }
    }

    /// Takes no new work, finishes what is under way, and lets the keeper finish. `waits` is told what is waited for.
    ///
    /// Returns what the keeper left.
    pub async fn stop(&self, waits: impl Fn(&str)) -> Left {
        self.begin_to_stop(waits);
        self.work.done().await;
        let left = match &self.kept {
            Kept::Handles(handles) => handles.keeper.shut_down().await,
            Kept::Relay(relay) => {
                self.end_unredeemed(relay).await;
                Left::default()
            }
        };
        self.is_over.store(true, Ordering::SeqCst);
        let sweeps = self.sweeps.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut sweeps) = sweeps {
            if let Kept::Handles(handles) = &self.kept {
                handles.endings.hurry();
            }
            // What it has begun ends with the keeper. If it does not, it is given up.
            if tokio::time::timeout(SWEEP_LIMIT, &mut sweeps).await.is_err() {
                self.tasks().push(sweeps);
            }
        }
        let tasks: Vec<_> = self.tasks().drain(..).collect();
        for task in tasks {
            task.abort();
            // Until it has let go of the broker, and so of the folder.
            let _ = task.await;
        }
        left
    }

    /// Sends a call of the broker's own to Restream.
    pub(super) async fn send<T>(&self, kind: UpstreamCall, call: Call<T>) -> Result<T, Error> {
        let result = self.transport.receive_at(call, self.clock.now()).await.interpret();
        self.observer.upstream(kind, &result);
        result
    }

    /// What is counted and logged.
    pub(super) fn observer(&self) -> &Arc<Observer> {
        &self.observer
    }

    async fn decide_and_do(
        self: &Arc<Self>,
        address: IpAddr,
        head: &http::request::Parts,
        body: &Bytes,
    ) -> Response<Bytes> {
        let request = Request {
            method: &head.method,
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
        };
        let mut answer = match (self.protocol.decide(&request), &self.kept) {
            (Decision::Answer(answer), _) => answer,
            (Decision::Ask(ask), _) => self.ask(&ask),
            (Decision::Begin(begin), _) => self.begin(begin).await,
            (Decision::CallBack(back), _) => self.call_back(back).await,
            (Decision::Redeem(redeem), Kept::Handles(handles)) => self.redeem(handles, redeem).await,
            (Decision::Redeem(redeem), Kept::Relay(relay)) => self.redeem_pair(relay, &redeem),
            (Decision::Refresh(refresh), Kept::Handles(handles)) => self.refresh(handles, refresh, address).await,
            (Decision::Relay(refresh), Kept::Relay(relay)) => self.relay(relay, refresh).await,
            // The rules say which mode it is, and the protocol decides by them.
            (Decision::Refresh(_), Kept::Relay(_)) | (Decision::Relay(_), Kept::Handles(_)) => {
                refused(Door::Plain, Refusal::Handle)
            }
            (Decision::Revoke(revoke), Kept::Handles(handles)) => self.revoke(handles, revoke).await,
            (Decision::Revoke(revoke), Kept::Relay(relay)) => self.relay_revocation(relay, &revoke).await,
        };
        self.protocol.allow_origin(&request, &mut answer);
        answer
    }

    fn ask(&self, ask: &Ask) -> Response<Bytes> {
        match random() {
            Ok(random) => ask.page(self.protocol.rules(), random),
            Err(answer) => *answer,
        }
    }

    fn limits(&self) -> std::sync::MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer that a task gives. A panic is a fault of ours: it ends this request and no other, and its device is not told
/// what it says.
async fn answer_of(task: JoinHandle<Response<Bytes>>) -> Response<Bytes> {
    task.await.unwrap_or_else(|_| unavailable(Duration::from_secs(60), "the broker failed"))
}

/// What the keeper asks: it sends no codes.
fn kind_of(call: &Call<Unread>, endpoints: &Endpoints) -> UpstreamCall {
    let uri = call.request().uri().to_string();
    if uri == endpoints.revocation {
        UpstreamCall::Revoke
    } else if uri == endpoints.profile {
        UpstreamCall::Profile
    } else {
        UpstreamCall::Refresh
    }
}

/// The answer to a request that is over a limit.
pub(super) fn too_many(refused: Refused, is_obs: bool) -> Response<Bytes> {
    busy(Duration::from_secs(refused.retry_after_seconds()), is_obs)
}

/// Random bytes of the operating system, which is the only source.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Box<Response<Bytes>>> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(Box::new(unavailable(Duration::from_secs(60), "the operating system gives no random bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_own_request_and_tells_its_device_nothing() {
        let broken = tokio::spawn(async { panic!("canary") });
        let sound = tokio::spawn(async { Response::new(Bytes::from_static(b"sound")) });
        let answer = answer_of(broken).await;
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key("retry-after"));
        assert!(!String::from_utf8_lossy(answer.body()).contains("canary"));
        assert_eq!(answer_of(sound).await.body(), "sound");
    }
}
