//! Bytes and text: forms, URIs, JSON, and what a server wrote.

pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod redaction;
pub(crate) mod text;
pub(crate) mod uri;
