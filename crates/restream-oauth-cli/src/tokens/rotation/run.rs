//! Drives the keeper's machine over one token file until one wish is granted, or cannot be.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use restream_oauth_core::transport::Unread;
use restream_oauth_core::{Answer, Call, Client};
use restream_oauth_keeper::machine::Ticket;
use restream_oauth_keeper::{Record, Token};

use super::replay_time::ReplayTime;
use super::words;
use crate::failure::{Exit, Failure};
use crate::signals::{GivenUp, Interruptions};
use crate::terminal::say;
use crate::tokens::asking::WITNESS_LIMIT;
use crate::tokens::keeping::{Keeping, Request};
use crate::transport::Transport;

/// A wait for the next attempt that is shorter than this is not worth a word.
const SHORT: Duration = Duration::from_secs(2);
/// The only status that says that an access token is dead.
const UNAUTHORIZED: u16 = 401;

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// A newer pair. A pair that another process stores meanwhile is one.
    Newer,
    /// A pair of a refresh of our own.
    Own,
    /// An access token that lives on for this long. While the old one lives, it is enough if there is no better one.
    Living(Duration),
}

/// How a run ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// By a refresh.
    Refreshed,
    /// Another process has refreshed the tokens.
    Adopted,
    /// With the old access token.
    Kept,
}

/// What a run ended with. The token is missing if the machine gave none: the newest lies in the file.
pub(super) struct Done {
    pub(super) how: How,
    pub(super) token: Option<Arc<Token>>,
}

/// What the runs of one command share.
pub(super) struct Means {
    pub(super) client: Client,
    pub(super) transport: Transport,
    /// How long a run waits for the lock.
    pub(super) patience: Duration,
    pub(super) replay_time: ReplayTime,
    /// Watched from the first request on. Before that, a signal may end the program.
    pub(super) interruptions: Option<Interruptions>,
}

/// One run.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Run<'a> {
    pub(super) keeping: Keeping<'a>,
    pub(super) means: &'a mut Means,
    pub(super) path: &'a Path,
    /// What the file held at the beginning.
    pub(super) record: &'a Record,
    pub(super) want: Want,
    /// The generation that is not new.
    pub(super) known: u64,
    /// How many refreshes were sent.
    pub(super) requests: u32,
    /// False after the machine has answered the wait.
    pub(super) waits: bool,
    /// True if there is something to do before the next sleep.
    pub(super) again: bool,
    /// True while another process has the file.
    pub(super) busy: bool,
    /// True if the outcome of a refresh, by whatever process, is unknown.
    pub(super) in_doubt: bool,
    /// Why the last request has no known outcome.
    pub(super) doubtful: Option<Failure>,
    /// Why the last attempt failed and left nothing in doubt.
    pub(super) trouble: Option<Failure>,
    /// The token that the machine gave because there is no better one.
    pub(super) served: Option<Arc<Token>>,
    pub(super) witness: Witness,
    /// True if the file could not be written after the last request.
    pub(super) store_fails: bool,
    /// True after the next replay was asked for at once.
    pub(super) insisted: bool,
    /// True once a person knows that the run waits.
    said_waiting: bool,
    pub(super) end: Option<Result<Done, Failure>>,
}

/// The API, which knows whether the old access token lives.
pub(super) enum Witness {
    NotAsked,
    /// The ticket, if the machine asks.
    Asked(Option<Ticket>, Pin<Box<dyn Future<Output = Option<Answer<Unread>>>>>),
    /// The status; `None` if no answer came.
    Said(Option<u16>),
}

impl<'a> Run<'a> {
    pub(super) fn new(
        keeping: Keeping<'a>,
        means: &'a mut Means,
        path: &'a Path,
        record: &'a Record,
        want: Want,
    ) -> Self {
        Self {
            keeping,
            means,
            path,
            record,
            want,
            known: record.generation,
            requests: 0,
            waits: false,
            again: false,
            busy: false,
            in_doubt: record.doubt.is_some(),
            doubtful: None,
            trouble: None,
            served: None,
            witness: Witness::NotAsked,
            store_fails: false,
            insisted: false,
            said_waiting: false,
            end: None,
        }
    }

