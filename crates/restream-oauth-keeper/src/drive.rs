//! The driver: does what the machine asks for, and tells it what happened.
//!
//! There is one driver, a future for any runtime. It has a small set of tasks of its own, so that it needs no runtime to
//! spawn on. [`run_blocking`](crate::Keeper::run_blocking) is the same future on the calling thread, with a thread for
//! each request in flight.

mod blocking;
mod flights;
mod tasks;

pub(crate) use blocking::{block_on, run_blocking};
pub use tasks::AlreadyRunning;
pub(crate) use tasks::run;
