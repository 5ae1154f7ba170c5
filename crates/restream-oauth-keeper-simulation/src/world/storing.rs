//! The execution of operations on the store, step by step, with crashes in between.

use std::fmt::Write as _;

use super::{Event, World};
use crate::disk::{Content, Name, Part};
use crate::file_store::{Holder, Plan};
use crate::program::{Id, Plain, Report, Writing};
use crate::storage::Storage;
use crate::time::{MINUTE, SECOND, Time};
use restream_oauth_keeper::store::{StoreError, StoreErrorKind, StoreOp, StoreOutcome};

/// An operation that is not finished.
pub(crate) struct Operation {
    pub(super) holder: Holder,
    id: Id,
    grant: usize,
    op: StoreOp,
    /// The steps on a disk, once it has begun.
    pub(super) plan: Option<Plan>,
    pub(super) is_local: bool,
    outcome: Option<StoreOutcome>,
}

/// A database that does not answer for so long is reported as failed.
const PATIENCE: Time = 10 * SECOND;

impl World {
    pub(super) fn store(&mut self, holder: Holder, id: Id, grant: usize, op: StoreOp) {
        self.say(|| format!("process {} asks the store, grant {grant}: {}", holder.process, short(&op)));
        self.oracle.ordered(self.now, holder, grant, &op);
        let number = self.number();
        let is_local = matches!(self.storage, Storage::Files(_));
        self.operations.insert(number, Operation { holder, id, grant, op, plan: None, is_local, outcome: None });
        self.queue_of(holder, grant).push_back(number);
        if self.queue_of(holder, grant).len() == 1 {
            self.begin_operation(number);
        }
    }

    fn begin_operation(&mut self, number: u64) {
        let slow = if self.random.chance(self.setting.rates.slow_step) {
            self.random.pick(&[SECOND, 20 * SECOND, 2 * MINUTE])
        } else {
            0
        };
        match &self.storage {
            Storage::Files(_) => {
                let wait = self.random.below(2) + slow;
                self.after(wait, Event::Step(number));
            }
            Storage::Database(database) => {
                let (stalled, wait) = (database.stalled_until, self.random.between(1, 20) + slow.min(5 * SECOND));
                let at = (self.now + wait).max(stalled);
                if at <= self.now + PATIENCE {
                    self.at(at, Event::Execute(number));
                    return;
                }
                let error = StoreError::new(StoreErrorKind::Unavailable, "the database does not answer");
                if let Some(operation) = self.operations.get_mut(&number) {
                    operation.outcome = Some(StoreOutcome::Failed(error));
                }
                // The statement may have been executed, and only its answer be lost.
                if self.random.chance(5000) {
                    self.after(PATIENCE - 1, Event::Execute(number));
                }
                self.after(PATIENCE, Event::Finish(number));
            }
        }
    }

    /// One step of an operation on a disk.
    pub(super) fn step(&mut self, number: u64) {
        let Some(holder) = self.operations.get(&number).map(|it| it.holder) else { return };
        let rates = self.rates();
        if self.random.chance(rates.crash) {
            self.crash(holder.process);
            if self.random.chance(rates.power_loss_after_crash) {
                let (host, wait) = (self.processes[holder.process].host, self.random.below(30 * SECOND));
                self.after(wait, Event::PowerLoss(host));
            }
            return;
        }
        if self.random.chance(rates.power_loss) {
            let host = self.processes[holder.process].host;
            self.lose_power(host);
            return;
        }
        if self.random.chance(rates.crash_of_another) {
            let other = self.random.index(self.processes.len());
            self.crash(other);
            if !self.operations.contains_key(&number) {
                return;
            }
        }
        let flaw = self.flaw();
        let Storage::Files(files) = &mut self.storage else { return };
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let plan = match &mut operation.plan {
            Some(plan) => plan,
            none => none.insert(files.plan(operation.holder, operation.grant, operation.op.clone(), flaw)),
        };
        let outcome = files.step(plan, self.now);
        let grant = operation.grant;
        operation.outcome = outcome;
        if operation.outcome.is_some() {
            self.executed(number, grant);
            self.finish(number);
        } else {
            let slow = if self.random.chance(rates.slow_step) { self.random.below(20 * SECOND) } else { 0 };
            let wait = self.random.below(3) + slow;
            self.after(wait, Event::Step(number));
        }
    }

