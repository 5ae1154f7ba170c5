//! A refresh token.

use crate::secret::secret_type;

secret_type! {
    /// A refresh token: used once, for the next pair. Whoever has it and the client's credentials has the grant.
    RefreshToken
}
