//! Counts allocations. The numbers are exact, and the same on every machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, which also counts. Growing a buffer counts as one more allocation of the whole new size.
pub struct Counting;

/// What was allocated, whether or not it was freed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// The number of allocations.
    pub count: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

/// Counts the allocations of `work`. Both numbers are 0 unless [`Counting`] is the program's global allocator.
pub fn during(work: impl FnOnce()) -> Allocations {
    let before = now();
    work();
    let after = now();
    Allocations { count: after.count - before.count, bytes: after.bytes - before.bytes }
}

fn now() -> Allocations {
    Allocations { count: COUNT.load(Relaxed), bytes: BYTES.load(Relaxed) }
}

/// A load and a store. An atomic addition would cost as much as a small allocation, and would favour the side that
/// allocates less. Only one thread is measured, so no count is lost.
fn note(size: usize) {
    COUNT.store(COUNT.load(Relaxed).wrapping_add(1), Relaxed);
    BYTES.store(BYTES.load(Relaxed).wrapping_add(size as u64), Relaxed);
}

// A global allocator cannot be written without unsafe code. Each method passes its arguments to the system's allocator
// unchanged, so the contract is that of the system's allocator.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(new_size);
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}
