//! A place for one value that somebody waits for.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A place for one value that somebody waits for.
#[derive(Debug)]
pub(crate) struct Slot<T>(Mutex<Content<T>>);

#[derive(Debug)]
enum Content<T> {
    Nothing,
    Awaited(Waker),
    Here(T),
    Taken,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Content::Nothing)))
    }

    /// Puts the value in; a second one is dropped. Returns who waits for it, to be woken.
    #[must_use]
    pub(crate) fn put(&self, value: T) -> Option<Waker> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Content::Nothing | Content::Awaited(_) => match std::mem::replace(&mut *slot, Content::Here(value)) {
                Content::Awaited(waker) => Some(waker),
                _ => None,
            },
            Content::Here(_) | Content::Taken => None,
        }
    }

    /// Takes the value out.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *slot, Content::Taken) {
            Content::Here(value) => Poll::Ready(value),
            Content::Taken => Poll::Pending,
            Content::Nothing | Content::Awaited(_) => {
                *slot = Content::Awaited(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_once_and_the_first_one_counts() {
        let slot = Slot::new();
        let context = Context::from_waker(Waker::noop());
        assert_eq!(slot.poll(&context), Poll::Pending);
        assert!(slot.put(1).is_some());
        assert!(slot.put(2).is_none());
        assert_eq!(slot.poll(&context), Poll::Ready(1));
        assert_eq!(slot.poll(&context), Poll::Pending);
    }
}
