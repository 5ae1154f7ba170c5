//! Text and bytes that must not be seen: redacted `Debug`, no `Display`, wiped when dropped.
//!
//! Wiping is best effort: it reaches the buffers that this crate owns, not the copies that an HTTP stack, a swap device
//! or a core dump keeps.

mod buffer;
mod header;
mod text;

pub(crate) use buffer::WipedBuffer;
pub(crate) use header::sensitive_header;
pub(crate) use text::{CleanText, SecretBytes, SecretText, same_text};

/// Defines a public secret type: a name around [`SecretText`].
macro_rules! secret_type {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub(crate) crate::secret::SecretText);

        impl $name {
            /// Takes the text over; it is wiped when the value is dropped.
            pub fn new(text: impl Into<String>) -> Self {
                Self(crate::secret::SecretText::new(text))
            }

            /// The text itself. The only way in: search for this name to find every use.
            pub fn expose_secret(&self) -> &str {
                self.0.expose()
            }
        }
    };
}
pub(crate) use secret_type;
