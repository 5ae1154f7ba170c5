//! An allocator that counts, so that "memory is bounded" can be an oracle.
//!
//! The one place of the workspace with unsafe code: an allocator cannot be written without. It adds nothing to the
//! system's but the counting.
#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What parsing may allocate beside four times its input.
const SLACK: usize = 64 * 1024;

/// Does `work` on an input of so many bytes; it may hold four times as many and 64 KiB at any moment.
pub(crate) fn bounded<T>(input: usize, work: impl FnOnce() -> T) -> T {
    let (result, peak) = peak(work);
    let most = 4 * input + SLACK;
    assert!(peak <= most, "{peak} bytes were allocated at once for an input of {input} bytes; {most} may be");
    result
}

/// Does `work`; also gives the most bytes that it held at once, beyond what was held before. Memory that moves as it
/// grows counts twice while it does: whether it can grow in place is luck.
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

// SAFETY: each call is passed on to the system's allocator as it came. The provided methods (`realloc`, `alloc_zeroed`)
// are built on these two. The counting neither allocates nor unwinds: the cells are constants without a destructor, so
// they are there from a thread's first to its last moment.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout));
        // SAFETY: what this method requires of its caller is what the system's requires.
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
