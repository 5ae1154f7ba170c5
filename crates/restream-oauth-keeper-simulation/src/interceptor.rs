//! Stands between the machine and the world, and makes the protocol faulty.
//!
//! Most flaws change one kind of report or order. The machine believes that all is well.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};
use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Client, RefreshToken};
use restream_oauth_keeper::store::{ClaimId, Leftovers, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Now, Record, Stored, Stray, Tombstone};

use crate::disk::Content;
use crate::flaws::Flaw;
use crate::program::{Id, Keeper, Order, Plain, Program, Report, Shown, Writing};
use crate::random::Random;
use crate::server::pair_of;

/// Numbers of orders that the machine does not know begin here.
const OWN: Id = 1 << 40;

/// A faulty keeper.
pub(crate) struct Interceptor {
    inner: Keeper,
    flaw: Flaw,
    client: Client,
    random: Random,
    now: Option<Now>,
    own: Id,
    out: VecDeque<Order>,
    /// The newest record of each grant that passed by.
    known: BTreeMap<usize, Box<Record>>,
    /// The refreshes that are in flight: grant, refresh token, when it was sent.
    flying: BTreeMap<Id, (usize, String, Duration)>,
    /// The grant of each refresh token that was marked.
    grants: BTreeMap<String, usize>,
    rate_limited: BTreeMap<usize, bool>,
    /// The generation of each grant that was shown last.
    shown: BTreeMap<usize, u64>,
    /// The generations that the API refused, and when they are replaced.
    refused: BTreeMap<usize, (u64, Duration)>,
    /// Draws what belongs to this process alone.
    seed: u64,
}

impl Interceptor {
    pub(crate) fn new(inner: Keeper, flaw: Flaw, client: Client, seed: u64) -> Self {
        Self {
            inner,
            flaw,
            client,
            random: Random::new(seed),
            now: None,
            own: OWN,
            out: VecDeque::new(),
            known: BTreeMap::new(),
            flying: BTreeMap::new(),
            grants: BTreeMap::new(),
            rate_limited: BTreeMap::new(),
            shown: BTreeMap::new(),
            refused: BTreeMap::new(),
            seed,
        }
    }

    fn number(&mut self) -> Id {
        self.own += 1;
        self.own
    }

    // Reports, on their way to the machine.

    fn change_outcome(&mut self, outcome: StoreOutcome) -> StoreOutcome {
        match outcome {
            StoreOutcome::Claimed(mut claimed) => {
                if let (Flaw::SpoolWithoutNumber, Stored::Grant(record)) = (self.flaw, &claimed.stored) {
                    let number = record.requests;
                    claimed.spooled.iter_mut().for_each(|answer| answer.number = number);
                }
                claimed.stored = self.change_stored(claimed.stored);
                StoreOutcome::Claimed(claimed)
            }
            StoreOutcome::Read { stored, left } => StoreOutcome::Read { stored: self.change_stored(stored), left },
            other => other,
        }
    }

    fn change_stored(&mut self, stored: Stored) -> Stored {
        let Stored::Grant(mut record) = stored else { return stored };
        let grant = self.grant_of(&record);
        match self.flaw {
            Flaw::NoReadAfterClaim => {
                if let Some(known) = grant.and_then(|grant| self.known.get(&grant)) {
                    return Stored::Grant(known.clone());
                }
            }
            Flaw::NewJitterAtEachLook => {
                let life = record.tokens.lifetime();
                let share = 60 + self.random.below(37) as u32;
                record.usable_until = record.tokens.sent_at() + life * share / 100;
            }
            Flaw::PromiseOfEachProcess => {
                // Always the same one for the same pair.
                let pair = pair_of(record.tokens.access_token().expose_secret()).unwrap_or(0) as u64;
                let share = 60 + Random::new(self.seed ^ pair << 32).below(37) as u32;
                record.usable_until = record.tokens.sent_at() + record.tokens.lifetime() * share / 100;
            }
            Flaw::WitnessAskedAgain => {
                if let Some(doubt) = &mut record.doubt {
                    doubt.witnessed = false;
                }
            }
            Flaw::EveryDoubtIsOld => {
                if let Some(doubt) = &mut record.doubt {
                    doubt.since = SystemTime::UNIX_EPOCH;
                }
            }
            Flaw::NoReplayAt900 => {
                // Eight sends are the request and all replays of the schedule.
                if let Some(doubt) = record.doubt.as_mut().filter(|doubt| doubt.sends == 7) {
                    doubt.sends = 8;
                }
            }
            _ => {}
        }
        Stored::Grant(record)
    }

    /// Wants another token in the place of each one that the API refused a while ago.
    fn replace_refused(&mut self, now: Now) {
        let due = self.refused.iter().filter(|(_, (_, at))| *at <= now.steady).map(|(grant, _)| *grant);
        for grant in due.collect::<Vec<_>>() {
            let refused = self.refused.remove(&grant).map(|(generation, _)| generation);
            if refused != self.shown.get(&grant).copied() {
                continue;
            }
            let (waiter, limit) = (self.number(), now.steady + ONE_PACE);
            self.inner.report(Report::Wanted { grant, waiter, limit, valid_for: Duration::MAX }, now);
        }
    }

