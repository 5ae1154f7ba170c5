//! Why a program that asks for an account gets none.

/// Why there is no grant to ask for.
pub(crate) enum NotOffered {
    /// No account of this name is kept.
    Unknown,
    /// The database cannot be asked, and this process knows nothing of the account.
    Unavailable(String),
}
