//! The authorization server: it knows the truth about every token.
//!
//! Tokens have readable names: pair 17 is the access token `at-17` and the refresh token `rt-17`. A server that does
//! not rotate gives the refresh token of an older pair with a newer access token.

use crate::time::{SECOND, Time};

/// Names a pair, over the whole run.
pub(crate) type PairId = usize;
/// Names what one login began.
pub(crate) type FamilyId = usize;

/// What the server makes of a refresh token that was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Refuses it. Restream is believed to do this.
    Strict,
    /// Accepts it for a while, and gives the same successor again.
    Grace(Time),
    /// Accepts it for a while, and gives one more pair. Both live.
    GraceFork(Time),
    /// Refuses it, and ends the whole family (RFC 9700 §4.14.2).
    Family,
    /// Never rotates a refresh token.
    Unrotating,
}

/// How an answer to a refresh begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A pair. `kept` is true if its refresh token is the one that was sent.
    Issued { pair: PairId, kept: bool },
    /// `invalid_grant`.
    Refused,
}

/// Why a family ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The user or the provider ended it.
    Revoked,
    /// The client asked for it.
    RevokedByClient,
    /// A refresh token was used twice, and the server ends families for that.
    Reused,
}

/// A pair that the server issued.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) family: FamilyId,
    /// The pair whose refresh token was sent; `None` for the pair of a login.
    pub(crate) parent: Option<PairId>,
    /// The pair whose refresh token this pair has: itself, unless the server kept one.
    pub(crate) refresh: PairId,
    pub(crate) issued: Time,
    access_ended: Option<Time>,
    /// When the refresh token was spent, and the pair that was given for it.
    spent: Option<(Time, PairId)>,
}

/// A login and its pairs.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    /// The index of the grant.
    pub(crate) grant: usize,
    pub(crate) ended: Option<(Time, End)>,
    pub(crate) pairs: Vec<PairId>,
}

/// The authorization server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) style: Style,
    /// How long an access token lives.
    pub(crate) life: Time,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) families: Vec<Family>,
}

impl Server {
    pub(crate) fn new(style: Style, life: Time) -> Self {
        Self { style, life, pairs: Vec::new(), families: Vec::new() }
    }

    /// A user logs in: a new family and its first pair.
    pub(crate) fn log_in(&mut self, grant: usize, now: Time) -> PairId {
        self.families.push(Family { grant, ended: None, pairs: Vec::new() });
        self.issue(self.families.len() - 1, None, None, now)
    }

    /// A refresh with the refresh token of this pair.
    pub(crate) fn refresh(&mut self, sent: PairId, now: Time) -> Verdict {
        let sent = self.pairs[sent].refresh;
        let family = self.pairs[sent].family;
        if self.families[family].ended.is_some() {
            return Verdict::Refused;
        }
        if self.style == Style::Unrotating {
            return Verdict::Issued { pair: self.issue(family, Some(sent), Some(sent), now), kept: true };
        }
        let Some((at, successor)) = self.pairs[sent].spent else {
            let pair = self.issue(family, Some(sent), None, now);
            self.pairs[sent].spent = Some((now, pair));
            // A rotation ends the access tokens too: Restream kills both.
            for other in self.families[family].pairs.clone() {
                if other != pair {
                    self.pairs[other].access_ended.get_or_insert(now);
                }
            }
            return Verdict::Issued { pair, kept: false };
        };
        match self.style {
            Style::Grace(window) if now < at + window => Verdict::Issued { pair: successor, kept: false },
            Style::GraceFork(window) if now < at + window => {
                Verdict::Issued { pair: self.issue(family, Some(sent), None, now), kept: false }
            }
            Style::Family => {
                self.end(family, now, End::Reused);
                Verdict::Refused
            }
            _ => Verdict::Refused,
        }
    }

    /// Ends a family.
    pub(crate) fn end(&mut self, family: FamilyId, now: Time, why: End) {
        self.families[family].ended.get_or_insert((now, why));
    }

