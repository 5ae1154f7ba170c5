//! Claims of several processes, and lock files that somebody removed.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use restream_oauth_keeper::store::{FileStore, Leftovers, StoreErrorKind, StoreOp, StoreOutcome};

use crate::child::{self, said, traced};
use crate::support::{Folder, Shelf, answer, default, doubted, grant, login, strace_is_there};

#[test]
fn a_claim_of_another_process_is_busy_until_that_process_ends() {
    let folder = Folder::new();
    let marks = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    let mut holder = child::command(&folder.0, &marks, "hold").stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while marks.names().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(matches!(shelf.run(StoreOp::Claim), StoreOutcome::Busy));
    assert_eq!(shelf.read(), grant(&login("1")), "reading needs no claim");
    let late = StoreOp::Park { parent: login("1").parent(), tokens: Box::new(login("2").tokens) };
    assert_eq!(*shelf.fails(late).kind(), StoreErrorKind::Unavailable);

    // A store with patience waits. The lock of a process that is killed is free at once.
    let patient = FileStore::at(&folder.0).unwrap().patience(Duration::from_secs(20));
    let waiting = std::thread::spawn(move || patient.run(&default(), StoreOp::Claim));
    std::thread::sleep(Duration::from_millis(100));
    assert!(!waiting.is_finished());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(matches!(waiting.join().unwrap(), StoreOutcome::Claimed(_)));
    assert!(matches!(shelf.run(StoreOp::Claim), StoreOutcome::Claimed(_)), "a store that is dropped holds nothing");
}

#[test]
fn a_claim_whose_lock_file_was_removed_sends_nothing() {
    let folder = Folder::new();
    let (one, other) = (Shelf::at(&folder.0), Shelf::at(&folder.0));
    one.put(&login("1"));
    let claim = one.claim().claim;
    std::fs::remove_file(folder.0.join("default.json.lock")).unwrap();
    let theirs = other.claim();
    let prepare = StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) };
    assert_eq!(*one.fails(prepare).kind(), StoreErrorKind::ClaimLost);
    other.done(StoreOp::Prepare { claim: theirs.claim, record: Box::new(doubted(&login("1"))) });
    // The first one touches neither the lock nor the room of the second one.
    one.done(StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove });
    assert_eq!(folder.names(), ["default.json", "default.json.lock", "default.json.spool"]);
    assert!(matches!(one.run(StoreOp::Claim), StoreOutcome::Busy));
    let late = StoreOp::Settle { claim, record: Some(Box::new(login("1"))), leftovers: Leftovers::Leave };
    assert_eq!(*one.fails(late).kind(), StoreErrorKind::Unavailable);
    assert_eq!(one.read(), grant(&doubted(&login("1"))), "the doubt of the second one stays");
}

#[test]
fn a_lock_file_that_is_replaced_while_a_process_waits_excludes_it_all_the_same() {
    let folder = Folder::new();
    let one = Shelf::at(&folder.0);
    one.put(&login("1"));
    let first = one.claim();
    let patient = FileStore::at(&folder.0).unwrap().patience(Duration::from_secs(1));
    let waiting = std::thread::spawn(move || patient.run(&default(), StoreOp::Claim));
    std::thread::sleep(Duration::from_millis(100));
    // Replaced in one step, or the one that waits could be the first to lock the new file.
    let theirs = std::fs::File::create(folder.0.join("theirs")).unwrap();
    theirs.lock().unwrap();
    std::fs::rename(folder.0.join("theirs"), folder.0.join("default.json.lock")).unwrap();
    one.settle(&first, Leftovers::Leave);
    assert!(matches!(waiting.join().unwrap(), StoreOutcome::Busy));
}

#[test]
fn a_file_system_without_locks_is_refused() {
    if !strace_is_there() {
        return;
    }
    for error in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        let folder = Folder::new();
        let marks = Folder::new();
        Shelf::at(&folder.0).put(&login("1"));
        let inject = format!("inject=flock:error={error}");
        let command = child::command(&folder.0, &marks, "claim");
        let said = said(&traced(&command, &["-o", "/dev/null", "-e", "trace=flock", "-e", &inject]).output().unwrap());
        assert!(said[0].starts_with("claim NoLocks: cannot lock default.json.lock"), "{error}: {said:?}");
        assert_eq!(folder.names(), ["default.json", "default.json.lock"]);
    }
}

/// A process that a thread of ours starts has a copy of every open file until it runs another program.
#[test]
fn a_released_claim_is_free_although_programs_are_started() {
    let folder = Folder::new();
    let (one, other) = (Shelf::at(&folder.0), Shelf::at(&folder.0));
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                Command::new("true").status().unwrap();
            }
        });
        let free = (0..300).all(|_| {
            [&one, &other].iter().all(|shelf| match shelf.run(StoreOp::Claim) {
                StoreOutcome::Claimed(claimed) => {
                    shelf.settle(&claimed, Leftovers::Leave);
                    true
                }
                _ => false,
            })
        });
        ends.store(true, Ordering::Relaxed);
        assert!(free);
    });
}

#[test]
fn a_settled_claim_without_its_lock_leaves_the_room_of_another_one_alone() {
    let folder = Folder::new();
    let (one, other) = (Shelf::at(&folder.0), Shelf::at(&folder.0));
    one.put(&login("1"));
    let first = one.claim();
    one.done(StoreOp::Prepare { claim: first.claim, record: Box::new(doubted(&login("1"))) });
    std::fs::remove_file(folder.0.join("default.json.lock")).unwrap();
    let second = other.claim();
    other.done(StoreOp::Prepare { claim: second.claim, record: Box::new(doubted(&login("1"))) });
    one.settle(&first, Leftovers::Remove);
    assert_eq!(folder.names(), ["default.json", "default.json.lock", "default.json.spool"]);
    other.done(StoreOp::Spool { claim: second.claim, answer: answer(login("1").parent()) });
    other.settle(&second, Leftovers::Leave);
    assert_eq!(other.look().spooled, [answer(login("1").parent())]);
}

/// A process opens the lock file and is slow to lock it. Meanwhile somebody removes the file, and another process locks
/// the new one.
#[test]
fn a_lock_on_a_removed_file_is_no_claim() {
    if !strace_is_there() {
        return;
    }
    let (folder, marks) = (Folder::new(), Folder::new());
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    let command = child::command(&folder.0, &marks, "claim");
    let slow = "inject=flock:delay_enter=400000:when=1";
    let mut slow = traced(&command, &["-o", "/dev/null", "-e", "trace=flock", "-e", slow]);
    let child = slow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // By now the child has opened the file, or it opens the new one.
    std::thread::sleep(Duration::from_millis(200));
    std::fs::remove_file(folder.0.join("default.json.lock")).unwrap();
    let claimed = shelf.claim();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(marks.names(), [""; 0], "two processes have the grant");
    shelf.settle(&claimed, Leftovers::Leave);
    assert_eq!(said(&child.wait_with_output().unwrap()), ["claim done"]);
}
