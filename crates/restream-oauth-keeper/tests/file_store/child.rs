//! A process that does something to a store, so that a test can kill it or let its system calls fail.
//!
//! The process is this test binary again. It runs the test [`child`] alone, in the folder of the store, and leaves a
//! mark for each step in the folder `MARKS`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use restream_oauth_keeper::store::{ClaimId, FileStore, Leftovers, StoreOp, StoreOutcome};
use restream_oauth_keeper::{Record, Stored};

use crate::support::{Folder, Shelf, answer, default, doubted, next, tokens};

/// How often a failed operation is tried again.
const TRIES: u32 = 3;

/// Returns the command that runs a script in a folder.
pub(crate) fn command(folder: &Path, marks: &Folder, script: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child::child", "--nocapture", "--test-threads=1"])
        .current_dir(folder)
        .env("SCRIPT", script)
        .env("MARKS", &marks.0);
    command
}

/// Returns a command that runs another one under strace, which does to it what the arguments say.
pub(crate) fn traced(command: &Command, arguments: &[&str]) -> Command {
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-y", "-qq"])
        .args(arguments)
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace
}

/// Returns a command that runs another one after a shell script that mounts something.
pub(crate) fn mounted(command: &Command, script: &str) -> Command {
    let mut shell = Command::new("unshare");
    shell
        .args(["--user", "--map-root-user", "--mount", "/bin/sh", "-c"])
        .arg(format!("({script}) || exit 99; cd .; exec \"$0\" \"$@\""))
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// Runs a command that mounts something. Returns `None` if this system does not allow it.
pub(crate) fn run_mounted(mut command: Command) -> Option<Output> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.code() != Some(99) && !output.stderr.starts_with(b"unshare"));
    if output.is_none() {
        crate::support::skipped("this system lets no test mount anything");
    }
    output
}

/// What the child said, one line an operation: its name, and `done` or the kind of its error.
#[track_caller]
pub(crate) fn said(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text.lines().filter_map(|line| line.split_once("said: ")).map(|(_, said)| said.to_owned()).collect()
}

/// Not a test: what the child process does.
#[test]
fn child() {
    let Some(script) = std::env::var_os("SCRIPT") else { return };
    let marks = PathBuf::from(std::env::var_os("MARKS").unwrap());
    let shelf = Shelf { store: FileStore::of_file("default.json").patience(Duration::from_secs(5)), grant: default() };
    let child = Child { shelf, marks };
    match script.to_str().unwrap() {
        "rotate" => child.rotate(),
        "rotate twice" => {
            child.rotate();
            child.rotate();
        }
        "recover" => child.recover(),
        "log in" => child.log_in(),
        "log out" => child.log_out(),
        "claim" => drop(child.claim()),
        "claim twice" => {
            for _ in 0..2 {
                let Some((claim, _)) = child.claim() else { return };
                child.settle(claim, Leftovers::Leave);
            }
        }
        "hold" => {
            let held = child.claim();
            std::thread::sleep(Duration::from_secs(60));
            drop(held);
        }
        "read" => {
            let outcome = child.shelf.run(StoreOp::Read);
            say("read", &outcome);
        }
        "read twice" => {
            for _ in 0..2 {
                say("read", &child.shelf.run(StoreOp::Read));
            }
        }
        "peek" => {
            let outcome = child.shelf.store.peek(&child.shelf.grant);
            say("peek", &outcome);
        }
        "prove" => {
            let outcome = child.shelf.store.prove(&child.shelf.grant);
            say("prove", &outcome);
        }
        "rotate on a full disk" => child.rotate_on_a_full_disk(),
        other => panic!("{other}"),
    }
}

struct Child {
    shelf: Shelf,
    marks: PathBuf,
}

impl Child {
    /// One refresh, as a keeper makes it. The server gives the pair `new`.
    fn rotate(&self) {
        let Some((claim, stored)) = self.claim() else { return };
        let Stored::Grant(record) = stored else { panic!("{stored:?}") };
        let marked = doubted(&record);
        if !self.step("prepare", || StoreOp::Prepare { claim, record: Box::new(marked.clone()) }) {
            return;
        }
        self.mark("send");
        self.step("spool", || StoreOp::Spool { claim, answer: answer(record.parent()) });
        self.commit(claim, &record);
        self.settle(claim, Leftovers::Remove);
    }

