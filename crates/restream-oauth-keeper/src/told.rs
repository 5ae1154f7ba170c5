//! How events reach the program: a queue of bounded length for each receiver.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

use crate::event::Event;

/// How many events wait for one receiver. Then the oldest one is dropped for each new one.
const CAPACITY: usize = 1024;

/// Receives the events of a keeper, from the moment on in which it was made.
///
/// Threads iterate over it, tasks call [`next`](Self::next). Both end when the keeper has shut down or all handles of it
/// are dropped. A receiver that is too slow, or that nobody reads, never holds the keeper up: 1024 events wait, and
/// [`dropped`](Self::dropped) counts the older ones that did not.
///
/// ```no_run
/// # fn example(keeper: restream_oauth_keeper::Keeper) {
/// std::thread::spawn(move || {
///     for event in keeper.events() {
///         eprintln!("{event}");
///     }
/// });
/// # }
/// ```
pub struct Events {
    queue: Arc<Queue>,
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    dropped: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl Events {
    /// Waits for the next event. `None` at the end. Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| {
            let mut state = self.queue.state();
            match state.events.pop_front() {
                Some(event) => Poll::Ready(Some(event)),
                None if state.closed => Poll::Ready(None),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.queue.state().events.pop_front()
    }

    /// Blocks until the next event. `None` at the end.
    pub fn wait(&mut self) -> Option<Event> {
        let mut state = self.queue.state();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Some(event);
            }
            if state.closed {
                return None;
            }
            state = self.queue.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many events this receiver missed so far, because it was too slow.
    pub fn dropped(&self) -> u64 {
        self.queue.state().dropped
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.queue.state();
        let (waiting, dropped) = (state.events.len(), state.dropped);
        f.debug_struct("Events").field("waiting", &waiting).field("dropped", &dropped).finish_non_exhaustive()
    }
}

/// Blocks until each next event.
impl IntoIterator for Events {
    type Item = Event;
    type IntoIter = BlockingEvents;

    fn into_iter(self) -> BlockingEvents {
        BlockingEvents(self)
    }
}

/// Iterates over the events of a keeper, and blocks until each next one.
#[derive(Debug)]
pub struct BlockingEvents(Events);

impl Iterator for BlockingEvents {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.0.wait()
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: Event) -> Option<Waker> {
        let mut state = self.state();
        if state.events.len() >= CAPACITY {
            state.events.pop_front();
            state.dropped = state.dropped.saturating_add(1);
        }
        state.events.push_back(event);
        self.arrived.notify_all();
        state.waker.take()
    }

    fn close(&self) -> Option<Waker> {
        let mut state = self.state();
        state.closed = true;
        self.arrived.notify_all();
        state.waker.take()
    }
}

/// The receivers of one keeper.
#[derive(Default)]
pub(crate) struct Receivers {
    queues: Vec<Weak<Queue>>,
    closed: bool,
}

impl Receivers {
    pub(crate) fn add(&mut self) -> Events {
        let queue = Arc::new(Queue::default());
        self.queues.retain(|queue| queue.strong_count() > 0);
        if self.closed {
            queue.close();
        } else {
            self.queues.push(Arc::downgrade(&queue));
        }
        Events { queue }
    }

    /// Passes an event to each receiver. Returns those who wait, to be woken.
    pub(crate) fn tell(&mut self, event: &Event) -> Vec<Waker> {
        let live = self.queues.iter().filter_map(Weak::upgrade);
        live.filter_map(|queue| queue.push(event.clone())).collect()
    }

    pub(crate) fn close(&mut self) -> Vec<Waker> {
        self.closed = true;
        self.queues.drain(..).filter_map(|queue| queue.upgrade()?.close()).collect()
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.close().into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    fn event(generation: u64) -> Event {
        Event { grant: "default".parse().unwrap(), kind: EventKind::Rotated { generation } }
    }

    fn generation(event: &Event) -> u64 {
        match event.kind {
            EventKind::Rotated { generation } => generation,
            _ => panic!("{event}"),
        }
    }

    #[test]
    fn a_slow_receiver_misses_the_oldest_events_and_is_told_how_many() {
        let mut receivers = Receivers::default();
        let slow = receivers.add();
        for number in 0..1030 {
            receivers.tell(&event(number));
        }
        receivers.close();
        assert_eq!(slow.dropped(), 6);
        let all: Vec<u64> = slow.into_iter().map(|event| generation(&event)).collect();
        assert_eq!((all.len(), all[0], all[1023]), (1024, 6, 1029));
    }

    #[test]
    fn each_receiver_has_every_event_and_dropped_receivers_are_forgotten() {
        let mut receivers = Receivers::default();
        let (mut one, two) = (receivers.add(), receivers.add());
        drop(two);
        let mut three = receivers.add();
        assert_eq!(receivers.queues.len(), 2);
        receivers.tell(&event(7));
        assert_eq!(one.try_next().map(|it| generation(&it)), Some(7));
        assert_eq!(three.try_next().map(|it| generation(&it)), Some(7));
        assert!(one.try_next().is_none());
    }

    #[test]
    fn events_end_when_the_keeper_is_gone() {
        let mut receivers = Receivers::default();
        let events = receivers.add();
        receivers.tell(&event(1));
        drop(receivers);
        assert_eq!(events.into_iter().count(), 1);
    }
}