    fn grant_of(&self, record: &Record) -> Option<usize> {
        self.grants.get(record.refresh_token()?.expose_secret()).copied()
    }

    fn learn(&mut self, grant: usize, record: &Record) {
        if let Some(token) = record.refresh_token() {
            self.grants.insert(token.expose_secret().to_owned(), grant);
        }
        self.known.insert(grant, Box::new(record.clone()));
    }

    fn refused(&self, token: &str, sent_at: SystemTime) -> Answer<Unread> {
        let (call, _) = self.client.refresh(&RefreshToken::new(token)).unread();
        let (_, mut reader) = call.into_parts(sent_at);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let _ = reader.head(StatusCode::BAD_REQUEST, &headers);
        let _ = reader.chunk(br#"{"error":"invalid_grant"}"#);
        reader.finish()
    }

    fn answered(&mut self, id: Id, answer: Answer<Unread>, now: Now) {
        let flying = self.flying.remove(&id);
        let Some((grant, token, _)) = flying else {
            self.inner.report(Report::Answered { id, answer }, now);
            return;
        };
        match self.flaw {
            Flaw::PublishBeforeDurable => {
                let saved = answer.to_saved();
                let (_, reader) = self.client.refresh(&RefreshToken::new(&*token)).into_parts(now.wall);
                let tokens = reader.restore_answer(saved.expose_secret()).ok().and_then(|it| it.interpret().ok());
                if let Some(tokens) = tokens {
                    let token = Shown {
                        access_token: tokens.access_token().expose_secret().to_owned(),
                        generation: self.known.get(&grant).map_or(1, |record| record.generation + 1),
                        usable_until: tokens.expires_at(),
                    };
                    self.out.push_back(Order::Show { grant, token: Some(token), fresh: true });
                }
            }
            Flaw::DeleteAtInvalidGrant
                if answer.status() == Some(StatusCode::BAD_REQUEST)
                    && answer.expose_body().windows(13).any(|window| window == b"invalid_grant") =>
            {
                let id = self.number();
                self.out.push_back(Order::Plain { id, grant, access: Plain::Remove });
            }
            Flaw::RateLimitClearsDoubt if answer.status() == Some(StatusCode::TOO_MANY_REQUESTS) => {
                self.rate_limited.insert(grant, true);
            }
            Flaw::SilenceIsRefusal if answer.status().is_none() && !answer.is_whole() => {
                let answer = self.refused(&token, answer.sent_at());
                self.inner.report(Report::Answered { id, answer }, now);
                return;
            }
            _ => {}
        }
        self.inner.report(Report::Answered { id, answer }, now);
    }

    // Orders, on their way to the world.

    fn change_store(&mut self, id: Id, grant: usize, mut op: StoreOp) -> Option<Order> {
        match (&mut op, self.flaw) {
            (StoreOp::Spool { .. }, Flaw::SpoolAfterParse)
            | (StoreOp::Park { .. }, Flaw::FenceOnCommit | Flaw::LateAnswerIsDropped) => {
                let now = self.now?;
                self.inner.report(Report::Stored { id, outcome: StoreOutcome::Done }, now);
                return None;
            }
            (StoreOp::Commit { claim, .. }, Flaw::ReleaseBeforeCommit | Flaw::LeftoversGoBeforeCommit) => {
                let (claim, remove) = (*claim, self.flaw == Flaw::LeftoversGoBeforeCommit);
                self.settle(grant, claim, if remove { Leftovers::Remove } else { Leftovers::Leave });
            }
            (StoreOp::Insert { record, .. }, Flaw::StraysAcrossLogins) => {
                let known = self.known.get(&grant).filter(|known| known.login != record.login);
                if let Some(known) = known {
                    record.strays.clone_from(&known.strays);
                    record.strays.push(Stray { generation: known.generation, tokens: known.tokens.clone() });
                }
            }
            (StoreOp::Prepare { record, .. }, Flaw::RateLimitClearsDoubt) => {
                let limited = self.rate_limited.remove(&grant).is_some();
                if let Some(doubt) = record.doubt.as_mut().filter(|_| limited) {
                    doubt.sends = 1;
                }
            }
            (StoreOp::Settle { record: Some(record), .. }, Flaw::RateLimitClearsDoubt)
                if self.rate_limited.contains_key(&grant) =>
            {
                record.doubt = None;
            }
            _ => {}
        }
        match &op {
            StoreOp::Prepare { record, .. } | StoreOp::Commit { record, .. } | StoreOp::Insert { record, .. } => {
                let record = record.clone();
                self.learn(grant, &record);
            }
            StoreOp::Settle { record: Some(record), .. } => {
                let record = record.clone();
                self.learn(grant, &record);
            }
            _ => {}
        }
        Some(Order::Store { id, grant, op })
    }

    fn settle(&mut self, grant: usize, claim: ClaimId, leftovers: Leftovers) {
        let id = self.number();
        self.out.push_back(Order::Store { id, grant, op: StoreOp::Settle { claim, record: None, leftovers } });
    }

    fn log_out(&mut self, grant: usize, waiter: u64) -> bool {
        let Some(record) = self.known.remove(&grant) else { return false };
        let Some(token) = record.refresh_token() else { return false };
        let (call, _) = self.client.revoke(token).unread();
        let deadline = self.now.map_or(Duration::ZERO, |now| now.steady + Duration::from_secs(60));
        let Record { login, logged_in_at, generation, .. } = *record;
        let tombstone = Tombstone { login, logged_in_at, generation };
        let (send, write) = (self.number(), self.number());
        self.out.extend([
            Order::Send { id: send, call, deadline },
            Order::Plain {
                id: write,
                grant,
                access: Plain::Write { content: Content::Tombstone(tombstone), how: Writing::Synced },
            },
            Order::Resolve { waiter, result: Ok(None) },
        ]);
        true
    }
}

impl Program for Interceptor {
    fn report(&mut self, report: Report, now: Now) {
        self.now = Some(now);
        match report {
            Report::Stored { id, .. } | Report::Plain { id, .. } if id > OWN => {}
            Report::Stored { id, outcome } => {
                let outcome = self.change_outcome(outcome);
                self.inner.report(Report::Stored { id, outcome }, now);
            }
            Report::Answered { id, answer } => self.answered(id, answer, now),
            Report::HungUp { id } => {
                let flying = self.flying.remove(&id);
                match flying {
                    Some((_, token, _)) if self.flaw == Flaw::SilenceIsRefusal => {
                        let answer = self.refused(&token, now.wall);
                        self.inner.report(Report::Answered { id, answer }, now);
                    }
                    _ => self.inner.report(Report::HungUp { id }, now),
                }
            }
            Report::LogIn { grant, waiter, tokens, .. } if self.flaw == Flaw::LoginWithoutClaim => {
                let generation = self.known.get(&grant).map_or(0, |known| known.generation + 1);
                let usable_until = tokens.expires_at();
                let record = Record { generation, ..Record::of_login(*tokens, usable_until) };
                self.learn(grant, &record);
                let id = self.number();
                let content = Content::Record(Box::new(record));
                let access = Plain::Write { content, how: Writing::Synced };
                self.out.extend([Order::Plain { id, grant, access }, Order::Resolve { waiter, result: Ok(None) }]);
            }
            Report::LogOut { grant, waiter, limit } => {
                if self.flaw != Flaw::LogOutWithoutClaim || !self.log_out(grant, waiter) {
                    self.inner.report(Report::LogOut { grant, waiter, limit }, now);
                }
            }
            Report::Rejected { grant, generation } if self.flaw == Flaw::YoungRefusalsAtOnePace => {
                self.refused.entry(grant).or_insert((generation, now.steady + ONE_PACE));
            }
            other => self.inner.report(other, now),
        }
        self.replace_refused(now);
        if self.flaw == Flaw::ReplayWhileTheFirstFlies {
            let late = self.flying.iter().filter(|(_, (_, _, sent))| *sent + IMPATIENCE <= now.steady);
            for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
                self.flying.remove(&id);
                self.inner.report(Report::HungUp { id }, now);
            }
        }
    }

