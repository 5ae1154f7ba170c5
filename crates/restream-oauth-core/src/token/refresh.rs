//! The refresh token (RFC 6749 §1.5).

use crate::secret::secret_type;

secret_type! {
    /// A refresh token (RFC 6749 §1.5). It works once, for the next pair. A holder of the refresh token and of the
    /// client's credentials controls the grant.
    RefreshToken
}
