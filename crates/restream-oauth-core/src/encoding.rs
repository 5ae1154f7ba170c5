//! Bytes and text: forms, URIs, JSON, character encodings, and the redaction of server messages.

pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod redaction;
pub(crate) mod text;
pub(crate) mod uri;
