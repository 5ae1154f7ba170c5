//! What a relay remembers of refreshes: one place for each refresh token that is in use, or was within two minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::devices::Hash;
use crate::seal::{Purpose, open, seal};

/// How long an answer is remembered.
const LIFE: Duration = Duration::from_secs(120);

/// How many requests with one refresh token are under way: one is sent, and the others wait for its answer.
const MOST_OF_TOKEN: usize = 16;
/// How long they wait. Nobody waits for their own answers any longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The places. Bounded by the permits of `room`: a place holds one.
#[derive(Debug)]
pub(in crate::server) struct Memory {
    room: Arc<Semaphore>,
    places: Mutex<Places>,
}

type Places = HashMap<[u8; 32], Arc<tokio::sync::Mutex<Remembered>>>;

/// What is remembered of one refresh token.
#[derive(Debug)]
struct Remembered {
    /// The answer, sealed under the token, and when it came.
    answer: Option<(Vec<u8>, SystemTime)>,
    _room: OwnedSemaphorePermit,
}

/// The place of one refresh token. Nobody else uses it until it is dropped.
#[derive(Debug)]
pub(in crate::server) struct Place<'a> {
    memory: &'a Memory,
    key: Hash,
    remembered: Option<OwnedMutexGuard<Remembered>>,
}

/// Why a refresh token has no place now.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::server) enum NoPlace {
    /// There is no room for one more token.
    Full,
    /// Too many wait for the place already, or this one has waited for too long.
    Busy,
}

impl Memory {
    pub(in crate::server) fn new(room: Arc<Semaphore>) -> Self {
        Self { room, places: Mutex::default() }
    }

    /// Waits for the place of a token.
    ///
    /// # Errors
    /// [`NoPlace`] if it gets none. Nothing was sent.
    pub(in crate::server) async fn place(&self, key: Hash) -> Result<Place<'_>, NoPlace> {
        let remembered = {
            let mut places = self.places();
            if let Some(place) = places.get(&key.into_bytes()) {
                // One of them is that of the map.
                if Arc::strong_count(place) > MOST_OF_TOKEN {
                    return Err(NoPlace::Busy);
                }
                Arc::clone(place)
            } else {
                let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| NoPlace::Full)?;
                let place = Arc::new(tokio::sync::Mutex::new(Remembered { answer: None, _room: room }));
                places.insert(key.into_bytes(), Arc::clone(&place));
                place
            }
        };
        let remembered = timeout(PATIENCE, remembered.lock_owned()).await.map_err(|_| NoPlace::Busy)?;
        Ok(Place { memory: self, key, remembered: Some(remembered) })
    }

    /// Forgets the answers that are two minutes old.
    pub(in crate::server) fn forget(&self, now: SystemTime) {
        self.places().retain(|_, place| {
            // Somebody uses it, or waits for it.
            Arc::strong_count(place) > 1
                || place.try_lock().is_ok_and(|it| it.answer.as_ref().is_some_and(|(_, at)| is_young(*at, now)))
        });
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// The answer that this token got within two minutes.
    pub(in crate::server) fn answer(&self, token: &str, now: SystemTime) -> Option<Bytes> {
        let (sealed, at) = self.remembered.as_ref()?.answer.as_ref()?;
        if !is_young(*at, now) {
            return None;
        }
        let body = open(token.as_bytes(), Purpose::Answer, &self.key.into_bytes(), sealed)?;
        Some(Bytes::copy_from_slice(&body))
    }

    /// Remembers an answer. Without random bytes of the operating system it is not remembered.
    pub(in crate::server) fn remember(&mut self, token: &str, body: &[u8], now: SystemTime) {
        if let Some(remembered) = &mut self.remembered {
            let sealed = seal(token.as_bytes(), Purpose::Answer, &self.key.into_bytes(), body);
            remembered.answer = sealed.map(|sealed| (sealed, now));
        }
    }

    /// Forgets the answer.
    pub(in crate::server) fn forget(&mut self) {
        if let Some(remembered) = &mut self.remembered {
            remembered.answer = None;
        }
    }
}

impl Drop for Place<'_> {
    /// A place with nothing in it is given up, unless somebody waits for it.
    fn drop(&mut self) {
        let mut places = self.memory.places();
        let is_empty = self.remembered.take().is_none_or(|remembered| remembered.answer.is_none());
        let key = self.key.into_bytes();
        if is_empty && places.get(&key).is_some_and(|place| Arc::strong_count(place) == 1) {
            places.remove(&key);
        }
    }
}