    /// The database executes a statement.
    pub(super) fn execute(&mut self, number: u64) {
        let flaw = self.flaw();
        let rates = self.rates();
        let now = self.now;
        let Storage::Database(database) = &mut self.storage else { return };
        let Some(operation) = self.operations.get_mut(&number) else { return };
        let (holder, grant) = (operation.holder, operation.grant);
        let outcome = database.execute(holder, grant, operation.op.clone(), flaw, now);
        let failed = operation.outcome.is_some();
        if !failed {
            operation.outcome = Some(outcome);
        }
        self.executed(number, grant);
        if !failed {
            if self.random.chance(rates.crash) {
                self.crash(holder.process);
            }
            if self.random.chance(rates.crash_of_another) {
                let other = self.random.index(self.processes.len());
                self.crash(other);
            }
            let wait = self.random.between(1, 10);
            self.after(wait, Event::Finish(number));
        }
    }

    /// Tells the oracle what is durable now.
    fn executed(&mut self, number: u64, grant: usize) {
        let Some(operation) = self.operations.get(&number) else { return };
        let durable = self.storage.durable(grant);
        self.oracle.stored(self.now, operation.holder, grant, &operation.op, &durable, &self.server);
    }

    /// The process learns the outcome.
    pub(super) fn finish(&mut self, number: u64) {
        let Some(operation) = self.operations.remove(&number) else { return };
        let Operation { holder, id, grant, op, outcome, .. } = operation;
        let Some(outcome) = outcome.filter(|_| self.is_alive(holder)) else { return };
        self.say(|| {
            format!("process {} hears of the store, grant {grant}: {}: {}", holder.process, name(&op), result(&outcome))
        });
        let flaw = self.flaw();
        self.processes[holder.process].worker.note(grant, &op, &outcome, flaw, self.now);
        self.oracle.heard(self.now, holder, grant, &op, &outcome);
        self.queue_of(holder, grant).pop_front();
        let next = self.queue_of(holder, grant).front().copied();
        if let Some(next) = next {
            self.begin_operation(next);
        }
        self.deliver(holder, Report::Stored { id, outcome });
    }

    /// An access past the rules of the keeper, in one blow.
    pub(super) fn access(&mut self, holder: Holder, id: Id, grant: usize, access: Plain) {
        let now = self.now;
        let content = self.accessed(holder, grant, access, now);
        let durable = self.storage.durable(grant);
        self.oracle.put(now, grant, &durable, &self.server);
        self.deliver(holder, Report::Plain { id, content });
    }

    fn accessed(&mut self, holder: Holder, grant: usize, access: Plain, now: Time) -> Option<Content> {
        let name = Name { grant, part: Part::Record };
        match (&mut self.storage, access) {
            (Storage::Files(files), Plain::Read) => files.disk.read(name).cloned(),
            (Storage::Files(files), Plain::Write { content: Content::Tombstone(tombstone), .. }) => {
                files.put(grant, None);
                let name = Name { grant, part: Part::Tombstone };
                files.disk.create(name, Content::Tombstone(tombstone), now).ok()?;
                files.disk.sync_file(name, now).ok()?;
                files.disk.sync_folder(now).ok()?;
                Some(Content::Blank)
            }
            (Storage::Files(files), Plain::Write { content, how }) => {
                if how == Writing::InPlace && files.disk.read(name).is_some() {
                    files.disk.overwrite(name, content, now).ok()?;
                } else {
                    files.disk.create(name, content, now).ok()?;
                }
                if how == Writing::Synced {
                    files.disk.sync_file(name, now).ok()?;
                    files.disk.sync_folder(now).ok()?;
                }
                Some(Content::Blank)
            }
            (Storage::Files(files), Plain::Remove) => {
                files.put(grant, None);
                Some(Content::Blank)
            }
            (Storage::Files(files), Plain::Lock { lease }) => {
                let lease = lease.map(|lease| now + lease.as_millis() as Time);
                files.lock_plainly(grant, holder, lease, now).then_some(Content::Blank)
            }
            (Storage::Files(files), Plain::Unlock) => {
                files.unlock_plainly(grant, holder);
                Some(Content::Blank)
            }
            (Storage::Database(database), Plain::Write { content: Content::Record(record), .. }) => {
                database.rows[grant].stored = restream_oauth_keeper::Stored::Grant(record);
                Some(Content::Blank)
            }
            (Storage::Database(database), Plain::Write { content: Content::Tombstone(tombstone), .. }) => {
                database.rows[grant].stored = restream_oauth_keeper::Stored::Tombstone(tombstone);
                Some(Content::Blank)
            }
            (Storage::Database(database), Plain::Remove) => {
                database.rows[grant].stored = restream_oauth_keeper::Stored::Nothing;
                Some(Content::Blank)
            }
            (Storage::Database(_), _) => None,
        }
    }
}