    fn next(&mut self) -> Option<Order> {
        loop {
            if let Some(order) = self.out.pop_front() {
                return Some(order);
            }
            match self.inner.next()? {
                Order::Resolve { waiter, .. } if waiter > OWN => {}
                Order::Show { grant, token: Some(token), fresh } => {
                    self.shown.insert(grant, token.generation);
                    return Some(Order::Show { grant, token: Some(token), fresh });
                }
                Order::Store { id, grant, op } => {
                    let before = self.out.len();
                    let order = self.change_store(id, grant, op);
                    if let Some(order) = order {
                        if self.out.len() == before {
                            return Some(order);
                        }
                        self.out.push_back(order);
                    }
                }
                Order::Send { id, call, deadline } => {
                    let body = String::from_utf8_lossy(call.request().body().as_ref()).into_owned();
                    let token = body.split('&').find_map(|it| it.strip_prefix("refresh_token="));
                    if let (Some(token), Some(now)) = (token.filter(|it| pair_of(it).is_some()), self.now) {
                        let grant = self.grants.get(token).copied().unwrap_or(0);
                        self.flying.insert(id, (grant, token.to_owned(), now.steady));
                    }
                    return Some(Order::Send { id, call, deadline });
                }
                other => return Some(other),
            }
        }
    }

    fn wake_at(&mut self) -> Option<Duration> {
        let inner = self.inner.wake_at();
        let impatient = self.flaw == Flaw::ReplayWhileTheFirstFlies;
        let flying = self.flying.values().filter(|_| impatient).map(|(.., sent)| *sent + IMPATIENCE);
        inner.into_iter().chain(flying).chain(self.refused.values().map(|(_, at)| *at)).min()
    }

    fn export(&self, grant: usize) -> Option<String> {
        self.inner.export(grant)
    }

    fn is_idle(&self) -> bool {
        self.inner.is_idle()
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

const IMPATIENCE: Duration = Duration::from_secs(10);
const ONE_PACE: Duration = Duration::from_secs(60);
