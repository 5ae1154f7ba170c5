//! Grants in bulk, for tests under load: as if as many users had logged in, one after the other.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::provider::Provider;
use crate::restream::authorization_server::{Context, FreshPair};
use crate::restream::issued_tokens::Grant;
use crate::restream::token_format::formatted;
use crate::restream::token_response::token_response;
use crate::system::random;

/// A grant that [`Sandbox::mint`](crate::Sandbox::mint) made. Its `Debug` shows no token.
#[derive(Clone)]
#[non_exhaustive]
pub struct MintedGrant {
    /// Which of all grants it is, counted from 1.
    pub number: u64,
    /// When its pair was issued, since the Unix epoch and by the sandbox's clock.
    pub issued_at: Duration,
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// The body of the response to the exchange, as the client would have read it.
    pub token_response: String,
}

/// Mints grants, each when it is asked for. [`Sandbox::mint`](crate::Sandbox::mint) makes it.
#[must_use = "a grant is minted when the iterator is asked for it"]
pub struct Mint<'sandbox> {
    provider: &'sandbox Provider,
    scopes: Arc<[String]>,
    seed: String,
    now: Duration,
    oldest: Duration,
    made: u64,
    wanted: u64,
}

impl<'sandbox> Mint<'sandbox> {
    pub(crate) fn new(provider: &'sandbox Provider, wanted: u64, oldest: Duration) -> Result<Self, getrandom::Error> {
        let (scopes, now) = (provider.settings.scopes.clone().into(), provider.clock.now());
        Ok(Self { provider, scopes, seed: random::hex_40()?, now, oldest, made: 0, wanted })
    }

    /// Forty hexadecimal digits that nobody can guess who does not know the seed.
    fn digits(&self, kind: &str) -> String {
        let digest = Sha256::digest(format!("{} {} {kind}", self.seed, self.made));
        digest.iter().take(20).fold(String::with_capacity(40), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl Iterator for Mint<'_> {
    type Item = MintedGrant;

    fn next(&mut self) -> Option<MintedGrant> {
        if self.made == self.wanted {
            return None;
        }
        let issued_at = self.now.saturating_sub(self.oldest.mul_f64(share(self.made)));
        let (format, prefix) = (self.provider.rules().token_format, &*self.provider.settings.token_prefix);
        let token = |kind| formatted(format, prefix, &self.digits(kind));
        let fresh = FreshPair { access_token: token("access"), refresh_token: token("refresh") };
        let (number, issued, token_response): (Grant, _, _) = self.provider.act(|server, context| {
            let context = Context { now: issued_at, ..context };
            let (number, issued) = server.mint(context, &self.scopes, fresh);
            let body = token_response(&issued, context);
            (number, issued, body)
        });
        self.made += 1;
        let refresh_token = issued.refresh_token.map(|issued| issued.token).unwrap_or_default();
        Some(MintedGrant { number, issued_at, access_token: issued.access_token, refresh_token, token_response })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.wanted - self.made).ok();
        (left.unwrap_or(usize::MAX), left)
    }
}

/// Numbers from 0 to 1, the same in each run, that lie evenly however many are taken: multiples of the golden ratio
/// (Knuth, The Art of Computer Programming, volume 3, section 6.4). Neighbours are far apart.
fn share(number: u64) -> f64 {
    let top = u32::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).unwrap_or_default();
    f64::from(top) / f64::from(u32::MAX)
}

impl fmt::Debug for MintedGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, issued_at, .. } = self;
        formatter
            .debug_struct("MintedGrant")
            .field("number", number)
            .field("issued_at", issued_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_lie_evenly_after_any_number_of_them() {
        for count in [10_u64, 1000, 12_345] {
            for tenth in 0..10_u8 {
                let range = f64::from(tenth) / 10.0..f64::from(tenth + 1) / 10.0;
                let there = (0..count).filter(|number| range.contains(&share(*number))).count() as u64;
                assert!(there.abs_diff(count / 10) <= 3, "{there} of {count} in {range:?}");
            }
        }
    }
}
