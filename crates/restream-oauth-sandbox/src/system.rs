//! What comes from the operating system: the time, random bytes, locks and waiting.

pub(crate) mod clock;
pub(crate) mod random;
pub(crate) mod sync;
