//! Kills a process at each system call of a rotation, of a login and of a logout, and once more in the recovery.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use restream_oauth_keeper::Stored;
use restream_oauth_keeper::store::{Claimed, Warning};

use crate::child::{self, traced};
use crate::support::{Folder, Shelf, answer, grant, login, mode, next, strace_is_there, tokens, warnings};

const CALLS: [&str; 11] =
    ["openat", "write", "fsync", "fdatasync", "rename", "unlink", "rmdir", "mkdir", "lseek", "flock", "statx"];

/// Runs a script, and kills it before the given occurrence of a system call on a file of the store. Returns false if
/// the script ended before that occurrence.
fn killed_at(folder: &Folder, marks: &Folder, script: &str, call: &str, occurrence: u32) -> bool {
    let command = child::command(&folder.0, marks, script);
    let inject = format!("inject={call}:signal=KILL:when={occurrence}");
    let trace = format!("trace={call}");
    let mut arguments = vec!["-o", "/dev/null", "-e", &trace, "-e", &inject];
    // Calls on these files alone are counted: a process makes hundreds before it comes to its task.
    let paths: Vec<_> = paths(&folder.0);
    for path in &paths {
        arguments.extend(["-P", path]);
    }
    let output = traced(&command, &arguments).output().unwrap();
    // strace ends with the signal that killed the traced process.
    let killed = output.status.signal().is_some();
    assert!(killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    killed
}

/// Every name that a rotation touches. The child works in the folder, so most of its paths are relative.
fn paths(folder: &Path) -> Vec<String> {
    let names = ["", ".lock", ".new", ".probe", ".spool", ".gone", ".logins"].map(|end| format!("default.json{end}"));
    let absolute = names.iter().map(|name| format!("{}/{name}", folder.display()));
    absolute.chain(names.clone()).chain([".".to_owned(), folder.display().to_string()]).collect()
}

fn all_private(folder: &Folder, place: &str) {
    for name in folder.names() {
        let expected = if name.ends_with(".logins") { 0o700 } else { 0o600 };
        assert_eq!(mode(&folder.0.join(&name)), expected, "{place}: {name}");
    }
}

/// What must be true after a rotation was killed, by the marks that it left.
pub(crate) fn judge(found: &Claimed, marks: &[String], place: &str) {
    let done = |name: &str| marks.iter().any(|mark| mark == name);
    let (before, after) = (login("1"), next(&login("1"), "new"));
    let Stored::Grant(record) = &found.stored else { panic!("{place}: {:?}", found.stored) };
    if **record == after {
        return;
    }
    assert!(!done("commit"), "{place}: the commit is lost");
    assert_eq!((record.generation, &record.tokens), (0, &before.tokens), "{place}");
    if done("prepare") {
        assert!(record.doubt.is_some(), "{place}: the mark is lost");
    }
    if done("spool") {
        assert_eq!(found.spooled, [answer(before.parent())], "{place}: the answer is lost");
    }
    assert!(record.doubt.is_some() || found.spooled.is_empty(), "{place}");
}

/// A name for what is left, so that equal states are recovered once.
fn state(folder: &Folder) -> String {
    let describe = |name: &String| match std::fs::read(folder.0.join(name)) {
        Ok(bytes) => format!("{name}:{}:{}", bytes.len(), bytes.iter().filter(|byte| **byte != b' ').count()),
        Err(_) => name.clone(),
    };
    folder.names().iter().map(describe).collect::<Vec<_>>().join(" ")
}

fn copy(from: &Folder) -> Folder {
    let to = Folder::new();
    for name in from.names() {
        std::fs::copy(from.0.join(&name), to.0.join(&name)).unwrap();
    }
    to
}

#[test]
fn a_rotation_killed_anywhere_and_a_recovery_killed_anywhere_lose_nothing() {
    if !strace_is_there() {
        return;
    }
    let (mut kills, mut second_kills) = (0, 0);
    let mut states = BTreeSet::new();
    for call in CALLS {
        for occurrence in 1.. {
            let (folder, marks) = (Folder::new(), Folder::new());
            folder.write("default.json", login("1").to_saved());
            if !killed_at(&folder, &marks, "rotate", call, occurrence) {
                break;
            }
            kills += 1;
            let place = format!("killed at {call} number {occurrence}");
            all_private(&folder, &place);
            let left = copy(&folder);
            let found = Shelf::at(&folder.0).look();
            assert!(found.warnings.iter().all(|it| *it == Warning::LeftoverAdopted), "{place}: {:?}", found.warnings);
            judge(&found, &marks.names(), &place);
            all_private(&folder, &place);
            if states.insert(state(&left)) {
                second_kills += recovery_killed_anywhere(&left, &marks, &place);
            }
        }
    }
    // So that the table of calls stays complete.
    assert!(kills >= 40, "{kills} kills");
    assert!(states.len() >= 8, "{} states: {states:#?}", states.len());
    assert!(second_kills >= 200, "{second_kills} kills of a recovery");
}

fn recovery_killed_anywhere(left: &Folder, marks: &Folder, place: &str) -> u32 {
    let mut kills = 0;
    for call in CALLS {
        for occurrence in 1.. {
            let folder = copy(left);
            if !killed_at(&folder, &copy(marks), "recover", call, occurrence) {
                break;
            }
            kills += 1;
            let place = format!("{place}, and then at {call} number {occurrence}");
            let spooled = marks.names().iter().any(|mark| mark == "spool");
            let found = Shelf::at(&folder.0).look();
            let Stored::Grant(record) = &found.stored else { panic!("{place}: {:?}", found.stored) };
            if record.generation == 0 && spooled {
                assert_eq!(found.spooled, [answer(login("1").parent())], "{place}: the answer is lost");
            }
            // Nothing was sent, or the recovery comes to the new pair.
            let in_doubt = record.doubt.is_some();
            let output = child::command(&folder.0, &copy(marks), "recover").output().unwrap();
            child::said(&output);
            let found = Shelf::at(&folder.0).look();
            let expected = if record.generation == 1 || in_doubt { next(&login("1"), "new") } else { login("1") };
            assert_eq!(found.stored, grant(&expected), "{place}");
            assert_eq!(warnings(&found), [], "{place}");
            let names = folder.names();
            assert_eq!(names, ["default.json", "default.json.lock"], "{place}: nothing is left behind");
        }
    }
    kills
}

#[test]
fn a_login_killed_anywhere_is_stored_or_stashed_or_was_never_said_to_be() {
    if !strace_is_there() {
        return;
    }
    let mut kills = 0;
    for before in [Stored::Nothing, grant(&login("1")), Stored::Tombstone(login("1").tombstone())] {
        for call in CALLS {
            for occurrence in 1.. {
                let (folder, marks) = (Folder::new(), Folder::new());
                match &before {
                    Stored::Grant(record) => folder.write("default.json", record.to_saved()),
                    Stored::Tombstone(tombstone) => folder.write("default.json.gone", tombstone.to_saved()),
                    Stored::Nothing => {}
                }
                if !killed_at(&folder, &marks, "log in", call, occurrence) {
                    break;
                }
                kills += 1;
                let place = format!("over {before:?}, killed at {call} number {occurrence}");
                all_private(&folder, &place);
                let marks = marks.names();
                let done = |name: &str| marks.iter().any(|mark| mark == name);
                let found = Shelf::at(&folder.0).look();
                let stored = found.stored.record().is_some_and(|record| record.tokens == tokens("login"));
                let stashed = found.logins.contains(&tokens("login"));
                assert!(stored || found.stored == before, "{place}: {:?}", found.stored);
                assert!(!done("insert") || stored, "{place}: the login is lost");
                assert!(!done("stash") || stored || stashed, "{place}: the stash is lost");
            }
        }
    }
    assert!(kills >= 60, "{kills} kills");
}

#[test]
fn a_logout_killed_anywhere_leaves_the_grant_or_its_tombstone() {
    if !strace_is_there() {
        return;
    }
    let (mut kills, mut forgotten) = (0, 0);
    for call in CALLS {
        for occurrence in 1.. {
            let (folder, marks) = (Folder::new(), Folder::new());
            folder.write("default.json", login("1").to_saved());
            if !killed_at(&folder, &marks, "log out", call, occurrence) {
                break;
            }
            kills += 1;
            let place = format!("killed at {call} number {occurrence}");
            let tombstone = Stored::Tombstone(login("1").tombstone());
            let shelf = Shelf::at(&folder.0);
            let read = shelf.read();
            let found = shelf.look();
            assert_eq!(read, found.stored, "{place}: reading sees what a claim sees");
            if found.stored == tombstone {
                forgotten += 1;
                assert_eq!(folder.names(), ["default.json.gone", "default.json.lock"], "{place}");
            } else {
                assert_eq!(found.stored, grant(&login("1")), "{place}");
                assert!(!marks.names().contains(&"forget".to_owned()), "{place}: the tombstone is lost");
            }
        }
    }
    assert!(kills >= 20 && forgotten >= 3, "{kills} kills, {forgotten} times forgotten");
}