    /// Whether the server would accept the refresh token of this pair.
    pub(crate) fn is_refresh_live(&self, pair: PairId, now: Time) -> bool {
        let Pair { family, spent, .. } = self.pairs[self.pairs[pair].refresh];
        let grace = match self.style {
            Style::Grace(window) | Style::GraceFork(window) => window,
            _ => 0,
        };
        self.families[family].ended.is_none() && spent.is_none_or(|(at, _)| now < at + grace)
    }

    /// Whether the refresh token of this pair was never used.
    pub(crate) fn is_unspent(&self, pair: PairId) -> bool {
        let Pair { family, spent, .. } = self.pairs[self.pairs[pair].refresh];
        self.families[family].ended.is_none() && spent.is_none()
    }

    /// Whether an API accepts the access token of this pair.
    pub(crate) fn is_access_live(&self, pair: PairId, now: Time) -> bool {
        let pair = &self.pairs[pair];
        self.families[pair.family].ended.is_none() && pair.access_ended.is_none() && now < pair.issued + self.life
    }

    pub(crate) fn grant_of(&self, pair: PairId) -> usize {
        self.families[self.pairs[pair].family].grant
    }

    fn issue(&mut self, family: FamilyId, parent: Option<PairId>, kept: Option<PairId>, now: Time) -> PairId {
        let pair = self.pairs.len();
        let refresh = kept.unwrap_or(pair);
        self.pairs.push(Pair { family, parent, refresh, issued: now, access_ended: None, spent: None });
        self.families[family].pairs.push(pair);
        pair
    }
}

/// The text of an access token.
pub(crate) fn access_text(pair: PairId) -> String {
    format!("at-{pair}.")
}

/// The text of a refresh token.
pub(crate) fn refresh_text(pair: PairId) -> String {
    format!("rt-{pair}.")
}

/// Reads the text of an access or refresh token.
pub(crate) fn pair_of(text: &str) -> Option<PairId> {
    text.strip_prefix("rt-").or(text.strip_prefix("at-"))?.strip_suffix('.')?.parse().ok()
}

/// True if a text shows a token.
pub(crate) fn shows_a_token(text: &str) -> bool {
    ["rt-", "at-"].iter().any(|prefix| {
        text.match_indices(prefix).any(|(at, _)| {
            let rest = &text[at + prefix.len()..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            digits > 0 && rest[digits..].starts_with('.')
        })
    })
}

/// The grace windows that servers document.
pub(crate) const WINDOWS: [Time; 4] = [5 * SECOND, 30 * SECOND, 60 * SECOND, 300 * SECOND];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_server_accepts_each_refresh_token_once() {
        let mut server = Server::new(Style::Strict, 3600 * SECOND);
        let first = server.log_in(0, 0);
        let Verdict::Issued { pair: second, .. } = server.refresh(first, 1) else { panic!("refused") };
        assert!(!server.is_access_live(first, 1) && server.is_access_live(second, 1));
        assert_eq!(server.refresh(first, 2), Verdict::Refused);
        assert!(server.is_refresh_live(second, 2));
    }

    #[test]
    fn a_family_ends_with_the_first_reuse() {
        let mut server = Server::new(Style::Family, 3600 * SECOND);
        let first = server.log_in(0, 0);
        let Verdict::Issued { pair: second, .. } = server.refresh(first, 1) else { panic!("refused") };
        assert_eq!(server.refresh(first, 2), Verdict::Refused);
        assert_eq!(server.refresh(second, 3), Verdict::Refused);
    }

    #[test]
    fn a_grace_window_gives_the_same_successor_until_it_ends() {
        let mut server = Server::new(Style::Grace(5000), 3600 * SECOND);
        let first = server.log_in(0, 0);
        let second = server.refresh(first, 1);
        assert_eq!(server.refresh(first, 5000), second);
        assert_eq!(server.refresh(first, 5001), Verdict::Refused);
    }

    #[test]
    fn tokens_are_found_in_a_text() {
        assert!(shows_a_token("Bearer at-17."));
        assert!(!shows_a_token("at-rest in a part-7 of"));
        assert_eq!(pair_of(&refresh_text(9)), Some(9));
    }
}
