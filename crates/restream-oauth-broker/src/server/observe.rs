//! What the broker counts and logs. Nothing that came with a request is in it but its method, and the name of its route.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Method, Response};
use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Error};
use restream_oauth_keeper::{Event, EventKind, GrantName, Problem};

use crate::devices::DeviceId;
use crate::log::{Entry, Level, Log, RequestLine};
use crate::metrics::{Door, Gauge, HandleEnd, Health, Metrics, Outcome, UpstreamCall, UpstreamOutcome};

const A_MINUTE: Duration = Duration::from_secs(60);

/// Counters and log of a broker.
#[derive(Debug)]
pub(super) struct Observer {
    pub(super) metrics: Metrics,
    pub(super) log: Log,
    /// The grants whose newest pair is in memory alone.
    stranded: Mutex<BTreeSet<GrantName>>,
    store_fails: AtomicBool,
    /// When the log was last told why the store fails.
    store_failure_told: Mutex<Option<Instant>>,
    is_stopping: AtomicBool,
}

impl Observer {
    pub(super) fn new(log: Log) -> Self {
        Self {
            metrics: Metrics::new(SystemTime::now()),
            log,
            stranded: Mutex::default(),
            store_fails: AtomicBool::default(),
            store_failure_told: Mutex::default(),
            is_stopping: AtomicBool::default(),
        }
    }

    pub(super) fn upstream<T>(&self, call: UpstreamCall, result: &Result<T, Error>) {
        self.metrics.upstream(call, UpstreamOutcome::of(result));
    }

    /// Counts a call that the keeper sent. What came of it is judged by the keeper: here, by whether an answer came.
    pub(super) fn keeper_call(&self, call: UpstreamCall, answer: &Answer<Unread>) {
        let outcome = match answer.status() {
            Some(status) if answer.is_whole() && status.is_success() => UpstreamOutcome::Success,
            Some(_) if answer.is_whole() => UpstreamOutcome::Refused,
            _ => UpstreamOutcome::InDoubt,
        };
        self.metrics.upstream(call, outcome);
    }

    pub(super) fn handle_issued(&self) {
        self.metrics.handle_issued();
        self.metrics.up(Gauge::Handles);
    }

    pub(super) fn handle_ended(&self, why: HandleEnd) {
        self.metrics.handle_ended(why);
        self.metrics.down(Gauge::Handles);
    }

    /// Notes whether the store worked when it was last asked. Why it did not is logged once a minute at most.
    pub(super) fn store<T, E: fmt::Display>(&self, result: &Result<T, E>) {
        self.store_fails.store(result.is_err(), Ordering::Relaxed);
        let Err(error) = result else { return };
        let mut told = self.store_failure_told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= A_MINUTE) {
            *told = Some(Instant::now());
            self.log.write(Entry::new(Level::Error, "store_fails", &error.to_string()));
        }
    }

    pub(super) fn stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn keeper(&self, event: &Event) {
        self.metrics.keeper(&event.kind);
        self.log.write(Entry::keeper(event));
        let mut stranded = self.stranded.lock().unwrap_or_else(PoisonError::into_inner);
        match event.kind {
            EventKind::Stranded { .. } => {
                stranded.insert(event.grant.clone());
            }
            EventKind::Rotated { .. } | EventKind::LoggedIn { .. } | EventKind::LoggedOut => {
                stranded.remove(&event.grant);
            }
            EventKind::Failed(Problem::Store(_)) => self.store_fails.store(true, Ordering::Relaxed),
            _ => {}
        }
        self.metrics.set(Gauge::Stranded, u64::try_from(stranded.len()).unwrap_or(u64::MAX));
    }

    pub(super) fn health(&self) -> Health {
        let stranded = self.stranded.lock().unwrap_or_else(PoisonError::into_inner).len();
        Health {
            is_stopping: self.is_stopping.load(Ordering::Relaxed),
            store_fails: self.store_fails.load(Ordering::Relaxed),
            stranded: u64::try_from(stranded).unwrap_or(u64::MAX),
        }
    }
}

/// A request that is being answered. If it is dropped before it has its answer, the device hung up.
#[derive(Debug)]
pub(super) struct Observed {
    observer: Arc<Observer>,
    method: Method,
    route: &'static str,
    door: Door,
    address: IpAddr,
    begun: Instant,
    is_answered: bool,
}

impl Observed {
    pub(super) fn begin(
        observer: &Arc<Observer>,
        method: &Method,
        (door, route): (Door, &'static str),
        address: IpAddr,
    ) -> Self {
        observer.metrics.up(Gauge::RequestsInFlight);
        Self {
            observer: Arc::clone(observer),
            method: method.clone(),
            route,
            door,
            address,
            begun: Instant::now(),
            is_answered: false,
        }
    }

    pub(super) fn answered(mut self, answer: &Response<Bytes>) {
        self.is_answered = true;
        self.end(Some(answer));
    }

    fn end(&self, answer: Option<&Response<Bytes>>) {
        let Self { observer, method, route, door, address, begun, .. } = self;
        let duration = begun.elapsed();
        let outcome = answer.map_or(Outcome::Aborted, outcome_of);
        observer.metrics.down(Gauge::RequestsInFlight);
        observer.metrics.request(*door, outcome, duration);
        let device = answer.and_then(|answer| answer.extensions().get::<DeviceId>()).map(ToString::to_string);
        observer.log.write(Entry::request(&RequestLine {
            method,
            route,
            status: answer.map(Response::status),
            duration,
            device: device.as_deref(),
            address: *address,
        }));
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if !self.is_answered {
            self.end(None);
        }
    }
}

/// The same word for all doors, whatever status a door gives. The protocol says which where the status does not.
fn outcome_of(answer: &Response<Bytes>) -> Outcome {
    if let Some(outcome) = answer.extensions().get::<Outcome>() {
        return *outcome;
    }
    match answer.status().as_u16() {
        200..=399 => Outcome::Ok,
        403 => Outcome::Forbidden,
        404 | 405 => Outcome::NotFound,
        429 => Outcome::Limited,
        503 => Outcome::Unavailable,
        500.. => Outcome::Failed,
        _ => Outcome::BadRequest,
    }
}