    pub(super) async fn until_the_end(mut self) -> Result<Done, Failure> {
        self.wish();
        loop {
            self.check_time()?;
            self.advance().await;
            if let Some(end) = self.verdict() {
                return end;
            }
            if self.is_held_up()? {
                self.sleep().await?;
                // The witness may have spoken.
                if let Some(end) = self.verdict() {
                    return end;
                }
            }
            if self.waits {
                self.keeping.tick();
            } else {
                self.wish();
            }
        }
    }

    /// Asks the machine for what the run is for.
    pub(super) fn wish(&mut self) {
        self.waits = true;
        let valid_for = match self.want {
            Want::Living(valid_for) => valid_for,
            // More than any token has, so it makes a refresh.
            Want::Newer | Want::Own => Duration::MAX,
        };
        self.keeping.want(valid_for, self.means.patience);
    }

    /// Does everything that can be done now.
    async fn advance(&mut self) {
        loop {
            while let Some(request) = self.keeping.advance() {
                self.listen();
                // The machine refreshes by POST, and asks whether a token lives by GET.
                if request.call.request().method() == Method::GET {
                    let Request { ticket, call, limit } = request;
                    self.ask(Some(ticket), call, limit);
                } else {
                    self.send(request).await;
                }
            }
            self.listen();
            if !std::mem::take(&mut self.again) {
                return;
            }
        }
    }

    async fn send(&mut self, Request { ticket, call, limit }: Request) {
        self.requests = self.requests.saturating_add(1);
        (self.end, self.trouble, self.doubtful, self.served) = (None, None, None, None);
        // The first request of a refresh has all the time that the machine gives it.
        let limit = if self.in_doubt { limit.min(self.means.replay_time.limit()) } else { limit };
        let interruptions = self.means.interruptions.get_or_insert_with(Interruptions::watch);
        // The transport keeps the limit, so that what has arrived by then is still read: it may hold the pair.
        let transport = self.means.transport.at_most(limit);
        match interruptions.put_off(transport.receive(call)).await {
            Ok(answer) => self.keeping.answered(ticket, answer),
            Err(GivenUp) => self.give_up(ticket),
        }
    }

    /// Nobody waits for the answer any more. The connection is dead from here on, and the file is to say so.
    fn give_up(&mut self, ticket: Ticket) {
        self.keeping.hung_up(ticket);
        while let Some(request) = self.keeping.advance() {
            self.keeping.hung_up(request.ticket);
        }
        while self.keeping.told().is_some() {}
        let message = format!(
            "given up before the answer came: the server may have spent the refresh token. {}",
            words::of_a_doubt(self.path)
        );
        self.end = Some(Err(Failure::new(Exit::Interrupted, message)));
    }

    /// How the run ends, if it ends now.
    fn verdict(&mut self) -> Option<Result<Done, Failure>> {
        if let Some(end) = self.end.take() {
            return Some(end);
        }
        if let Some(token) = self.served.take() {
            return self.judge_served(token);
        }
        if let Some(doubtful) = self.doubtful.take_if(|_| self.store_fails) {
            return Some(Err(doubtful));
        }
        let trouble = self.trouble.take()?;
        Some(Err(if self.in_doubt { trouble.and(&words::of_a_doubt(self.path)) } else { trouble }))
    }

    /// The old token is as good as it gets. In doubt, the server may have replaced it, so the API is asked before.
    fn judge_served(&mut self, token: Arc<Token>) -> Option<Result<Done, Failure>> {
        let came_alone = token.access_token() != self.record.tokens.access_token();
        if self.in_doubt && !came_alone {
            match self.witness {
                Witness::NotAsked => {
                    if let Ok(call) = self.means.client.profile(token.access_token()) {
                        self.ask(None, call.unread().0, WITNESS_LIMIT);
                        self.served = Some(token);
                        return None;
                    }
                }
                Witness::Asked(..) => {
                    self.served = Some(token);
                    return None;
                }
                Witness::Said(Some(UNAUTHORIZED)) => return None,
                Witness::Said(_) => {}
            }
        }
        if let Some(why) = self.doubtful.take().or(self.trouble.take()) {
            say(&format!("warning: {}\nthe access token that was there before is still used", why.message()));
        } else if self.in_doubt {
            say(
                "warning: the answer to an earlier refresh was lost; the access token that was there before is still used",
            );
        }
        Some(Ok(Done { how: How::Kept, token: Some(token) }))
    }

