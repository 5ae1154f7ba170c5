//! What a test orders: faults, the scripts that carry them out, and the user's decision.

pub(crate) mod decision;
pub mod fault;
pub(crate) mod script;
