//! Reading, checking, storing and rescuing tokens.

pub(crate) mod document;
pub(crate) mod elsewhere;
pub(crate) mod file;
pub(crate) mod leftover;
pub(crate) mod owner;
pub(crate) mod source;
