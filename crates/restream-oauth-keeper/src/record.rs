//! What a store holds of one grant: the newest pair, and everything that a process must know before it refreshes.

use std::fmt;
use std::time::{Duration, SystemTime};

use restream_oauth_core::{RefreshToken, Tokens};
use sha2::{Digest as _, Sha256};

/// What a store holds of one grant. The saved form ([`to_saved`](Self::to_saved)) is the saved form of the tokens with
/// one more member, `keeper`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The newest pair whose refresh token is durable.
    pub tokens: Tokens,
    /// The login that the pair descends from.
    pub login: LoginId,
    /// When the request was sent that exchanged the code of the login.
    pub logged_in_at: SystemTime,
    /// How many pairs this grant has had before this one. A login counts as a pair.
    pub generation: u64,
    /// The refresh token that was sent for this pair; `None` for the pair of a login.
    pub sent: Option<TokenHash>,
    /// Until when the access token is promised to everyone who has it: no planned refresh comes earlier.
    pub usable_until: SystemTime,
    /// The earliest time of the next request, if a server or an earlier failure set one.
    pub not_before: Option<SystemTime>,
    /// How many requests were prepared for this pair, whether they were sent or not. So each has a number of its own.
    pub requests: u32,
    /// Set while the outcome of a refresh is unknown.
    pub doubt: Option<Doubt>,
    /// Set once the server has said that the grant is dead.
    pub death: Option<Death>,
    /// True after the user asked to log out, until the pair is revoked.
    pub leaving: bool,
    /// True if an answer to an earlier refresh of this login was lost or damaged, and no pair has been committed since. So
    /// a refusal tells a lost answer from a revoked grant.
    pub lost_answer: bool,
    /// The step of the pause before this pair may be replaced because the API refuses it: 0 and 1 stand for 60 seconds, and
    /// each one more doubles it. A pair that is replaced as planned ends the row. So the pauses grow in all processes together.
    pub refused: u32,
    /// A refresh token that arrived without its access token. It is newer than the one in `tokens`, and is sent next.
    pub salvaged: Option<RefreshToken>,
    /// Pairs of the same login that arrived too late to be committed. Newest last.
    pub strays: Vec<Stray>,
    /// The user who logged in, if the program has asked for the profile.
    pub user: Option<User>,
}

impl Record {
    /// The record of a login.
    pub fn of_login(tokens: Tokens, usable_until: SystemTime) -> Self {
        Self {
            login: LoginId::of(&tokens),
            logged_in_at: tokens.sent_at(),
            tokens,
            generation: 0,
            sent: None,
            usable_until,
            not_before: None,
            requests: 0,
            doubt: None,
            death: None,
            leaving: false,
            lost_answer: false,
            refused: 0,
            salvaged: None,
            strays: Vec::new(),
            user: None,
        }
    }

    /// The refresh token to send next; `None` if the grant has none.
    pub fn refresh_token(&self) -> Option<&RefreshToken> {
        self.salvaged.as_ref().or(self.tokens.refresh_token())
    }

    /// What a pair that this record's refresh token is sent for names as its parent.
    pub fn parent(&self) -> Parent {
        Parent {
            login: self.login,
            generation: self.generation,
            sent: self.refresh_token().map_or_else(|| TokenHash::of_access_token(&self.tokens), TokenHash::of),
        }
    }

    /// Adds the strays of the stored record that this one lacks: its writer does not know them.
    pub(crate) fn keep_strays_of(&mut self, stored: &Self) {
        for stray in &stored.strays {
            if stray.tokens != self.tokens && !self.strays.contains(stray) {
                self.strays.push(stray.clone());
            }
        }
    }

    /// Replaces every time of this record. For a store that keeps times of a clock that is not this machine's.
    pub fn map_times(&mut self, map: impl Fn(SystemTime) -> SystemTime) {
        let strays = self.strays.iter_mut().map(|stray| &mut stray.tokens);
        for tokens in strays.chain([&mut self.tokens]) {
            *tokens = tokens.clone().with_sent_at(map(tokens.sent_at()));
        }
        self.logged_in_at = map(self.logged_in_at);
        self.usable_until = map(self.usable_until);
        self.not_before = self.not_before.map(&map);
        if let Some(doubt) = &mut self.doubt {
            doubt.since = map(doubt.since);
            doubt.ended = doubt.ended.map(&map);
            doubt.forwarded = doubt.forwarded.map(&map);
        }
        if let Some(death) = &mut self.death {
            death.at = map(death.at);
        }
    }

    /// What is left of the record after a logout.
    pub fn tombstone(&self) -> Tombstone {
        Tombstone { login: self.login, logged_in_at: self.logged_in_at, generation: self.generation }
    }

    /// True if a pair with this parent may replace this record.
    ///
    /// Only login and generation are compared: between the two a refresh token can have been salvaged, which does not
    /// make the older one's pair a stranger.
    pub fn is_parent(&self, parent: &Parent) -> bool {
        self.login == parent.login && self.generation == parent.generation
    }
}

/// What a pair replaces. A store commits a pair only if the record is still this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The login of the replaced record.
    pub login: LoginId,
    /// The generation of the replaced record.
    pub generation: u64,
    /// The refresh token that was sent.
    pub sent: TokenHash,
}

