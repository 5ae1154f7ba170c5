//! Strays: pairs that came too late. The one whose access token alone is accepted wins.

use restream_oauth_core::Answer;
use restream_oauth_core::transport::Unread;

use super::step::{Step, WITNESS_LIMIT, Work};
use crate::machine::context::Context;
use crate::machine::grant::Grant;
use crate::operation::Leftovers;
use crate::record::{Record, Stray};

impl Grant {
    /// Asks the API whether the newest stray lives.
    pub(super) fn try_stray(&mut self, mut work: Box<Work>, record: &Record, cx: &mut Context<'_>) {
        let stray = record.strays.last();
        let call = stray.and_then(|stray| cx.shared.client.profile(stray.tokens.access_token()).ok());
        let Some(call) = call else {
            self.judged(work, cx);
            return;
        };
        let deadline = cx.steady().saturating_add(WITNESS_LIMIT);
        work.ticket = Some(cx.send(call.unread().0, deadline));
        work.step = Step::Trying { stray_lives: false };
        self.work = Some(work);
    }

    /// The API has said whether a token lives. The stray takes the place of the record only if it lives and the record
    /// does not.
    pub(super) fn tried(
        &mut self,
        mut work: Box<Work>,
        stray_lives: bool,
        answer: Option<Answer<Unread>>,
        cx: &mut Context<'_>,
    ) {
        let status = answer.and_then(|answer| answer.status()).map(|status| status.as_u16());
        let Some(record) = work.record().cloned() else {
            self.judged(work, cx);
            return;
        };
        match (stray_lives, status) {
            (false, Some(200..=299 | 403)) => match cx.shared.client.profile(record.tokens.access_token()) {
                Ok(call) => {
                    let deadline = cx.steady().saturating_add(WITNESS_LIMIT);
                    work.ticket = Some(cx.send(call.unread().0, deadline));
                    work.step = Step::Trying { stray_lives: true };
                    self.work = Some(work);
                }
                Err(_) => self.swap(work, record, cx),
            },
            (true, Some(401)) => self.swap(work, record, cx),
            _ => self.judged(work, cx),
        }
    }

    /// The stray is the living pair: it and the record change places.
    pub(super) fn swap(&mut self, work: Box<Work>, mut record: Record, cx: &mut Context<'_>) {
        let parent = record.parent();
        self.more().judge = false;
        let Some(stray) = record.strays.pop() else {
            self.judged(work, cx);
            return;
        };
        let loser = Stray { generation: record.generation, tokens: record.tokens };
        record.strays.push(loser);
        let generation = record.generation.saturating_add(1);
        let usable_until = self.usable_until(&stray.tokens, record.login, generation, cx);
        let next = Record {
            generation,
            usable_until,
            tokens: stray.tokens,
            sent: None,
            doubt: None,
            not_before: None,
            salvaged: None,
            ..record
        };
        self.commit(work, Box::new(next), parent, true, cx);
    }

    pub(super) fn judged(&mut self, work: Box<Work>, cx: &mut Context<'_>) {
        self.more().judge = false;
        self.settle(work, None, Leftovers::Leave, cx);
    }
}
