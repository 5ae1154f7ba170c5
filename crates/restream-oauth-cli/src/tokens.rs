//! Where tokens come from and where they go.

pub(crate) mod document;
pub(crate) mod elsewhere;
pub(crate) mod file;
pub(crate) mod leftover;
pub(crate) mod owner;
pub(crate) mod source;
