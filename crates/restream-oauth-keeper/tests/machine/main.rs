//! The machine, one grant at a time, in the order of the failures that it is there for.

#![allow(missing_docs, unreachable_pub, clippy::unchecked_time_subtraction, reason = "tests")]

mod answers;
mod clocks;
mod doubt;
mod lifetimes;
mod many;
mod nth_operation;
mod properties;
mod rotation;
mod scenario;
mod sessions;
mod strays;
mod trouble;
