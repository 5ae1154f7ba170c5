//! Secret text and bytes: `Debug` is redacted, there is no `Display`, and dropping them wipes the memory.
//!
//! Wiping is best effort. It covers the buffers that this crate owns, but not copies in an HTTP stack, a swap device or
//! a core dump.

pub(crate) mod base64;
mod buffer;
mod header;
mod text;

pub(crate) use buffer::{SecretBytes, WipedBuffer};
pub(crate) use header::sensitive_header;
pub(crate) use text::{CleanText, SecretText, same_bytes};

/// Defines a public secret type: a newtype around [`SecretText`].
macro_rules! secret_type {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub(crate) crate::secret::SecretText);

        impl $name {
            /// Takes ownership of the text. Dropping the value wipes the text.
            pub fn new(text: impl Into<String>) -> Self {
                Self(crate::secret::SecretText::new(text))
            }

            /// The text itself. No other method returns it: search for this name to find every use.
            pub fn expose_secret(&self) -> &str {
                self.0.expose()
            }
        }
    };
}
pub(crate) use secret_type;
