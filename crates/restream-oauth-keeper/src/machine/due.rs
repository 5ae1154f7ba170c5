//! What has to be done for a grant, and when.

use std::time::Duration;

use super::context::Context;
use super::grant::{Grant, LOOK_AGAIN_WANTED};
use super::known::Known;
use super::work::step::Work;
use crate::event::{EventKind, Problem};
use crate::operation::StoreOp;
use crate::pace::{Attempt, Urgency};

/// A dead or absent grant is read again after this long: somebody may have logged in.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Somebody who needs the token brings a late replay forward, at most this often.
const FORWARD_AGAIN: Duration = Duration::from_secs(30 * 60);
/// A token with this much life left is refreshed although the breaker is open, at a low rate.
const EXPIRING: Duration = Duration::from_secs(120);
/// An attempt that is due this soon is not brought forward.
const SOON: Duration = Duration::from_secs(60);

/// True if the last time that somebody brought a replay forward is long ago.
pub(super) fn may_forward(last: Option<Duration>, now: Duration) -> bool {
    last.is_none_or(|at| at.saturating_add(FORWARD_AGAIN) <= now)
}

/// What has to be done.
#[derive(Clone, Copy, Debug)]
enum Due {
    Look,
    Claim,
    Refresh(Urgency),
}

impl Grant {
    /// Begins the work that is due, if none is under way.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>) {
        if self.work.is_some() || self.is_looking() {
            return;
        }
        let now = cx.steady();
        let Some(due) = self.due(cx) else { return };
        match due {
            Due::Look => {
                let more = self.more();
                more.look_now = false;
                more.look = Some(cx.store(StoreOp::Read));
            }
            Due::Claim => self.claim(None, cx),
            Due::Refresh(urgency) if self.is_in_queue(urgency, now) => {}
            Due::Refresh(urgency) => match cx.shared.pace.take(urgency, self.next_attempt(), now) {
                Ok(()) => {
                    if let Some(more) = &mut self.more {
                        more.place = None;
                    }
                    self.claim(Some(self.next_attempt()), cx);
                }
                Err(wait) => {
                    if cx.shared.pace.ran_out_of_retries() {
                        cx.tell(EventKind::Throttled);
                    }
                    let more = self.more();
                    more.place = Some((urgency, now.saturating_add(wait)));
                    more.last.get_or_insert(Problem::Paced { wait });
                }
            },
        }
    }

    fn claim(&mut self, attempt: Option<Attempt>, cx: &mut Context<'_>) {
        // A stash does not wait for the claim, so the claim may have looked before a later one was there.
        for login in self.more.iter_mut().flat_map(|more| &mut more.logins) {
            login.stashed_before_claim = login.stashed;
        }
        self.work = Some(Box::new(Work::claim(attempt, cx)));
    }

    /// Whether the next request repeats one that failed or has no known outcome.
    fn next_attempt(&self) -> Attempt {
        let failed = self.more.as_ref().is_some_and(|more| more.failures > 0);
        if failed || self.is_in_doubt() { Attempt::Retry } else { Attempt::First }
    }

    /// True while the place in the queue of the pace is still to come. Somebody who waits does not wait for a place that
    /// was given to background work.
    fn is_in_queue(&self, urgency: Urgency, now: Duration) -> bool {
        let place = self.more.as_ref().and_then(|more| more.place);
        place.is_some_and(|(given_for, at)| at > now && (given_for == urgency || urgency != Urgency::Wanted))
    }

    /// What has to be done, if it has to be done now.
    fn due(&mut self, cx: &Context<'_>) -> Option<Due> {
        let now = cx.steady();
        let not_before = self.more.as_ref().map_or(Duration::ZERO, |more| more.not_before);
        if self.more.as_ref().is_some_and(|more| more.claim_not_before > now) {
            return None;
        }
        // Requests that failed hold up neither a login nor the beginning of a logout.
        let is_leaving = self.pair().is_some_and(|pair| pair.leaving);
        if let Some(more) = &self.more {
            let stashed = more.logins.iter().any(|login| login.stashing.is_none());
            let leaves = more.logouts.iter().any(|logout| logout.reading.is_none());
            if stashed || leaves && (!is_leaving || not_before <= now) {
                return Some(Due::Claim);
            }
        }
        if cx.shared.shutting_down {
            return None;
        }
        let waited_for = self.is_waited_for();
        if self.more.as_ref().is_some_and(|more| more.look_now) {
            return Some(Due::Look);
        }
        let Known::Pair(pair) = &self.known else {
            if self.more.as_mut().is_some_and(|more| std::mem::take(&mut more.claim_now)) {
                return Some(Due::Claim);
            }
            let again = if waited_for { LOOK_AGAIN_WANTED } else { LOOK_AGAIN };
            let due = self.looked_at().is_none_or(|at| at.saturating_add(again) <= now);
            return due.then_some(Due::Look);
        };
        let (alive, doubt, leaving) = (pair.is_alive(now), pair.doubt(), pair.leaving);
        // Another process may have ended what holds the caller up.
        let looked = self.looked_at().is_some_and(|at| at.saturating_add(LOOK_AGAIN_WANTED) > now);
        let look = (waited_for && !alive && !looked).then_some(Due::Look);
        if pair.not_before() > now {
            return look;
        }
        if not_before > now && !(waited_for && !alive && self.brings_forward(not_before, now)) {
            return look;
        }
        if leaving {
            return Some(Due::Claim);
        }
        if let Some(doubt) = doubt {
            let urgency = if waited_for && !alive { Urgency::Wanted } else { Urgency::Replay };
            if now >= doubt.replay || self.more.as_ref().is_some_and(|more| more.replay_now) {
                return Some(Due::Refresh(urgency));
            }
            if waited_for && !alive && self.brings_forward(doubt.replay, now) {
                let more = self.more();
                more.replay_now = true;
                more.forwards = true;
                return Some(Due::Refresh(urgency));
            }
            return look;
        }
        self.refresh_is_due(now).map(Due::Refresh)
    }

    /// The server answers again, after many requests had no outcome: the next replay comes now. A doubt whose callers have
    /// had their share of requests may have one more, or it would end later than those that nobody asked about.
    pub(super) fn breaker_closed(&mut self, now: Duration) {
        if self.pair().is_some_and(|pair| pair.has_room(1, now)) {
            self.more().replay_now = true;
        }
    }

    /// Somebody finds the token expired. Returns true if the next attempt, which is due at this time, comes now, unless it
    /// comes soon, a server asked to wait for it, or somebody brought one forward not long ago.
    fn brings_forward(&mut self, due: Duration, now: Duration) -> bool {
        let by_others = self.pair().and_then(|pair| pair.doubt()?.forwarded);
        let has_room = self.pair().is_none_or(|pair| pair.doubt().is_none() || pair.has_room(0, now));
        let more = self.more();
        let may = has_room
            && due > now.saturating_add(SOON)
            && (more.not_before <= now || !more.asked_to_wait)
            && may_forward(more.forwarded_at, now)
            && may_forward(by_others, now);
        if may {
            more.forwarded_at = Some(now);
            more.not_before = now;
        }
        may
    }

    /// Whether the pair, which is not in doubt, has to be refreshed now, and how urgent that is.
    pub(super) fn refresh_is_due(&self, now: Duration) -> Option<Urgency> {
        let pair = self.pair()?;
        let more = self.more.as_deref();
        let rejected = more
            .and_then(|more| more.rejected)
            .is_some_and(|(generation, at)| generation == pair.token.generation && at <= now);
        if rejected || more.is_some_and(|more| more.refresh_now || more.judge) || pair.salvaged {
            return Some(Urgency::Wanted);
        }
        let unserved = more.is_some_and(|more| more.waiters.iter().any(|waiter| waiter.needs_another(pair, now)));
        if unserved {
            return Some(Urgency::Wanted);
        }
        let urgency =
            if pair.expires().saturating_sub(now) <= EXPIRING { Urgency::Expiring } else { Urgency::Background };
        (now >= pair.planned(self.mode)).then_some(urgency)
    }

    /// The earliest time of the next request. It may be past.
    pub(super) fn next_request_at(&self) -> Option<Duration> {
        let pair = self.pair()?;
        let failed = self.more.as_ref().map_or(Duration::ZERO, |more| more.not_before);
        let replay = pair.doubt().map_or(Duration::ZERO, |doubt| doubt.replay);
        Some(pair.not_before().max(failed).max(replay))
    }

    /// When to look at the grant again, if nothing else happens.
    pub(super) fn wake_at(&self, now: Duration) -> Option<Duration> {
        let mut earliest = None;
        let mut wake = |at: Duration| {
            if at > now && at < Duration::MAX {
                earliest = Some(earliest.map_or(at, |known: Duration| known.min(at)));
            }
        };
        if let Some(more) = &self.more {
            more.waiters.iter().for_each(|waiter| wake(waiter.limit));
            more.logins.iter().filter_map(|login| login.waiter).for_each(|(_, limit)| wake(limit));
            more.logouts.iter().flat_map(|logout| &logout.waiters).for_each(|(_, limit)| wake(*limit));
            wake(more.not_before);
            wake(more.claim_not_before);
            more.place.iter().for_each(|(_, at)| wake(*at));
            more.rejected.iter().for_each(|(_, at)| wake(*at));
            more.forwarded_at.iter().for_each(|at| wake(at.saturating_add(FORWARD_AGAIN)));
        }
        match (&self.work, &self.known) {
            (Some(work), _) => work.retry_at().into_iter().for_each(&mut wake),
            (None, Known::Pair(pair)) => {
                if self.is_waited_for() && !pair.is_alive(now) {
                    self.looked_at().iter().for_each(|at| wake(at.saturating_add(LOOK_AGAIN_WANTED)));
                }
                wake(pair.not_before());
                wake(pair.planned(self.mode));
                if let Some(doubt) = pair.doubt() {
                    wake(doubt.replay);
                }
            }
            (None, _) => {
                let again = if self.is_waited_for() { LOOK_AGAIN_WANTED } else { LOOK_AGAIN };
                self.looked_at().iter().for_each(|at| wake(at.saturating_add(again)));
            }
        }
        if let Known::Pair(pair) = &self.known {
            wake(pair.usable());
            wake(pair.expires());
        }
        earliest
    }
}
