//! What a driver shows of a grant, and those who read it without waiting.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::clock::Now;
use crate::machine::GrantId;
use crate::token::{Current, Token};

/// What is known of one grant, as the driver last set it.
#[derive(Debug)]
pub(crate) struct Cell {
    /// Grows with each change of `shown`, under its lock. Readers compare it with what they have seen.
    version: AtomicU64,
    shown: Mutex<Current>,
}

impl Cell {
    pub(crate) fn new() -> Self {
        Self { version: AtomicU64::new(0), shown: Mutex::new(Current::Unknown) }
    }

    pub(crate) fn current(&self) -> Current {
        self.shown().clone()
    }

    /// The token, if it is promised at this moment: the driver may be late.
    pub(crate) fn promised(&self, valid_for: Duration, now: &Now) -> Option<Arc<Token>> {
        let shown = self.shown();
        let Current::Fresh(token) = &*shown else { return None };
        let promised = now.steady < token.times.usable() && now.wall < token.usable_until();
        (promised && now.until(token.expires_at()) >= valid_for).then(|| Arc::clone(token))
    }

    /// Shows something else.
    pub(crate) fn publish(&self, current: Current) {
        let mut shown = self.shown();
        *shown = current;
        self.version.fetch_add(1, Ordering::Release);
    }

    /// No panic can leave it half written: each change assigns whole values.
    fn shown(&self) -> MutexGuard<'_, Current> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for a change of which grant.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    waiting: BTreeMap<(GrantId, u64), Waker>,
    last: u64,
}

impl Watchers {
    /// Registers somebody who waits for a change, or renews the waker and returns the earlier one. `number` is zero at
    /// first.
    pub(crate) fn add(&mut self, grant: GrantId, number: &mut u64, waker: &Waker) -> Option<Waker> {
        if *number == 0 {
            // The numbers go on, so that somebody who was woken is not taken for somebody new.
            self.last = self.last.saturating_add(1);
            *number = self.last;
        }
        self.waiting.insert((grant, *number), waker.clone())
    }

    /// Forgets somebody who waits no longer.
    pub(crate) fn remove(&mut self, grant: GrantId, number: u64) -> Option<Waker> {
        self.waiting.remove(&(grant, number))
    }

    /// Those who wait for a change of a grant, to be woken.
    pub(crate) fn take(&mut self, grant: GrantId) -> Vec<Waker> {
        let mut taken = Vec::new();
        while let Some((&place, _)) = self.waiting.range((grant, 0)..=(grant, u64::MAX)).next() {
            taken.extend(self.waiting.remove(&place));
        }
        taken
    }

    /// All who wait, to be woken although nothing has changed: the driver has ended.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.waiting).into_values()
    }
}

/// Reads what is known of a grant in a hot loop: one atomic load, unless something has changed. Takes no lock otherwise,
/// and reads no clock.
///
/// ```
/// use restream_oauth_keeper::{Current, Keeper};
/// use restream_oauth_keeper::store::MemoryStore;
/// # use restream_oauth_core::Client;
/// # let client = Client::builder("id").secret("s").redirect_uri("https://app.example/callback").build()?;
///
/// let keeper = Keeper::open(client, MemoryStore::new());
/// let mut reader = keeper.grant("default")?.reader();
/// for _ in 0..1_000_000 {
///     match reader.current() {
///         Current::Fresh(token) | Current::Stale(token) => { /* use token.access_token() */ }
///         _ => { /* no token at the moment */ }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenReader {
    cell: Arc<Cell>,
    seen: u64,
    current: Current,
}

impl TokenReader {
    pub(crate) fn new(cell: Arc<Cell>) -> Self {
        let mut reader = Self { cell, seen: 0, current: Current::Unknown };
        reader.look();
        reader
    }

    /// What is known of the grant, as the driver last set it.
    #[inline]
    pub fn current(&mut self) -> &Current {
        if self.cell.version.load(Ordering::Acquire) != self.seen {
            self.look();
        }
        &self.current
    }

    /// The token, unless it has expired.
    #[inline]
    pub fn token(&mut self) -> Option<&Arc<Token>> {
        self.current().token()
    }

    #[cold]
    fn look(&mut self) {
        let shown = self.cell.shown();
        // Both are changed under the lock, so they belong together.
        self.seen = self.cell.version.load(Ordering::Acquire);
        self.current = shown.clone();
    }
}

impl fmt::Debug for TokenReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenReader").field("current", &self.current).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use restream_oauth_core::AccessToken;

    use super::*;
    use crate::token_times::TokenTimes;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Promised for 50 seconds and expires after 60, from this moment on.
    fn token(generation: u64, now: &Now) -> Arc<Token> {
        let times = TokenTimes::new(now.wall, now.wall + s(50), now.wall + s(60), now);
        Arc::new(Token { access_token: AccessToken::new("a"), generation, times })
    }

    fn now(wall: u64, steady: u64) -> Now {
        Now { wall: SystemTime::UNIX_EPOCH + s(wall), steady: s(steady) }
    }

    #[test]
    fn a_reader_sees_each_change_once_it_asks() {
        let cell = Arc::new(Cell::new());
        let mut reader = TokenReader::new(Arc::clone(&cell));
        assert_eq!(reader.current(), &Current::Unknown);
        cell.publish(Current::Fresh(token(1, &now(0, 0))));
        cell.publish(Current::Stale(token(2, &now(0, 0))));
        assert_eq!(reader.current(), &Current::Stale(token(2, &now(0, 0))));
        assert_eq!(reader.token().map(|token| token.generation()), Some(2));
    }

    #[test]
    fn a_promise_ends_by_either_clock_although_the_driver_is_late() {
        let cell = Cell::new();
        cell.publish(Current::Fresh(token(1, &now(0, 100))));
        assert!(cell.promised(s(0), &now(49, 149)).is_some());
        assert!(cell.promised(s(0), &now(50, 110)).is_none(), "by the wall clock");
        assert!(cell.promised(s(0), &now(10, 150)).is_none(), "by the steady clock, if the wall clock was set back");
        assert!(cell.promised(s(20), &now(40, 140)).is_some());
        assert!(cell.promised(s(21), &now(40, 140)).is_none(), "it does not live that long");
        cell.publish(Current::Stale(token(1, &now(0, 100))));
        assert!(cell.promised(s(0), &now(1, 101)).is_none());
    }

    #[test]
    fn somebody_who_waits_no_longer_is_forgotten() {
        let mut watchers = Watchers::default();
        let (mut one, mut two, mut of_another) = (0, 0, 0);
        watchers.add(GrantId(1), &mut one, Waker::noop());
        watchers.add(GrantId(1), &mut two, Waker::noop());
        watchers.add(GrantId(1), &mut two, Waker::noop());
        watchers.add(GrantId(2), &mut of_another, Waker::noop());
        watchers.remove(GrantId(1), one);
        assert_eq!(watchers.take(GrantId(1)).len(), 1);
        assert_eq!(watchers.take(GrantId(1)).len(), 0);
        assert_eq!(watchers.take_all().count(), 1);
        assert_eq!(watchers.take_all().count(), 0);
    }
}