    /// What a keeper does with what it finds.
    fn recover(&self) {
        let outcome = self.shelf.run(StoreOp::Claim);
        say("claim", &outcome);
        let StoreOutcome::Claimed(claimed) = outcome else { return };
        self.mark("claim");
        let claim = claimed.claim;
        match &claimed.stored {
            Stored::Grant(record) if record.doubt.is_some() => {
                if !claimed.spooled.contains(&answer(record.parent())) {
                    // The server knows the request, and gives the same pair again.
                    self.step("prepare", || StoreOp::Prepare { claim, record: record.clone() });
                    self.step("spool", || StoreOp::Spool { claim, answer: answer(record.parent()) });
                }
                self.commit(claim, record);
            }
            _ => {}
        }
        self.settle(claim, Leftovers::Remove);
    }

    fn log_in(&self) {
        let new = tokens("login");
        self.step("stash", || StoreOp::Stash { tokens: Box::new(new.clone()) });
        let Some((claim, stored)) = self.claim() else { return };
        let generation = match &stored {
            Stored::Nothing => 0,
            Stored::Grant(record) => record.generation + 1,
            Stored::Tombstone(tombstone) => tombstone.generation + 1,
        };
        let record = Record { generation, ..crate::support::login("login") };
        self.step("insert", || StoreOp::Insert { claim, record: Box::new(record.clone()) });
        self.settle(claim, Leftovers::Remove);
    }

    fn log_out(&self) {
        let Some((claim, stored)) = self.claim() else { return };
        let Stored::Grant(record) = stored else { panic!("{stored:?}") };
        let tombstone = record.tombstone();
        self.step("forget", || StoreOp::Forget { claim, tombstone });
    }

    /// The disk fills while the request flies, and is emptied after the answer is spooled.
    fn rotate_on_a_full_disk(&self) {
        let Some((claim, stored)) = self.claim() else { return };
        let Stored::Grant(record) = stored else { panic!("{stored:?}") };
        if !self.step("prepare", || StoreOp::Prepare { claim, record: Box::new(doubted(&record)) }) {
            return;
        }
        let mut fill = std::fs::File::create("fill").unwrap();
        while std::io::Write::write(&mut fill, &[b'x'; 4096]).is_ok() {}
        let spooled = self.shelf.run(StoreOp::Spool { claim, answer: answer(record.parent()) });
        say("spool", &spooled);
        let commit = || {
            let record_2 = Box::new(next(&record, "new"));
            StoreOp::Commit { claim, parent: record.parent(), record: record_2 }
        };
        let committed = self.shelf.run(commit());
        say("commit", &committed);
        drop(fill);
        std::fs::remove_file("fill").unwrap();
        let committed = self.shelf.run(commit());
        say("commit", &committed);
        self.settle(claim, Leftovers::Remove);
    }

    fn claim(&self) -> Option<(ClaimId, Stored)> {
        let mut outcome = StoreOutcome::Busy;
        for _ in 0..TRIES {
            outcome = self.shelf.run(StoreOp::Claim);
            say("claim", &outcome);
            if matches!(outcome, StoreOutcome::Claimed(_)) {
                break;
            }
        }
        self.mark("claim");
        match outcome {
            StoreOutcome::Claimed(claimed) => Some((claimed.claim, claimed.stored)),
            _ => None,
        }
    }

    fn commit(&self, claim: ClaimId, record: &Record) {
        let record_2 = next(record, "new");
        let parent = record.parent();
        self.step("commit", || StoreOp::Commit { claim, parent, record: Box::new(record_2.clone()) });
    }

    fn settle(&self, claim: ClaimId, leftovers: Leftovers) {
        self.step("settle", || StoreOp::Settle { claim, record: None, leftovers });
    }

    /// Runs an operation until it is done, and leaves a mark then.
    fn step(&self, name: &str, op: impl Fn() -> StoreOp) -> bool {
        for _ in 0..TRIES {
            let outcome = self.shelf.run(op());
            say(name, &outcome);
            // After a failure the effect may be there all the same.
            if matches!(outcome, StoreOutcome::Done | StoreOutcome::Superseded(_)) {
                self.mark(name);
                return true;
            }
        }
        false
    }

    fn mark(&self, name: &str) {
        std::fs::write(self.marks.join(name), "").unwrap();
    }
}

fn say(name: &str, outcome: &StoreOutcome) {
    let word = match outcome {
        StoreOutcome::Failed(error) => format!("{:?}: {error}", error.kind()),
        StoreOutcome::Busy => "busy".to_owned(),
        StoreOutcome::Superseded(_) => "superseded".to_owned(),
        _ => "done".to_owned(),
    };
    println!("said: {name} {word}");
}
