//! Where tokens come from and where they go.

pub(crate) mod file;
pub(crate) mod source;
