//! Reading, checking, storing and rescuing tokens.

pub(crate) mod access;
pub(crate) mod asking;
pub(crate) mod document;
pub(crate) mod elsewhere;
pub(crate) mod file;
pub(crate) mod handover;
pub(crate) mod keeping;
pub(crate) mod kept_answer;
pub(crate) mod living;
pub(crate) mod newest;
pub(crate) mod owner;
pub(crate) mod place;
pub(crate) mod revocation;
pub(crate) mod rotation;
pub(crate) mod shutting_down;
pub(crate) mod source;
pub(crate) mod status;
pub(crate) mod storing;
pub(crate) mod table;
