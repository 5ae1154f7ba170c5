//! Text and bytes that must not be seen: redacted `Debug`, no `Display`, wiped when dropped.
//!
//! Wiping is best effort: it reaches the buffers that this crate owns, not the copies that an HTTP stack, a swap device or a core dump keeps.

mod buffer;
mod header;
mod text;

pub(crate) use buffer::WipedBuffer;
pub(crate) use header::sensitive_header;
pub(crate) use text::{CleanText, SecretBytes, SecretText, same_text, secret_type};
