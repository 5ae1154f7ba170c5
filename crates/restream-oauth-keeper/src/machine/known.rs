//! What a process knows of a grant between two looks into the store.

use std::sync::Arc;
use std::time::Duration;

use restream_oauth_core::{AccessToken, SavedError};

use crate::clock::Now;
use crate::doubt::{AFTER_A_LATE_ONE, asked_wait, has_room, life, next_replay};
use crate::milliseconds::Milliseconds;
use crate::operation::StoreError;
use crate::policy::{Mode, lapses_at};
use crate::record::{LoginId, Record};
use crate::token::{Gone, Token};
use crate::token_times::TokenTimes;

/// Planned refreshes have at least this much time between them, however short the lifetimes are that a server gives.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);

/// What a process knows of a grant between two looks into the store.
#[derive(Debug)]
pub(super) enum Known {
    /// The store was not read yet, or could not be.
    Nothing,
    /// There is no token.
    Gone(Gone),
    /// The stored tokens belong to somebody else.
    OtherOwner(SavedError),
    /// The store cannot be used before somebody mends it.
    Unusable(Box<StoreError>),
    /// A pair.
    Pair(Pair),
}

/// What is known of the newest pair.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Pair {
    pub(super) token: Arc<Token>,
    login: ShortLoginId,
    /// When it has to be refreshed at the latest, on the steady clock.
    lapses: Milliseconds,
    /// Rare things, boxed so that an idle grant is small.
    trouble: Option<Box<Trouble>>,
    /// True if the API refused the token.
    pub(super) refused: bool,
    /// True if a newer refresh token than that of the token waits to be used.
    pub(super) salvaged: bool,
    /// True if the user is logging out.
    pub(super) leaving: bool,
    /// True if the access token came without its refresh token, so that it is not the one of the record.
    pub(super) alone: bool,
}

/// What keeps a pair from being refreshed.
#[derive(Debug, Default)]
struct Trouble {
    not_before: Duration,
    doubt: Option<KnownDoubt>,
}

/// What is known of a doubt.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownDoubt {
    pub(super) sends: u32,
    /// How old it was when this process learned of it, and when that was. From then on the steady clock counts: the wall
    /// clock may be set.
    pub(super) age: Duration,
    pub(super) learned: Duration,
    /// How long tokens of the grant live.
    pub(super) life: Duration,
    /// When the next replay is due.
    pub(super) replay: Duration,
    /// When somebody, of whatever process, last brought a late replay forward.
    pub(super) forwarded: Option<Duration>,
}

/// The first bytes of a [`LoginId`]: enough to tell the logins of one grant apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShortLoginId([u8; 8]);

impl From<LoginId> for ShortLoginId {
    fn from(login: LoginId) -> Self {
        Self(login.0.first_chunk().copied().unwrap_or_default())
    }
}

impl Pair {
    pub(super) fn of(record: &Record, now: &Now) -> Self {
        let tokens = &record.tokens;
        // A clock that was set back makes nothing later than it was when it was new.
        let left = |until, most: Duration| now.steady.saturating_add(now.until(until).min(most));
        let times = TokenTimes::new(tokens.sent_at(), record.usable_until, tokens.expires_at(), now);
        let mut pair = Self {
            token: Arc::new(Token {
                access_token: tokens.access_token().clone(),
                generation: record.generation,
                // In doubt, a token is served without a promise.
                times: record.doubt.map_or(times, |_| times.without_promise(now)),
            }),
            login: record.login.into(),
            lapses: Milliseconds::of(left(lapses_at(tokens), tokens.refresh_lifetime())),
            trouble: None,
            refused: false,
            salvaged: record.salvaged.is_some(),
            leaving: record.leaving,
            alone: false,
        };
        let wait = asked_wait(record, now);
        if !wait.is_zero() {
            pair.set_not_before(now.steady.saturating_add(wait));
        }
        if let Some(doubt) = record.doubt {
            // Its process may have died: the end of the connection is known once the claim is there.
            let least = if doubt.in_flight { AFTER_A_LATE_ONE } else { Duration::ZERO };
            let wait = next_replay(record, &doubt, now).max(least);
            // A time that is yet to come is that of a clock that was wrong.
            let forwarded = doubt.forwarded.filter(|at| *at <= now.wall);
            pair.set_doubt(KnownDoubt {
                sends: doubt.sends,
                age: now.since(doubt.since),
                learned: now.steady,
                life: life(record),
                replay: now.steady.saturating_add(wait),
                forwarded: forwarded.map(|at| now.steady.saturating_sub(now.since(at))),
            });
        }
        pair
    }

