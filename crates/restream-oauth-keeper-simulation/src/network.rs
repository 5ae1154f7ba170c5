//! What becomes of one request: drawn when it is sent, before anybody knows.

use crate::random::Random;
use crate::reply::Style;
use crate::setting::{Rates, SLOW};
use crate::time::{MINUTE, SECOND, Time};

/// What becomes of one request.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    pub(crate) way: Way,
    /// From the sending until the server acts.
    pub(crate) until_acts: Time,
    pub(crate) act: Act,
    /// From the act until the answer is at the client.
    pub(crate) way_back: Time,
    pub(crate) end: End,
}

/// How the request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// No connection was made: the stack has proof that nothing was sent.
    NotSent,
    /// It never arrives. `reset`: the client learns that the connection is dead.
    Lost {
        reset: bool,
    },
    Arrives,
}

/// What the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Answers(Style),
    /// Acts, and answers with this status.
    FailsAfterActing(u16, Option<u64>),
    /// Does not act, and answers with this status.
    FailsBeforeActing(u16, Option<u64>),
}

/// How the answer travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    /// This share of the body arrives, in ten-thousandths; then the connection breaks.
    Cut(u64),
    /// It never arrives. `reset`: the client learns that the connection is dead.
    Lost {
        reset: bool,
    },
}

impl Fate {
    pub(crate) fn draw(random: &mut Random, rates: &Rates, outage: bool) -> Self {
        let way = if random.chance(rates.not_sent) {
            Way::NotSent
        } else if outage && random.chance(5000) || random.chance(rates.lost_before) {
            Way::Lost { reset: !outage && random.chance(5000) }
        } else {
            Way::Arrives
        };
        let act = if random.chance(rates.fails_after_acting) {
            let status = random.pick(&[500, 502, 503, 504, 408, 499]);
            Act::FailsAfterActing(status, (status == 503 && random.chance(5000)).then(|| random.below(100)))
        } else if random.chance(rates.fails_before_acting) {
            let status = random.pick(&[429, 429, 429, 401, 403, 500, 502, 503, 503, 504]);
            let waits = matches!(status, 429 | 503) && random.chance(5000);
            Act::FailsBeforeActing(status, waits.then(|| random.pick(&[0, 1, 30, 600, 7200])))
        } else if random.chance(rates.token_missing) {
            Act::Answers(random.pick(&Style::HARMFUL))
        } else if random.chance(rates.odd) {
            Act::Answers(random.pick(&Style::HARMLESS))
        } else {
            Act::Answers(Style::Plain)
        };
        let end = if outage || random.chance(rates.lost_after) {
            End::Lost { reset: !outage && random.chance(5000) }
        } else if random.chance(rates.cut) {
            End::Cut(random.below(10_000))
        } else {
            End::Whole
        };
        let mut fate = Self { way, until_acts: random.between(20, 400), act, way_back: random.between(10, 200), end };
        if random.chance(rates.slow) {
            let slow = random.pick(&SLOW) + random.below(5 * SECOND);
            if random.chance(6000) { fate.until_acts += slow } else { fate.way_back += slow }
        }
        if outage {
            fate.until_acts += random.below(2 * MINUTE);
        }
        fate
    }

    /// The server, or something before it, fails, and nothing was done.
    pub(crate) fn fail_before_acting(&mut self, random: &mut Random) {
        if random.chance(5000) {
            self.way = Way::Lost { reset: true };
        } else {
            self.act = Act::FailsBeforeActing(random.pick(&[500, 502, 504]), None);
        }
    }
}
