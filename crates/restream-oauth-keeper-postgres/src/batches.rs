//! Operations of many grants in one statement. Planning and committing take the database longer than writing a row: so what
//! comes while a statement is under way waits for a moment, and then goes together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_postgres::Row;

use crate::connection::{Failure, took_too_long};
use crate::connections::Connections;
use crate::parameter::Arrays;
use crate::statement::Statement;

/// How many operations go into one statement: more of them save little, and share the fate of a statement that fails. So
/// many are sent at once if a connection is free.
const MOST: usize = 64;
/// How long fewer of them wait for a statement to end. It may hang.
const PATIENCE: Duration = Duration::from_millis(10);

/// The operations of one store.
pub(crate) struct Batches {
    connections: Arc<Connections>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// How many tasks are sending: one a connection at most.
    senders: usize,
    /// Whether a task waits for the moment when something has waited too long.
    is_watched: bool,
}

/// What a task does next.
enum Turn {
    Send(Vec<Waiting>),
    Wait,
    End,
}

struct Waiting {
    statement: Arc<Statement>,
    since: Instant,
    answer: oneshot::Sender<Result<Row, Failure>>,
}

impl Batches {
    pub(crate) fn new(connections: Arc<Connections>) -> Arc<Self> {
        Arc::new(Self { connections, queue: Mutex::default() })
    }

    /// Executes a statement, perhaps together with the same one of other grants. Returns its row.
    pub(crate) async fn query(self: &Arc<Self>, statement: &Arc<Statement>) -> Result<Row, Failure> {
        let (answer, result) = oneshot::channel();
        let waiting = Waiting { statement: Arc::clone(statement), since: Instant::now(), answer };
        let turn = self.queue().add(waiting, self.connections.count());
        self.start(turn);
        result.await.unwrap_or_else(|_| Err(Failure::no_row()))
    }

    fn start(self: &Arc<Self>, turn: Turn) {
        if !matches!(turn, Turn::End) {
            tokio::spawn(Arc::clone(self).work(turn));
        }
    }

    async fn work(self: Arc<Self>, mut turn: Turn) {
        loop {
            turn = match turn {
                Turn::Send(batch) => {
                    self.send(batch).await;
                    self.queue().after_sending()
                }
                Turn::Wait => {
                    sleep(PATIENCE).await;
                    let (turn, left) = self.queue().after_waiting(self.connections.count());
                    self.start(left);
                    turn
                }
                Turn::End => return,
            };
        }
    }

    async fn send(&self, batch: Vec<Waiting>) {
        let batch = self.in_time(batch);
        match self.execute(&batch).await {
            // What the database does not take of one grant, or not now, must not be in the way of others.
            Err(Failure::Refused(_) | Failure::Collision(_)) if batch.len() > 1 => {
                for waiting in batch {
                    let alone = self.in_time(vec![waiting]);
                    let result = self.execute(&alone).await;
                    deliver(alone, result);
                }
            }
            result => deliver(batch, result),
        }
    }

    /// Those that have not waited for too long. The others fail.
    fn in_time(&self, batch: Vec<Waiting>) -> Vec<Waiting> {
        let limit = self.connections.limit();
        let (batch, late) = batch.into_iter().partition(|waiting| waiting.since.elapsed() < limit);
        deliver(late, Err(Failure::NotSent(took_too_long())));
        batch
    }

    async fn execute(&self, batch: &[Waiting]) -> Result<Vec<Row>, Failure> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let arrays = Arrays::of(batch.iter().map(|waiting| waiting.statement.parameters()));
        self.connections.query_typed(first.statement.sql(), &arrays.typed()).await
    }

    /// No panic leaves what is behind this lock half done.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// What a new task has to do.
    fn add(&mut self, waiting: Waiting, most_senders: usize) -> Turn {
        self.waiting.push_back(waiting);
        let is_enough = self.senders == 0 || self.waiting.len() >= MOST;
        if is_enough && self.senders < most_senders { self.one_more_sends() } else { self.wait() }
    }

    fn after_sending(&mut self) -> Turn {
        if self.senders == 1 || self.waiting.len() >= MOST {
            if let Some(batch) = self.take() {
                return Turn::Send(batch);
            }
        }
        self.senders = self.senders.saturating_sub(1);
        self.wait()
    }

    /// What the task does next, and what another one has to do.
    fn after_waiting(&mut self, most_senders: usize) -> (Turn, Turn) {
        self.is_watched = false;
        let turn = if self.senders < most_senders { self.one_more_sends() } else { self.wait() };
        (turn, self.wait())
    }

    fn one_more_sends(&mut self) -> Turn {
        let Some(batch) = self.take() else { return Turn::End };
        self.senders = self.senders.saturating_add(1);
        Turn::Send(batch)
    }

    /// One task that waits is enough.
    fn wait(&mut self) -> Turn {
        if self.waiting.is_empty() || self.is_watched {
            return Turn::End;
        }
        self.is_watched = true;
        Turn::Wait
    }

    /// What has waited longest, and what can go with it.
    fn take(&mut self) -> Option<Vec<Waiting>> {
        let (mut batch, mut others) = (vec![self.waiting.pop_front()?], VecDeque::new());
        while batch.len() < MOST {
            let Some(waiting) = self.waiting.pop_front() else { break };
            if waiting.goes_with(&batch) {
                batch.push(waiting);
            } else {
                others.push_back(waiting);
            }
        }
        others.append(&mut self.waiting);
        self.waiting = others;
        Some(batch)
    }
}