    /// Fails if the outcome of a refresh is unknown and the time for replays is over, whoever has the file.
    fn check_time(&mut self) -> Result<(), Failure> {
        let is_over = self.means.replay_time.left_if_begun() == Some(Duration::ZERO);
        if !self.in_doubt || !is_over || self.waits_for_the_witness() {
            return Ok(());
        }
        Err(self.doubtful.take().unwrap_or_else(|| words::still_in_doubt(self.path)))
    }

    /// True if the run has to sleep. Fails if the next attempt comes too late for this run.
    fn is_held_up(&mut self) -> Result<bool, Failure> {
        self.check_time()?;
        if self.busy || self.waits_for_the_witness() {
            return Ok(true);
        }
        let Some(at) = self.keeping.next_request_at() else { return Ok(true) };
        let wait = at.saturating_sub(self.keeping.elapsed());
        let time = &mut self.means.replay_time;
        let has_room = if self.in_doubt { time.has_room_after(wait) } else { wait <= time.left() };
        if !has_room {
            if let Some(failure) = self.doubtful.take() {
                return Err(failure);
            }
            // Somebody asks, as if the access token were refused. The machine allows that once in half an hour.
            if self.record.doubt.is_none() || std::mem::replace(&mut self.insisted, true) {
                return Err(words::not_yet(self.path, self.in_doubt, wait));
            }
            self.keeping.reject(self.record.generation);
            self.waits = false;
            return Ok(false);
        }
        if wait > SHORT && !std::mem::replace(&mut self.said_waiting, true) {
            say(&words::of_a_wait(self.path, self.in_doubt, wait));
        }
        Ok(true)
    }

    /// Sleeps until something happens.
    async fn sleep(&mut self) -> Result<(), Failure> {
        let nap = if self.waits_for_the_witness() {
            WITNESS_LIMIT
        } else {
            let left = self.means.replay_time.left_if_begun().filter(|_| self.in_doubt);
            self.keeping.nap().min(left.unwrap_or(Duration::MAX))
        };
        let nap = tokio::time::sleep(nap);
        let interruptions = &mut self.means.interruptions;
        let interrupted = async {
            match interruptions {
                Some(interruptions) => interruptions.next().await,
                None => std::future::pending().await,
            }
        };
        let (ticket, answer) = match &mut self.witness {
            Witness::Asked(ticket, answer) => (*ticket, Some(answer)),
            _ => (None, None),
        };
        let answered = async {
            match answer {
                Some(answer) => answer.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = nap => {}
            _ = interrupted => return Err(words::given_up(self.path, self.in_doubt)),
            answer = answered => self.testified(ticket, answer),
        }
        Ok(())
    }

    // The witness.

    /// True if the old token is served unless the API refuses it. Until the answer comes, nothing is sent again.
    fn waits_for_the_witness(&self) -> bool {
        self.served.is_some() && matches!(self.witness, Witness::Asked(..))
    }

    fn ask(&mut self, ticket: Option<Ticket>, call: Call<Unread>, limit: Duration) {
        let transport = self.means.transport.clone();
        let answer = async move { tokio::time::timeout(limit, transport.receive(call)).await.ok() };
        self.witness = Witness::Asked(ticket, Box::pin(answer));
    }

    fn testified(&mut self, ticket: Option<Ticket>, answer: Option<Answer<Unread>>) {
        let status = answer.as_ref().and_then(|answer| Some(answer.status()?.as_u16()));
        self.witness = Witness::Said(status);
        if self.served.is_some() && status != Some(UNAUTHORIZED) {
            // The run ends with this token.
            return;
        }
        match (ticket, answer) {
            (Some(ticket), Some(answer)) => self.keeping.answered(ticket, answer),
            (Some(ticket), None) => self.keeping.hung_up(ticket),
            (None, _) => self.keeping.reject(self.record.generation),
        }
        // The machine serves the dead token no longer.
        self.served = None;
    }
}