    /// Takes over what was known of the same pair before.
    pub(super) fn keep(&mut self, known: &Self) {
        if known.alone || known.doubt().is_some() == self.doubt().is_some() {
            self.token = Arc::clone(&known.token);
        } else if let Some(token) = Arc::get_mut(&mut self.token) {
            // The steady clock began to count when the pair came. The wall clock may have been set since.
            token.times = token.times.with_steady(&known.token.times);
        }
        self.refused = known.refused;
        self.alone = known.alone;
    }

    /// Serves an access token that came without its refresh token, until it expires.
    pub(super) fn serve_alone(&mut self, access_token: AccessToken, lifetime: Duration, now: &Now) {
        self.token = Arc::new(Token {
            access_token,
            generation: self.token.generation,
            times: TokenTimes::new(now.wall, now.wall, now.wall_after(lifetime), now),
        });
        self.refused = false;
        self.alone = true;
    }

    pub(super) fn login(&self) -> ShortLoginId {
        self.login
    }

    /// True if this is the pair of a record. Two pairs can have the same generation: one of them came too late.
    pub(super) fn is_of(&self, record: &Record) -> bool {
        self.is_of_login(record.login)
            && self.token.generation == record.generation
            && (self.alone || self.token.access_token() == record.tokens.access_token())
    }

    pub(super) fn is_of_login(&self, login: LoginId) -> bool {
        self.login == login.into()
    }

    /// True if the token can still be accepted.
    pub(super) fn is_alive(&self, now: Duration) -> bool {
        now < self.expires() && !self.refused && !self.salvaged && !self.leaving
    }

    /// True if nothing but time speaks against the token.
    pub(super) fn is_undisputed(&self) -> bool {
        !self.refused && !self.salvaged && !self.leaving && self.doubt().is_none()
    }

    /// True if the token is promised.
    pub(super) fn is_promised(&self, now: Duration) -> bool {
        now < self.usable() && now < self.expires() && self.is_undisputed()
    }

    // Times of the steady clock.

    /// Until when the token is promised.
    pub(super) fn usable(&self) -> Duration {
        self.token.times.usable()
    }

    /// When the token expires.
    pub(super) fn expires(&self) -> Duration {
        self.token.times.expires()
    }

    /// When the pair is refreshed although nobody asks for a token.
    pub(super) fn planned(&self, mode: Mode) -> Duration {
        let lapses = self.lapses.time();
        let due = if mode == Mode::Warm { self.usable().min(lapses) } else { lapses };
        due.max(self.token.times.has_age_at(SHORTEST_LIFE))
    }

    /// The earliest time of the next request.
    pub(super) fn not_before(&self) -> Duration {
        self.trouble.as_ref().map_or(Duration::ZERO, |trouble| trouble.not_before)
    }

    pub(super) fn set_not_before(&mut self, time: Duration) {
        self.trouble.get_or_insert_default().not_before = time;
    }

    /// Set while the pair is in doubt.
    pub(super) fn doubt(&self) -> Option<KnownDoubt> {
        self.trouble.as_ref()?.doubt
    }

    /// True if the doubt of the pair may have so many requests more than planned, and one.
    pub(super) fn has_room(&self, more: u32, now: Duration) -> bool {
        self.doubt().is_some_and(|doubt| {
            let age = doubt.age.saturating_add(now.saturating_sub(doubt.learned));
            has_room(doubt.sends.saturating_sub(more), age, doubt.life)
        })
    }

    pub(super) fn doubt_mut(&mut self) -> Option<&mut KnownDoubt> {
        self.trouble.as_mut()?.doubt.as_mut()
    }

    pub(super) fn set_doubt(&mut self, doubt: KnownDoubt) {
        self.trouble.get_or_insert_default().doubt = Some(doubt);
    }
}
