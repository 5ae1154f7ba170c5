//! What the operating system gives: the time, random bytes, and threads that lock and wait.

pub(crate) mod clock;
pub(crate) mod random;
pub(crate) mod sync;
