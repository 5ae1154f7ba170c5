//! An allocator that counts, so that an oracle can check that memory is bounded.
//!
//! An allocator cannot be written without unsafe code. This one passes each call to the system's allocator, and counts.
#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// How many bytes parsing may allocate beyond four times the length of its input.
const SLACK: usize = 64 * 1024;

/// Runs `work` on an input of `input` bytes. At any moment `work` may hold four times as many bytes, and 64 KiB more.
pub(crate) fn bounded<T>(input: usize, work: impl FnOnce() -> T) -> T {
    let (result, peak) = peak(work);
    let most = 4 * input + SLACK;
    assert!(peak <= most, "{peak} bytes were allocated at once for an input of {input} bytes; {most} may be");
    result
}

/// Runs `work`, and returns its result with the largest number of bytes that it held at once. Memory that grows counts
/// twice while it moves, because only chance decides whether it can grow in place.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

thread_local! {
    // Signed: a thread may free what another allocated.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Counts the bytes of each thread.
struct Counting;

// SAFETY: each call goes to the system's allocator unchanged. The provided methods (`realloc`, `alloc_zeroed`) are
// built on these two. The counting neither allocates nor unwinds: the cells are constants without a destructor, so they
// exist from a thread's first moment to its last.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout));
        // SAFETY: this method requires of its caller exactly what the system's allocator requires.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-signed(layout));
        // SAFETY: as above; `pointer` came from the system's `alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A layout is never larger than `isize::MAX`.
fn signed(layout: Layout) -> isize {
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

fn count(bytes: isize) {
    let held = HELD.get().wrapping_add(bytes);
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_counts_what_was_held_at_once() {
        let ((), one_after_the_other) = peak(|| {
            drop(vec![0_u8; 1000]);
            drop(vec![0_u8; 3000]);
        });
        let (_, together) = peak(|| (vec![0_u8; 1000], vec![0_u8; 3000]));
        assert_eq!((one_after_the_other, together), (3000, 4000));
    }

    #[test]
    fn what_moves_as_it_grows_counts_twice() {
        let (_, moved) = peak(|| {
            let mut bytes = Vec::<u8>::with_capacity(1000);
            bytes.reserve_exact(2000);
            bytes
        });
        assert_eq!(moved, 3000);
    }

    #[test]
    #[should_panic(expected = "bytes were allocated at once for an input of 10 bytes")]
    fn too_much_is_noticed() {
        bounded(10, || vec![0_u8; SLACK + 41]);
    }
}
