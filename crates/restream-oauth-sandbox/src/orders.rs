//! What a test orders: faults, the scripts that they become, and the user's decision.

pub(crate) mod decision;
pub mod fault;
pub(crate) mod script;
