//! Requests on their way to the server and back, and the driver's part: deadlines, hanging up, the last read.

use std::ops::ControlFlow;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use restream_oauth_core::transport::{Failure, FailureKind, Stage, Unread};
use restream_oauth_core::{Answer, Call, Reader};

use super::{Event, World};
use crate::file_store::Holder;
use crate::flaws::Flaw;
use crate::network::{Act, End, Fate, Way};
use crate::oracle::Around;
use crate::program::{Id, Report};
use crate::reply::Reply;
use crate::server::{PairId, Style, Verdict, pair_of};
use crate::time::{MINUTE, SECOND, Time};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Refresh(PairId),
    Revoke(PairId),
    Profile(PairId),
    Nonsense,
}

/// One request and its connection.
pub(crate) struct Connection {
    pub(crate) holder: Holder,
    id: Id,
    pub(crate) ask: Ask,
    pub(crate) sent: Time,
    /// When the driver hangs up.
    pub(crate) deadline: Time,
    /// False after the client got its answer, hung up or died.
    pub(crate) is_open: bool,
    reader: Option<Reader<Unread>>,
    fate: Fate,
    reply: Option<Reply>,
}

/// How long a driver waits for an answer after its host woke.
const AFTER_SLEEP: Time = 15 * SECOND;

impl World {
    pub(super) fn send(&mut self, holder: Holder, id: Id, call: Call<Unread>, deadline: Duration) {
        let ask = read_request(&call);
        let clocks = self.clocks_of(holder.process);
        let (_, reader) = call.into_parts(clocks.wall);
        let rates = self.rates();
        let mut fate = Fate::draw(&mut self.random, &rates, self.now < self.outage_until);
        if matches!(ask, Ask::Refresh(_)) && self.random.chance(rates.refresh_fails) {
            fate.fail_before_acting(&mut self.random);
        }
        if self.now < self.cut_off_until {
            fate.way = Way::NotSent;
        }
        let deadline = self.true_time(holder.process, deadline);
        let number = self.number();
        self.say(|| format!("process {} sends {ask:?} as request {number}, {:?}", holder.process, fate));
        self.connections.retain(|_, it| it.is_open || it.reply.is_none());
        self.oracle.sent(
            self.now,
            holder,
            number,
            ask,
            fate.way != Way::NotSent,
            &Around {
                server: &self.server,
                connections: &self.connections,
                awake: &self.awake(),
                woke: &self.processes.iter().map(|it| self.hosts[it.host].woke).collect::<Vec<_>>(),
                wall: clocks.wall,
                jumps: self.hosts[self.processes[holder.process].host].jumps,
            },
        );
        match fate.way {
            Way::NotSent => self.after(fate.way_back, Event::Breaks(number)),
            Way::Lost { reset: true } => self.after(fate.until_acts + fate.way_back, Event::Breaks(number)),
            Way::Lost { reset: false } => {}
            Way::Arrives => self.after(fate.until_acts, Event::AtServer(number)),
        }
        self.at(deadline, Event::Deadline(number));
        self.connections.insert(
            number,
            Connection {
                holder,
                id,
                ask,
                sent: self.now,
                deadline,
                is_open: true,
                reader: Some(reader),
                fate,
                reply: None,
            },
        );
        if self.random.chance(rates.sleep_after_send) {
            let host = self.processes[holder.process].host;
            let wait = self.random.below(500);
            self.after(wait, Event::Sleep(host));
        }
    }

    /// The request is at the server, which does what it does even if nobody waits for the answer any more.
    pub(super) fn at_server(&mut self, number: u64) {
        let Some(connection) = self.connections.get(&number) else { return };
        let (ask, fate) = (connection.ask, connection.fate.clone());
        let reply = match (fate.act, ask) {
            (Act::FailsBeforeActing(status, wait), _) => Reply::failure(status, wait),
            (Act::FailsAfterActing(status, wait), _) => {
                self.act(ask, crate::reply::Style::Plain);
                Reply::failure(status, wait)
            }
            (Act::Answers(style), _) => self.act(ask, style),
        };
        self.say(|| {
            let body = String::from_utf8_lossy(&reply.body).chars().take(120).collect::<String>();
            format!("the server answers request {number} with {} {body}", reply.status)
        });
        let lost = fate.end == End::Lost { reset: false };
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.reply = Some(reply);
        match fate.end {
            End::Lost { reset: true } => self.after(fate.way_back, Event::Breaks(number)),
            _ if lost => {}
            _ => self.after(fate.way_back, Event::AtClient(number)),
        }
    }