/// A refresh whose outcome is unknown: the server may have spent the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// When the first of the requests was about to be sent.
    pub since: SystemTime,
    /// How many requests were sent, or were about to be sent.
    pub sends: u32,
    /// True from the preparation of the last request until its outcome is written down. If nobody has the claim, then
    /// the process died in between.
    pub in_flight: bool,
    /// When the first request's connection was known to be dead; `None` while it may be alive.
    pub ended: Option<SystemTime>,
    /// True once the old access token was asked whether it still lives.
    pub witnessed: bool,
    /// When somebody who needed the token last brought a late replay forward.
    pub forwarded: Option<SystemTime>,
}

/// When and why a grant died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// Why the server no longer accepts the refresh token.
    pub why: DeathCause,
    /// When the server said so.
    pub at: SystemTime,
}

/// Why a grant is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeathCause {
    /// The server refused the refresh token, although no answer to it was lost: the user or the server ended the grant,
    /// or the refresh token expired.
    Revoked,
    /// The answer to an earlier refresh was lost, and the server refused the refresh token when it was sent again: the
    /// server had rotated the pair.
    LostAnswer,
    /// The pair has no refresh token, and the access token expired.
    NoRefreshToken,
}

impl fmt::Display for DeathCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoked => "the server ended the grant",
            Self::LostAnswer => "the answer to a refresh was lost, and the server had spent the refresh token",
            Self::NoRefreshToken => "the server gave no refresh token, and the access token expired",
        })
    }
}

/// A pair that arrived after another one was committed in its place. It may be the living one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The generation of the record that the pair was to replace.
    pub generation: u64,
    /// The pair.
    pub tokens: Tokens,
}

/// The user who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The `id` of the profile.
    pub id: String,
    /// The `username` of the profile.
    pub username: Option<String>,
}

/// Identifies a login: the SHA-256 of the first refresh token that it gave.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginId(pub(crate) [u8; 32]);

impl LoginId {
    /// The identifier of the login that gave these tokens.
    pub fn of(tokens: &Tokens) -> Self {
        Self(tokens.refresh_token().map_or_else(|| TokenHash::of_access_token(tokens), TokenHash::of).0)
    }

    /// The hash itself. It reveals no token.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Shows the first bytes: enough to tell two logins apart.
impl fmt::Debug for LoginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginId({})", hex(&self.0[..4]))
    }
}

/// The SHA-256 of a token. It identifies the token and does not reveal it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub(crate) [u8; 32]);

impl TokenHash {
    /// The hash of a refresh token.
    pub fn of(token: &RefreshToken) -> Self {
        Self(Sha256::digest(token.expose_secret()).into())
    }

    fn of_access_token(tokens: &Tokens) -> Self {
        Self(Sha256::digest(tokens.access_token().expose_secret()).into())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({})", hex(&self.0[..4]))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads the 64 digits that [`hex`] writes for a hash.
pub(crate) fn read_hash(value: &serde_json::Value) -> Option<[u8; 32]> {
    let digits = value.as_str().filter(|text| text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit()))?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// What a store holds under the name of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Nothing: nobody has ever logged in.
    Nothing,
    /// A grant.
    Grant(Box<Record>),
    /// What is left of a grant after a logout. A pair of this login that arrives late is revoked, and the next login
    /// counts on from this generation.
    Tombstone(Tombstone),
}

impl Stored {
    /// The record, if there is a grant.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Grant(record) => Some(record),
            Self::Nothing | Self::Tombstone(_) => None,
        }
    }

    /// True if a login is to be stored in the place of what is stored: it is later, or what is stored is dead. The stored
    /// login itself is not. A stored time that is yet to come says nothing to a login of this clock, because one of the
    /// clocks was wrong. A login that is itself yet to come was sent by the other clock, and is compared.
    pub(crate) fn is_before(&self, login: &Tokens, now: SystemTime) -> bool {
        let (id, at, over) = match self {
            Self::Nothing => return true,
            Self::Grant(record) => (record.login, record.logged_in_at, record.death.is_some() || record.leaving),
            Self::Tombstone(tombstone) => (tombstone.login, tombstone.logged_in_at, false),
        };
        LoginId::of(login) != id && (over || login.sent_at() > at || (login.sent_at() <= now && now < at))
    }

    /// True if a marked record may replace this: it is the same pair.
    pub(crate) fn is_same_pair(&self, record: &Record) -> bool {
        self.record().is_some_and(|stored| stored.is_parent(&record.parent()))
    }

    /// The generation that the next login gets.
    pub(crate) fn next_generation(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Grant(record) => record.generation.saturating_add(1),
            Self::Tombstone(tombstone) => tombstone.generation.saturating_add(1),
        }
    }
}

/// What is left of a grant after a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The login that ended.
    pub login: LoginId,
    /// When it began. A login that was stashed before, and never stored, is dropped.
    pub logged_in_at: SystemTime,
    /// Its last generation.
    pub generation: u64,
}

/// How long the access token of a pair is promised by default: until 60 seconds or 20 % of its life before its end,
/// whichever is shorter.
pub(crate) fn promise_of(tokens: &Tokens) -> SystemTime {
    let margin = tokens.lifetime().div_f64(5.0).min(Duration::from_secs(60));
    tokens.expires_at().checked_sub(margin).map_or(tokens.sent_at(), |time| time.max(tokens.sent_at()))
}