impl Waiting {
    /// A statement cannot do two things to one grant.
    fn goes_with(&self, batch: &[Self]) -> bool {
        let grant = self.statement.grant();
        batch.iter().all(|other| other.statement.sql() == self.statement.sql() && other.statement.grant() != grant)
    }
}

/// Gives each operation its row, or all of them the failure.
fn deliver(batch: Vec<Waiting>, result: Result<Vec<Row>, Failure>) {
    let mut rows = result.map(Vec::into_iter);
    for waiting in batch {
        let result = match &mut rows {
            Ok(rows) => rows.next().ok_or_else(Failure::no_row),
            Err(failure) => Err(failure.clone()),
        };
        // Nobody waits any more if the runtime is ending.
        let _ = waiting.answer.send(result);
    }
}

#[cfg(test)]
mod tests {
    use restream_oauth_keeper::store::{ClaimId, Leftovers, StoreOp};

    use super::*;
    use crate::offset::ClockOffset;

    fn waiting(grant: &str, op: &StoreOp) -> Waiting {
        let statement = Statement::of(&grant.parse().unwrap(), op, 1, ClockOffset::default()).unwrap();
        Waiting { statement: Arc::new(statement), since: Instant::now(), answer: oneshot::channel().0 }
    }

    fn settle() -> StoreOp {
        StoreOp::Settle { claim: ClaimId(1), record: None, leftovers: Leftovers::Leave }
    }

    fn names(turn: &Turn) -> String {
        match turn {
            Turn::Send(batch) => {
                let names: Vec<&str> = batch.iter().map(|waiting| waiting.statement.grant().as_str()).collect();
                names.join(" ")
            }
            Turn::Wait => "waits".to_owned(),
            Turn::End => String::new(),
        }
    }

    #[test]
    fn what_comes_while_a_statement_is_under_way_goes_together_after_it() {
        let mut queue = Queue::default();
        assert_eq!(names(&queue.add(waiting("a", &StoreOp::Claim), 2)), "a", "nothing to wait for");
        assert_eq!(names(&queue.add(waiting("b", &StoreOp::Claim), 2)), "waits");
        for (grant, op) in [("c", StoreOp::Claim), ("d", settle()), ("b", StoreOp::Claim), ("e", StoreOp::Claim)] {
            assert_eq!(names(&queue.add(waiting(grant, &op), 2)), "", "one task waits already");
        }
        assert_eq!(names(&queue.after_sending()), "b c e", "one operation of a kind and a grant");
        assert_eq!(names(&queue.after_sending()), "d", "in the order in which they came");
        assert_eq!(names(&queue.after_sending()), "b");
        assert_eq!(names(&queue.after_sending()), "");
        let (turn, left) = queue.after_waiting(2);
        assert_eq!((names(&turn), names(&left)), Default::default());
        assert_eq!(names(&queue.add(waiting("f", &StoreOp::Claim), 2)), "f", "no task is left");
    }

    #[test]
    fn nothing_waits_for_a_statement_that_hangs() {
        let mut queue = Queue::default();
        assert_eq!(names(&queue.add(waiting("hangs", &StoreOp::Claim), 2)), "hangs");
        assert_eq!(names(&queue.add(waiting("b", &StoreOp::Claim), 2)), "waits");
        assert_eq!(names(&queue.add(waiting("c", &settle()), 2)), "", "one task waits already");
        let (turn, left) = queue.after_waiting(2);
        assert_eq!(names(&turn), "b", "it has waited for long enough");
        assert_eq!(names(&left), "waits", "and what cannot go with it is not left alone");
        let (turn, left) = queue.after_waiting(2);
        assert_eq!((names(&turn).as_str(), names(&left).as_str()), ("waits", ""), "both connections are busy");
        assert_eq!(names(&queue.after_sending()), "", "few are left to the one that waits, or to the other sender");
        let (turn, left) = queue.after_waiting(2);
        assert_eq!((names(&turn).as_str(), names(&left).as_str()), ("c", ""));
    }

    #[test]
    fn as_many_as_a_statement_takes_do_not_wait() {
        let mut queue = Queue::default();
        queue.add(waiting("first", &StoreOp::Claim), 3);
        let mut sent = Vec::new();
        for number in 0..4 * MOST {
            if let Turn::Send(batch) = queue.add(waiting(&format!("grant-{number}"), &StoreOp::Claim), 3) {
                sent.push((number, batch.len()));
            }
        }
        assert_eq!(sent, [(MOST - 1, MOST), (2 * MOST - 1, MOST)], "and then there is no other connection");
        assert_eq!(queue.waiting.len(), 2 * MOST);
        let Turn::Send(batch) = queue.after_sending() else { panic!("there is enough for it") };
        assert_eq!(batch.len(), MOST);
    }
}
