//! What a relay remembers of refreshes: one place for each refresh token that is in use, or was within two minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::devices::Hash;
use crate::seal::{Purpose, open, seal};

/// How long an answer is remembered.
const LIFE: Duration = Duration::from_secs(120);

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

impl Memory {
    pub(in crate::server) fn new(room: Arc<Semaphore>) -> Self {
        Self { room, places: Mutex::default() }
    }

    /// Waits for the place of a token. `None` if it has none, and there is no room for one more.
    pub(in crate::server) async fn place(&self, key: Hash) -> Option<Place<'_>> {
        let remembered = {
            let mut places = self.places();
            let known = places.get(&key.into_bytes()).map(Arc::clone);
            if let Some(place) = known {
                place
            } else {
                let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
                let place = Arc::new(tokio::sync::Mutex::new(Remembered { answer: None, _room: room }));
                places.insert(key.into_bytes(), Arc::clone(&place));
                place
            }
        };
        Some(Place { memory: self, key, remembered: Some(remembered.lock_owned().await) })
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
        assert!(memory.place(Hash::of("c")).await.is_none());
        assert!(memory.place(Hash::of("a")).await.unwrap().answer("a", at(1)).is_some());
        memory.place(Hash::of("a")).await.unwrap().forget();
        assert!(memory.place(Hash::of("c")).await.is_some());
    }

    #[tokio::test]
    async fn a_request_without_an_answer_leaves_nothing() {
        let memory = memory(1);
        drop(memory.place(Hash::of("a")).await.unwrap());
        assert!(memory.places().is_empty());
        assert!(memory.place(Hash::of("b")).await.is_some());
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
        assert!(memory.place(Hash::of("b")).await.is_some());
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