fn name(op: &StoreOp) -> &'static str {
    match op {
        StoreOp::Read => "Read",
        StoreOp::Claim => "Claim",
        StoreOp::Prepare { .. } => "Prepare",
        StoreOp::Spool { .. } => "Spool",
        StoreOp::Commit { .. } => "Commit",
        StoreOp::Park { .. } => "Park",
        StoreOp::Stash { .. } => "Stash",
        StoreOp::Insert { .. } => "Insert",
        StoreOp::Settle { .. } => "Settle",
        StoreOp::Forget { .. } => "Forget",
        _ => "?",
    }
}

/// The operation, as far as it helps to understand a run.
fn short(op: &StoreOp) -> String {
    match op {
        StoreOp::Prepare { record, .. } | StoreOp::Commit { record, .. } | StoreOp::Insert { record, .. } => {
            format!("{} {}", name(op), of_record(record))
        }
        StoreOp::Settle { record, leftovers, .. } => {
            let record = record.as_ref().map_or("without a record".to_owned(), |record| of_record(record));
            format!("Settle {record}, leftovers {leftovers:?}")
        }
        StoreOp::Spool { answer, .. } => {
            format!("Spool of send {} of generation {}", answer.number, answer.parent.generation)
        }
        StoreOp::Park { parent, tokens } => {
            format!("Park {:?} under generation {}", crate::storage::pair_of_tokens(tokens), parent.generation)
        }
        StoreOp::Stash { tokens } => format!("Stash {:?}", crate::storage::pair_of_tokens(tokens)),
        other => name(other).to_owned(),
    }
}

fn of_record(record: &restream_oauth_keeper::Record) -> String {
    let mut text = format!(
        "[generation {} pairs {:?} until {:?}",
        record.generation,
        crate::storage::pairs_of(record),
        record.usable_until.duration_since(std::time::SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_secs())
    );
    if let Some(doubt) = record.doubt {
        let _ = write!(text, " doubt {} sends, ended {}", doubt.sends, doubt.ended.is_some());
    }
    if let Some(death) = record.death {
        let _ = write!(text, " dead {:?}", death.why);
    }
    if record.leaving {
        text += " leaving";
    }
    if record.salvaged.is_some() {
        text += " salvaged";
    }
    text + "]"
}

fn stored(stored: &restream_oauth_keeper::Stored) -> String {
    match stored {
        restream_oauth_keeper::Stored::Grant(record) => of_record(record),
        other => format!("{other:?}"),
    }
}

fn result(outcome: &StoreOutcome) -> String {
    match outcome {
        StoreOutcome::Read { stored: it, .. } => stored(it),
        StoreOutcome::Superseded(it) => format!("superseded by {}", stored(it)),
        StoreOutcome::Claimed(claimed) => format!(
            "claim {} of {}, {} answers, {} logins",
            claimed.claim.0,
            stored(&claimed.stored),
            claimed.spooled.len(),
            claimed.logins.len()
        ),
        other => format!("{other:?}"),
    }
}