    fn act(&mut self, ask: Ask, style: crate::reply::Style) -> Reply {
        let now = self.now;
        match ask {
            Ask::Refresh(sent) => {
                let ended = self.server.families[self.server.pairs[sent].family].ended.is_some();
                let verdict = self.server.refresh(sent, now);
                let just_ended = !ended && self.server.families[self.server.pairs[sent].family].ended.is_some();
                self.oracle.acted(now, sent, verdict, just_ended, &self.server);
                match verdict {
                    Verdict::Issued { pair, kept } => {
                        let refresh = self.server.pairs[pair].refresh;
                        let omitted = kept && self.random.chance(5000);
                        Reply::issued(pair, (!omitted).then_some(refresh), self.server.life / SECOND, style)
                    }
                    Verdict::Refused => Reply::invalid_grant(self.random.chance(5000)),
                }
            }
            Ask::Revoke(pair) => {
                let family = self.server.pairs[pair].family;
                // Restream revokes both tokens of a pair; a spent one revokes nothing.
                if self.server.is_refresh_live(pair, now) || self.server.style == Style::Unrotating {
                    self.server.end(family, now, crate::server::End::RevokedByClient);
                }
                self.oracle.revoked(pair);
                Reply::json(200, "")
            }
            Ask::Profile(pair) if now < self.refuse_all_until || !self.server.is_access_live(pair, now) => {
                Reply::json(401, r#"{"error":{"statusCode":401,"message":"Unauthorized"}}"#)
            }
            Ask::Profile(_) => Reply::json(200, r#"{"id":7,"username":"streamer"}"#),
            Ask::Nonsense => Reply::json(404, "{}"),
        }
    }

    /// The answer, or the part of it that survives, is at the client.
    pub(super) fn at_client(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let Some(reply) = connection.reply.clone() else { return };
        let length = match connection.fate.end {
            End::Cut(share) => reply.body.len() * share as usize / 10_000,
            _ => reply.body.len(),
        };
        let holder = connection.holder;
        let whole = reply.refresh_ends.is_some_and(|end| end <= length);
        let (ask, written) = (connection.ask, connection.sent);
        if !connection.is_open {
            // A peer that hangs up earlier than the keeper would loses what still came.
            let peers = if self.oracle.counts_only { connection.sent + 75 * SECOND } else { 0 };
            let in_time = self.now < connection.deadline.max(peers);
            if in_time && self.is_alive(holder) && whole {
                self.oracle.missed(holder, reply.pair, &self.server);
            }
            return;
        }
        let Some(reader) = connection.reader.take() else { return };
        connection.is_open = false;
        let (id, cut) = (connection.id, length < reply.body.len());
        let answer = read_answer(reader, &reply, length, cut);
        if self.is_alive(holder) {
            let saved = answer.to_saved().expose_secret().to_owned();
            if let Ask::Refresh(sent) = ask {
                let late = self.hosts[self.processes[holder.process].host].woke > written;
                self.oracle.answered(self.now, holder, number, &reply, saved, whole, cut, late, sent, &self.server);
            }
            self.say(|| format!("process {} gets the answer to request {number}, {length} bytes", holder.process));
        }
        self.deliver(holder, Report::Answered { id, answer });
    }

    /// The client learns that its connection is dead, or that there was none.
    pub(super) fn breaks(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if !connection.is_open {
            return;
        }
        let Some(reader) = connection.reader.take() else { return };
        connection.is_open = false;
        let (holder, id) = (connection.holder, connection.id);
        let answer = if connection.fate.way == Way::NotSent {
            reader.fail(Stage::BeforeBody, Failure::new(FailureKind::Connect))
        } else {
            reader.fail(Stage::AwaitingHead, Failure::new(FailureKind::Interrupted))
        };
        self.say(|| format!("the connection of request {number} is dead"));
        self.deliver(holder, Report::Answered { id, answer });
    }

    /// The driver's time for a request is over.
    pub(super) fn deadline(&mut self, number: u64) {
        let Some(connection) = self.connections.get(&number) else { return };
        let woke = self.hosts[self.processes[connection.holder.process].host].woke;
        // A request that was written before the host slept gets more time after it woke: what has arrived is read.
        let more = if self.flaw() == Flaw::NoTimeAfterSleep { 1 } else { AFTER_SLEEP };
        let until = if woke > connection.sent { woke + more } else { 0 };
        if connection.is_open && self.now < until && self.flaw() != Flaw::NoLastRead {
            self.at(until, Event::Deadline(number));
            if let Some(connection) = self.connections.get_mut(&number) {
                connection.deadline = until;
            }
            return;
        }
        self.hang_up(number);
    }

    /// The driver closes a connection. The server may act on the request all the same.
    pub(super) fn hang_up(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number).filter(|it| it.is_open) else { return };
        // Until when it should have listened.
        let woke = self.hosts[self.processes[connection.holder.process].host].woke;
        if woke > connection.sent {
            connection.deadline = connection.deadline.max(woke + AFTER_SLEEP);
        }
        connection.is_open = false;
        connection.reader = None;
        let (holder, id) = (connection.holder, connection.id);
        self.say(|| format!("process {} hangs up on request {number}", holder.process));
        self.deliver(holder, Report::HungUp { id });
    }

    /// An answer that arrives while the host sleeps. The longer the host sleeps on, the less likely the connection lives.
    pub(super) fn arrives_while_asleep(&mut self, number: u64, wakes: Time) -> Event {
        let lives = wakes <= self.now + MINUTE || self.random.chance(self.setting.rates.outlives_sleep);
        if lives { Event::AtClient(number) } else { Event::Breaks(number) }
    }
}

fn read_request(call: &Call<Unread>) -> Ask {
    let request = call.request();
    let path = request.uri().path();
    if path.ends_with("/profile") {
        let bearer = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        return bearer.and_then(|it| pair_of(it.strip_prefix("Bearer ")?)).map_or(Ask::Nonsense, Ask::Profile);
    }
    let form = std::str::from_utf8(request.body().as_ref()).unwrap_or_default();
    let member = |name: &str| {
        form.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name)).map(|(_, value)| value)
    };
    if path.ends_with("/revoke") {
        return member("token").and_then(pair_of).map_or(Ask::Nonsense, Ask::Revoke);
    }
    member("refresh_token").and_then(pair_of).map_or(Ask::Nonsense, Ask::Refresh)
}

fn read_answer(mut reader: Reader<Unread>, reply: &Reply, length: usize, cut: bool) -> Answer<Unread> {
    let mut headers = HeaderMap::new();
    for (name, value) in &reply.headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"));
    }
    let status = StatusCode::from_u16(reply.status).expect("a status");
    if reader.head(status, &headers) == ControlFlow::Break(()) {
        return reader.finish();
    }
    let _ = reader.chunk(&reply.body[..length]);
    if cut { reader.fail(Stage::ReadingBody, Failure::new(FailureKind::Interrupted)) } else { reader.finish() }
}
