//! Logins whose browser has not come back from Restream.
//!
//! Beside the file store they are in memory: a restart of the broker costs a user who is just logging in one more click,
//! and no grant. With PostgreSQL they are in the database, so that a browser may come back to another instance.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::device::{CodeBinding, Owner};
use super::key::Hash;

/// How long a user may take at Restream.
pub(super) const LIFE: Duration = Duration::from_secs(600);
/// How many logins wait. Then each new one pushes out the oldest, so that a flood of logins that nobody finishes does not
/// keep users out for ten minutes.
pub(super) const MOST: usize = 20_000;
/// How many logins of one browser a user may choose from after a denial. A person has begun a few; a program with a cookie of
/// its own can begin any number.
pub(super) const MOST_OF_BROWSER: usize = 32;

/// A login whose browser is at Restream.
#[derive(Clone)]
pub struct Login {
    /// The hash of `state` at Restream.
    pub state: Hash,
    /// The hash of the cookie of the browser in which the login began.
    pub browser: Hash,
    /// Whom the login is for.
    pub owner: Owner,
    /// What the code will be bound to; `None` at OBS's door.
    pub binding: Option<CodeBinding>,
    /// The `state` of the device, which goes back as it came.
    pub device_state: Option<String>,
    /// The saved login of the core: its `state` and PKCE verifier.
    pub saved: Zeroizing<String>,
    /// When the browser left.
    pub began_at: SystemTime,
}

/// Hides the `state`s and the verifier.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, began_at, .. } = self;
        f.debug_struct("Login").field("owner", owner).field("began_at", began_at).finish_non_exhaustive()
    }
}

/// The logins that wait, by their `state`. Bounded: 20,000 logins, ten minutes each.
#[derive(Default)]
pub struct Logins {
    waiting: HashMap<[u8; 32], Login>,
    /// In the order in which they began. A login that came back is still here until it would have expired.
    order: VecDeque<([u8; 32], SystemTime)>,
}

impl Logins {
    /// Remembers a login.
    pub fn insert(&mut self, login: Login, now: SystemTime) {
        self.expire(now);
        while self.order.len() >= MOST {
            self.drop_oldest();
        }
        let state = login.state.into_bytes();
        self.order.push_back((state, login.began_at));
        self.waiting.insert(state, login);
    }

    /// Takes the login with this `state`, if it began in this browser. It is there once: a second callback finds nothing.
    pub fn take(&mut self, state: Hash, browser: Hash, now: SystemTime) -> Option<Login> {
        self.expire(now);
        let state = state.into_bytes();
        if self.waiting.get(&state)?.browser != browser {
            return None;
        }
        self.waiting.remove(&state)
    }

    /// The newest 32 logins that began in this browser and have not come back, oldest first. Restream's denial names none
    /// of them.
    pub fn of_browser(&mut self, browser: Hash, now: SystemTime) -> Vec<Login> {
        self.expire(now);
        let newest = self.order.iter().rev().filter_map(|(state, _)| self.waiting.get(state));
        let mut begun: Vec<_> =
            newest.filter(|login| login.browser == browser).take(MOST_OF_BROWSER).cloned().collect();
        begun.reverse();
        begun
    }

    /// How many logins wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True if none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn expire(&mut self, now: SystemTime) {
        let is_over = |began: SystemTime| now.duration_since(began).is_ok_and(|age| age >= LIFE);
        while self.order.front().is_some_and(|(_, began)| is_over(*began)) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((state, _)) = self.order.pop_front() {
            self.waiting.remove(&state);
        }
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn login(state: &str, browser: &str, began: u64) -> Login {
        Login {
            state: Hash::of(state),
            browser: Hash::of(browser),
            owner: Owner::Obs,
            binding: None,
            device_state: None,
            saved: Zeroizing::new(String::new()),
            began_at: at(began),
        }
    }

    #[test]
    fn a_login_is_taken_once_and_in_its_own_browser_alone() {
        let mut logins = Logins::default();
        logins.insert(login("s", "b", 0), at(0));
        assert!(logins.take(Hash::of("s"), Hash::of("another"), at(1)).is_none());
        assert!(logins.take(Hash::of("another"), Hash::of("b"), at(1)).is_none());
        assert!(logins.take(Hash::of("s"), Hash::of("b"), at(1)).is_some());
        assert!(logins.take(Hash::of("s"), Hash::of("b"), at(1)).is_none());
    }

    #[test]
    fn a_login_waits_for_ten_minutes() {
        let mut logins = Logins::default();
        logins.insert(login("s", "b", 0), at(0));
        assert_eq!(logins.of_browser(Hash::of("b"), at(599)).len(), 1);
        assert!(logins.take(Hash::of("s"), Hash::of("b"), at(600)).is_none());
        assert!(logins.is_empty());
    }

    #[test]
    fn several_logins_of_one_browser_wait_side_by_side() {
        let mut logins = Logins::default();
        for (state, browser) in [("1", "b"), ("2", "b"), ("3", "c")] {
            logins.insert(login(state, browser, 0), at(0));
        }
        let states: Vec<Hash> = logins.of_browser(Hash::of("b"), at(1)).iter().map(|login| login.state).collect();
        assert_eq!(states, [Hash::of("1"), Hash::of("2")]);
        assert!(logins.take(Hash::of("2"), Hash::of("b"), at(1)).is_some());
        assert!(logins.take(Hash::of("1"), Hash::of("b"), at(1)).is_some());
    }

    #[test]
    fn of_a_browser_with_a_thousand_logins_the_newest_are_told_of() {
        let mut logins = Logins::default();
        for number in 0..1000 {
            logins.insert(login(&number.to_string(), "b", 0), at(0));
        }
        let begun: Vec<Hash> = logins.of_browser(Hash::of("b"), at(1)).iter().map(|login| login.state).collect();
        let expected: Vec<Hash> = (1000 - MOST_OF_BROWSER..1000).map(|number| Hash::of(number.to_string())).collect();
        assert_eq!(begun, expected);
    }

    #[test]
    fn a_flood_of_logins_takes_bounded_memory_and_lets_new_ones_in() {
        let mut logins = Logins::default();
        for number in 0..MOST + 10 {
            logins.insert(login(&number.to_string(), "b", 0), at(0));
        }
        assert_eq!((logins.len(), logins.order.len()), (MOST, MOST));
        assert!(logins.take(Hash::of("9"), Hash::of("b"), at(0)).is_none());
        assert!(logins.take(Hash::of((MOST + 9).to_string()), Hash::of("b"), at(0)).is_some());
        // Logins that came back leave no trace for longer than those that did not.
        for number in 0..MOST * 2 {
            logins.insert(login(&format!("x{number}"), "b", 1), at(1));
            logins.take(Hash::of(format!("x{number}")), Hash::of("b"), at(1));
        }
        assert!(logins.order.len() <= MOST);
    }
}
