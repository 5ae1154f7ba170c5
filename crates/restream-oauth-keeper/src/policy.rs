//! When a refresh is due. Every refresh is a risk, so the rule is: no more of them than needed.

use std::time::{Duration, SystemTime};

use restream_oauth_core::Tokens;

use crate::record::promise_of;

/// When a grant is refreshed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// When somebody asks for a token and the present one is near its end.
    #[default]
    OnUse,
    /// Always ahead of the end, so that a token is there at once. For programs that use it all day.
    Warm,
    /// Only so that the refresh token does not expire, for grants that are hardly ever used.
    Alive,
}

/// The settings of a keeper.
///
/// ```
/// use restream_oauth_keeper::{Mode, Policy};
///
/// let policy = Policy { mode: Mode::Warm, ..Policy::default() };
/// assert_eq!(policy.requests_per_second, 20.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// When grants are refreshed, unless a grant has its own mode.
    pub mode: Mode,
    /// How many token requests this process sends in a second, on average. The keeper slows down by itself when the
    /// server answers 429 or 503. While everything fails, retries have a tenth of this rate, after the first hundred of
    /// them. If it is too low for what is due, callers, replays and tokens that expire within two minutes go first.
    pub requests_per_second: f64,
    /// A request that has no answer after this long counts as in doubt, before it ends. While too many requests are in
    /// doubt, nothing is refreshed that can wait.
    pub silence: Duration,
    /// True for a service that keeps many grants: their refreshes are spread over the last 2 to 20 % of the life, so
    /// that many logins in one hour do not become many refreshes in one second, every hour.
    pub spread: bool,
    /// Chooses the times that are drawn at random. The same seed gives the same times, so tests can be repeated. In a
    /// program: any random number.
    pub seed: u64,
}

impl Default for Policy {
    /// `OnUse`, 20 requests a second, silence after 10 seconds, not spread, seed 0.
    fn default() -> Self {
        Self { mode: Mode::OnUse, requests_per_second: 20.0, silence: Duration::from_secs(10), spread: false, seed: 0 }
    }
}

impl Policy {
    /// How long after the end of the first connection a refresh in doubt is sent again. From then on it is sent once in
    /// each token life. For programs that send a refresh without a keeper, and want to repeat it as a keeper does.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use restream_oauth_keeper::Policy;
    ///
    /// assert_eq!(Policy::REPLAYS[..3], [1, 4, 15].map(Duration::from_secs));
    /// ```
    pub const REPLAYS: [Duration; 7] = crate::doubt::REPLAYS;

    /// Until when the access token of a new pair is promised. It is drawn once, and stored with the pair. It is never
    /// later than the time when the pair must be refreshed for the sake of its refresh token.
    pub(crate) fn usable_until(&self, mode: Mode, tokens: &Tokens, draw: u64) -> SystemTime {
        let life = tokens.lifetime();
        let share = fraction(mix(self.seed ^ draw));
        let promised = match mode {
            Mode::Warm => life.mul_f64(0.6 + 0.2 * share),
            Mode::OnUse | Mode::Alive if self.spread => life.mul_f64(0.98 - 0.18 * share),
            Mode::OnUse | Mode::Alive => return promise_of(tokens).min(lapses_at(tokens)),
        };
        tokens.sent_at().checked_add(promised).unwrap_or(tokens.sent_at()).min(lapses_at(tokens))
    }
}

/// When the pair must be refreshed, although nobody asks for a token: before its refresh token expires.
pub(crate) fn lapses_at(tokens: &Tokens) -> SystemTime {
    let early = tokens.refresh_lifetime().div_f64(12.0).min(Duration::from_secs(30 * 86_400));
    tokens.refresh_expires_at().checked_sub(early).unwrap_or(tokens.sent_at())
}

/// Turns any number into one that looks random (`SplitMix64`, Steele et al. 2014).
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number from 0 to 1.
fn fraction(random: u64) -> f64 {
    let top = u32::try_from(random >> 32).unwrap_or(0);
    f64::from(top) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tokens;

    fn promised(policy: Policy, mode: Mode, draw: u64) -> u64 {
        let until = policy.usable_until(mode, &tokens("a", "r"), draw);
        until.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn a_promise_ends_within_the_range_of_its_mode() {
        let spread = Policy { spread: true, ..Policy::default() };
        for draw in 0..1000 {
            assert_eq!(promised(Policy::default(), Mode::OnUse, draw), 3540);
            assert!((2160..=2880).contains(&promised(Policy::default(), Mode::Warm, draw)));
            assert!((2880..=3528).contains(&promised(spread, Mode::OnUse, draw)));
        }
        let warm: std::collections::BTreeSet<_> =
            (0..1000).map(|it| promised(Policy::default(), Mode::Warm, it)).collect();
        assert!(warm.len() > 500, "the times differ");
    }

    #[test]
    fn the_same_seed_draws_the_same_time() {
        let policy = Policy { seed: 9, ..Policy::default() };
        assert_eq!(promised(policy, Mode::Warm, 3), promised(policy, Mode::Warm, 3));
        assert_ne!(promised(policy, Mode::Warm, 3), promised(Policy::default(), Mode::Warm, 3));
    }

    #[test]
    fn a_refresh_token_of_a_year_is_used_a_month_before_its_end() {
        let lapses = lapses_at(&tokens("a", "r")).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(lapses.as_secs(), 31_536_000 - 30 * 86_400);
    }
}