/// False also if the clock was set back by more than that.
fn is_young(at: SystemTime, now: SystemTime) -> bool {
    let apart = now.duration_since(at).unwrap_or_else(|later| later.duration());
    apart < LIFE
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::Instant;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn memory(most: usize) -> Memory {
        Memory::new(Arc::new(Semaphore::new(most)))
    }

    #[tokio::test]
    async fn an_answer_is_remembered_for_two_minutes_under_its_own_token() {
        let memory = memory(9);
        let mut place = memory.place(Hash::of("a")).await.unwrap();
        assert_eq!(place.answer("a", at(0)), None);
        place.remember("a", b"body", at(0));
        drop(place);
        memory.forget(at(119));
        let place = memory.place(Hash::of("a")).await.unwrap();
        assert_eq!(place.answer("a", at(119)).unwrap(), "body");
        assert_eq!(place.answer("b", at(119)), None, "it is sealed under the token");
        assert_eq!(place.answer("a", at(120)), None);
        drop(place);
        assert_eq!(memory.places().len(), 1);
        memory.forget(at(120));
        assert!(memory.places().is_empty());
        assert_eq!(memory.room.available_permits(), 9);
    }

    #[tokio::test]
    async fn the_memory_holds_no_answer_in_the_clear() {
        let memory = memory(9);
        memory.place(Hash::of("a")).await.unwrap().remember("a", b"access_token", at(0));
        let places = memory.places();
        let place = places.values().next().unwrap().try_lock().unwrap();
        let (sealed, _) = place.answer.as_ref().unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"access"));
    }

    #[tokio::test]
    async fn a_full_memory_has_no_new_place_until_an_answer_is_forgotten() {
        let memory = memory(2);
        for token in ["a", "b"] {
            memory.place(Hash::of(token)).await.unwrap().remember(token, b"body", at(0));
        }
        assert_eq!(memory.place(Hash::of("c")).await.unwrap_err(), NoPlace::Full);
        assert!(memory.place(Hash::of("a")).await.unwrap().answer("a", at(1)).is_some());
        memory.place(Hash::of("a")).await.unwrap().forget();
        assert!(memory.place(Hash::of("c")).await.is_ok());
    }

    #[tokio::test]
    async fn a_request_without_an_answer_leaves_nothing() {
        let memory = memory(1);
        drop(memory.place(Hash::of("a")).await.unwrap());
        assert!(memory.places().is_empty());
        assert!(memory.place(Hash::of("b")).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_is_asked_for_again_and_again_keeps_few_waiting_and_none_for_ever() {
        let memory = Arc::new(memory(9));
        let sent = memory.place(Hash::of("a")).await.unwrap();
        let mut waiting = JoinSet::new();
        for _ in 0..100 {
            let memory = Arc::clone(&memory);
            waiting.spawn(async move { memory.place(Hash::of("a")).await.map(drop) });
        }
        let begun = Instant::now();
        let refused_at_once = loop {
            tokio::task::yield_now().await;
            if waiting.len() < MOST_OF_TOKEN {
                break 100 - waiting.len();
            }
            assert_eq!(waiting.join_next().await.unwrap().unwrap(), Err(NoPlace::Busy));
        };
        assert_eq!((refused_at_once, begun.elapsed()), (85, Duration::ZERO));
        for given_up in waiting.join_all().await {
            assert_eq!(given_up, Err(NoPlace::Busy));
        }
        let waited = begun.elapsed().saturating_sub(PATIENCE);
        assert!(waited < Duration::from_millis(10), "{waited:?}, although the first request is still under way");
        drop(sent);
        assert!(memory.places().is_empty());
    }

    #[tokio::test]
    async fn one_request_a_token_at_a_time_and_the_next_one_sees_its_answer() {
        let memory = Arc::new(memory(9));
        let mut first = memory.place(Hash::of("a")).await.unwrap();
        let waiting = tokio::spawn({
            let memory = Arc::clone(&memory);
            async move { memory.place(Hash::of("a")).await.unwrap().answer("a", at(0)) }
        });
        // Another token does not wait.
        assert!(memory.place(Hash::of("b")).await.is_ok());
        tokio::task::yield_now().await;
        memory.forget(at(500));
        assert!(!waiting.is_finished());
        first.remember("a", b"body", at(0));
        drop(first);
        assert_eq!(waiting.await.unwrap().unwrap(), "body");
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_lets_nothing_stay_for_ever() {
        let memory = memory(9);
        memory.place(Hash::of("a")).await.unwrap().remember("a", b"body", at(1000));
        assert!(memory.place(Hash::of("a")).await.unwrap().answer("a", at(999)).is_some());
        memory.forget(at(0));
        assert!(memory.places().is_empty());
    }
}
