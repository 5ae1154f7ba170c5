//! A refresh token that was used although it was spent.

use std::time::Duration;

/// A use of a refresh token after its rotation or revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reuse {
    /// Which grant it belongs to, counted from 1 in the order of exchanges and minted grants.
    pub grant: u64,
    /// When a refresh spent the token, since the Unix epoch and by the sandbox's clock. `None` if its grant was revoked
    /// before.
    pub spent_at: Option<Duration>,
    /// When the token was used again.
    pub used_at: Duration,
}
