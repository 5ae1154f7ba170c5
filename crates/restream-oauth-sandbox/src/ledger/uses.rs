//! How often each refresh token was used, and what became of the previous use.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::restream::client_authentication::{BasicEncoding, ClientAuthentication};

/// The largest number of refresh tokens whose uses are counted. The oldest are forgotten first.
const TOKENS_KEPT: usize = 10_000;

/// What the earlier uses of the same refresh token say about a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshTokenUse {
    /// 1 for the first use of this refresh token.
    pub number: u64,
    /// The time since the previous use; `None` for the first use.
    pub since_previous: Option<Duration>,
    /// What became of the answer to the previous use; `None` for the first use.
    pub previous_answer: Option<PreviousAnswer>,
    /// Whether the client authenticated in another way than at the previous use.
    pub other_authentication: bool,
}

/// What became of an answer by the time of the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PreviousAnswer {
    /// It was sent.
    Sent,
    /// It had not been sent yet: a second thread of the client, or a client that did not wait.
    Pending,
    /// The connection closed or hung before the client received the whole answer.
    Lost,
}

impl RefreshTokenUse {
    pub(crate) fn to_value(&self) -> Value {
        let milliseconds = self.since_previous.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        json!({
            "number": self.number,
            "milliseconds_since_previous": milliseconds,
            "previous_answer": self.previous_answer.map(PreviousAnswer::as_str),
            "other_authentication": self.other_authentication,
        })
    }

    /// What is worth saying about it: nothing about a first use.
    pub(crate) fn note(&self) -> Option<String> {
        let since = self.since_previous?.as_millis();
        let mut note = format!(
            "This refresh token is used for the {} time, {since} ms after the previous use.",
            ordinal(self.number)
        );
        note.push_str(match self.previous_answer {
            Some(PreviousAnswer::Lost) => {
                " The client did not receive the whole previous answer: this looks like a repeat after a lost answer."
            }
            Some(PreviousAnswer::Pending) => {
                " The previous use has no answer yet: this looks like a second thread, or a client that did not wait."
            }
            Some(PreviousAnswer::Sent) | None => "",
        });
        if self.other_authentication {
            note.push_str(" The client authenticates in another way than before.");
        }
        Some(note)
    }
}

impl PreviousAnswer {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Pending => "pending",
            Self::Lost => "lost",
        }
    }
}

/// `1st`, `2nd`, `3rd`, `11th`.
fn ordinal(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Recognises a refresh token without keeping it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(refresh_token: &str) -> Self {
        Self(Sha256::digest(refresh_token).into())
    }
}

/// The last use of each refresh token.
#[derive(Default)]
pub(crate) struct Uses {
    last: HashMap<Fingerprint, LastUse>,
    /// From the oldest to the newest.
    order: VecDeque<Fingerprint>,
}

struct LastUse {
    number: u64,
    at: Instant,
    authentication: Authentication,
    answer: PreviousAnswer,
}

/// How the client authenticated, and how it encoded Basic credentials.
type Authentication = (ClientAuthentication, Option<BasicEncoding>);

impl Uses {
    /// Records a use and compares it with the previous one.
    pub(crate) fn record(
        &mut self,
        token: Fingerprint,
        authentication: Authentication,
        now: Instant,
    ) -> RefreshTokenUse {
        let previous = self.last.get(&token);
        let this = RefreshTokenUse {
            number: previous.map_or(0, |previous| previous.number) + 1,
            since_previous: previous.map(|previous| now.saturating_duration_since(previous.at)),
            previous_answer: previous.map(|previous| previous.answer),
            other_authentication: previous.is_some_and(|previous| previous.authentication != authentication),
        };
        if previous.is_none() {
            if self.order.len() == TOKENS_KEPT {
                if let Some(oldest) = self.order.pop_front() {
                    self.last.remove(&oldest);
                }
            }
            self.order.push_back(token);
        }
        let answer = PreviousAnswer::Pending;
        self.last.insert(token, LastUse { number: this.number, at: now, authentication, answer });
        this
    }

    /// Records what became of the answer to this use. A later use of the same token has its own answer.
    pub(crate) fn ended(&mut self, token: Fingerprint, number: u64, answer: PreviousAnswer) {
        if let Some(last) = self.last.get_mut(&token).filter(|last| last.number == number) {
            last.answer = answer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: Authentication = (ClientAuthentication::Body, None);

    #[test]
    fn the_oldest_token_is_forgotten_when_there_are_too_many() {
        let (mut uses, now) = (Uses::default(), Instant::now());
        let mut number = |token: &str| uses.record(Fingerprint::of(token), BODY, now).number;
        assert_eq!((number("first"), number("second"), number("first")), (1, 1, 2));
        for token in 2..TOKENS_KEPT {
            number(&token.to_string());
        }
        assert_eq!(number("first"), 3, "as many tokens are kept");
        number("one more");
        assert_eq!((number("second"), number("first")), (2, 1));
    }

    #[test]
    fn an_answer_belongs_to_its_own_use() {
        let (mut uses, now, token) = (Uses::default(), Instant::now(), Fingerprint::of("token"));
        uses.record(token, BODY, now);
        uses.record(token, BODY, now);
        uses.ended(token, 1, PreviousAnswer::Lost);
        assert_eq!(uses.record(token, BODY, now).previous_answer, Some(PreviousAnswer::Pending));
    }

    #[test]
    fn ordinals_have_their_endings() {
        let numbers = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111];
        let words = ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"];
        assert_eq!(numbers.map(ordinal), words);
    }
}
