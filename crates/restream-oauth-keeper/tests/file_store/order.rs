//! Which system calls one rotation makes, in which order. What a crash of the machine leaves follows from them.

use std::process::Command;

use restream_oauth_keeper::store::{StoreOp, StoreOutcome};

use crate::child::{self, said, traced};
use crate::support::{Folder, Shelf, grant, login, next, strace_is_there};

/// The calls that change a disk.
const CALLS: &str = "trace=openat,write,fsync,fdatasync,rename,unlink,mkdir,rmdir,ftruncate,fallocate";

/// Runs a script, and returns its calls on the files of the grant, such as `sync .new`. `|` ends an operation.
fn calls(folder: &Folder, script: &str) -> Vec<String> {
    let (text, marks) = log(folder, script, CALLS);
    text.lines().filter_map(|line| read(line, folder, &marks)).collect()
}

/// Runs a script, and returns the log of these system calls, and the folder of marks.
fn log(folder: &Folder, script: &str, calls: &str) -> (String, Folder) {
    let (marks, log) = (Folder::new(), Folder::new());
    let path = log.0.join("log");
    let command = child::command(&folder.0, &marks, script);
    let mut traced = traced(&command, &["-o", path.to_str().unwrap(), "-e", calls]);
    said(&traced.output().unwrap());
    (std::fs::read_to_string(path).unwrap(), marks)
}

fn read(line: &str, folder: &Folder, marks: &Folder) -> Option<String> {
    let call = line.split_once(' ')?.1.trim_start();
    let (name, arguments) = call.split_once('(')?;
    let failed = call.contains(" = -1 ");
    if arguments.contains(marks.0.to_str()?) {
        return (name == "openat").then(|| "|".to_owned());
    }
    // `-y` shows the whole path of an open file; names in arguments are relative, because the child works in the folder.
    let folder = folder.0.to_str()?;
    let objects: Vec<_> = if arguments.starts_with("AT_FDCWD") || arguments.starts_with('"') {
        arguments.split('"').skip(1).step_by(2).collect()
    } else {
        let (_, path) = arguments.split_once(&format!("<{folder}"))?;
        vec![path.split('>').next()?.trim_start_matches('/')]
    };
    let objects: Option<Vec<_>> = objects
        .into_iter()
        .map(|object| match object.strip_prefix("default.json") {
            Some("") => Some("FILE"),
            Some(end) => Some(end),
            None => object.is_empty().then_some("folder"),
        })
        .collect();
    let verb = match name {
        "openat" if arguments.contains("O_CREAT") && !failed => "create",
        "write" => "write",
        "fsync" | "fdatasync" => "sync",
        "rename" => "rename",
        "unlink" if !failed => "remove",
        "mkdir" if !failed => "mkdir",
        "rmdir" if !failed => "rmdir",
        _ => return None,
    };
    Some(format!("{verb} {}", objects?.join(" ")))
}

#[track_caller]
fn expect(got: &[String], expected: &[&str]) {
    assert_eq!(got, expected, "\n{}\n", got.join("\n"));
}

#[test]
fn one_rotation_is_six_syncs_in_this_order() {
    if !strace_is_there() {
        return;
    }
    let folder = Folder::new();
    folder.write("default.json.lock", "");
    folder.write("default.json", login("1").to_saved());
    let all = calls(&folder, "rotate");
    let operations: Vec<_> = all.split(|call| call == "|").collect();
    // Another process wrote the record, so the claim syncs it.
    expect(operations[0], &["create .probe", "remove .probe", "sync FILE", "sync folder"]);
    let prepare = [
        "create .spool",
        "write .spool",
        "create .new",
        "remove .new",
        "create .new",
        "write .new",
        "sync .new",
        "rename .new FILE",
        "sync .spool",
        "sync folder",
    ];
    expect(operations[1], &prepare);
    expect(operations[2], &[]);
    expect(operations[3], &["write .spool", "sync .spool"]);
    expect(operations[4], &["create .new", "write .new", "sync .new", "rename .new FILE", "sync folder"]);
    expect(operations[5], &["remove .spool"]);
    let syncs = all.iter().skip_while(|call| *call != "|").filter(|call| call.starts_with("sync")).count();
    assert_eq!(syncs, 6);
}

/// A bare replacement of a file looks at nothing, and opens two files.
#[test]
fn a_rotation_looks_at_no_file_without_need() {
    if !strace_is_there() {
        return;
    }
    let folder = Folder::new();
    Shelf::at(&folder.0).put(&login("1"));
    let (text, marks) = log(&folder, "rotate twice", "trace=openat,statx");
    let is_mark = |line: &&str| line.contains(marks.0.to_str().unwrap());
    let lines: Vec<_> = text.lines().filter(|line| is_mark(line) || line.contains("default.json")).collect();
    // Of the second rotation: nothing is learned and synced for the first time.
    let operations: Vec<_> = lines.split(is_mark).skip(6).take(6).collect();
    let count = |call: &str| -> Vec<usize> {
        let of = |lines: &&[&str]| lines.iter().filter(|line| line.contains(call)).count();
        operations.iter().map(of).collect()
    };
    // Claim looks at the file (a link? a pipe? and at the open one), the same at the lock, at the tombstone, at FILE.new,
    // and at four names of answers. Prepare and Commit look at the lock, at the file (a pipe? open; a link?), at the
    // tombstone and at their new file. Spool looks at its open file and at the name; Settle at the lock, and for what was
    // set aside of two generations. Nothing is looked at while the request is sent.
    assert_eq!(count(" statx("), [12, 6, 0, 2, 6, 3], "{}", lines.join("\n"));
    // Claim opens the lock, the file and the folder of logins. Prepare opens the file and the room, and twice FILE.new.
    // Commit opens the file and FILE.new.
    assert_eq!(count(" openat("), [3, 4, 0, 0, 2, 0], "{}", lines.join("\n"));
}

#[test]
fn what_another_process_wrote_is_synced_once() {
    if !strace_is_there() {
        return;
    }
    let folder = Folder::new();
    Shelf::at(&folder.0).put(&login("1"));
    let all = calls(&folder, "claim twice");
    let syncs: Vec<_> = all.iter().filter(|call| call.starts_with("sync")).collect();
    assert_eq!(syncs, ["sync FILE", "sync folder"], "{all:?}");
    assert_eq!(calls(&folder, "read"), ["sync FILE", "sync folder"]);
    expect(&calls(&folder, "peek"), &[]);
    let claim = Shelf::at(&folder.0).claim().claim;
    let shelf = Shelf::at(&folder.0);
    drop((claim, shelf));
}

#[test]
fn a_login_and_a_logout_are_durable_before_they_are_done() {
    if !strace_is_there() {
        return;
    }
    let folder = Folder::new();
    folder.write("default.json.lock", "");
    let all = calls(&folder, "log in");
    let operations: Vec<_> = all.split(|call| call == "|").collect();
    let stash: Vec<_> = operations[0]
        .iter()
        .map(|call| match call.split_once(".logins/") {
            Some((verb, _)) => format!("{verb}.logins/…"),
            None => call.clone(),
        })
        .collect();
    let expected = [
        "mkdir .logins",
        "sync folder",
        "create .logins/…",
        "write .logins/…",
        "sync .logins/…",
        "sync .logins",
        "sync folder",
    ];
    expect(&stash, &expected);
    let insert =
        ["create .new", "remove .new", "create .new", "write .new", "sync .new", "rename .new FILE", "sync folder"];
    expect(operations[2], &insert);
    assert!(operations[3].iter().any(|call| call == "rmdir .logins"), "{all:?}");

    let all = calls(&folder, "log out");
    let forget: Vec<_> = all.split(|call| call == "|").collect();
    let expected =
        ["create .new", "write .new", "sync .new", "rename .new .gone", "sync folder", "remove FILE", "sync folder"];
    expect(forget[1], &expected);
}

/// Returns the calls of a rotation in which one sync fails, and what the child said.
fn rotation_with_a_failing_sync(folder: &Folder, call: &str, occurrence: u32) -> (Vec<String>, Vec<String>) {
    let marks = Folder::new();
    let log = Folder::new();
    let path = log.0.join("log");
    let command: Command = child::command(&folder.0, &marks, "rotate");
    let inject = format!("inject={call}:error=EIO:when={occurrence}");
    let output = traced(&command, &["-o", path.to_str().unwrap(), "-e", CALLS, "-e", &inject]).output().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let calls = text.lines().filter_map(|line| {
        let call = read(line, folder, &marks)?;
        Some(if line.contains("(INJECTED)") { format!("{call} fails") } else { call })
    });
    (calls.collect(), said(&output))
}

/// The kernel reports a write that it lost once. Who syncs the same file again is told that all is well.
#[test]
fn a_failed_sync_is_never_tried_again_on_the_same_file() {
    if !strace_is_there() {
        return;
    }
    let mut met = Vec::new();
    for call in ["fsync", "fdatasync"] {
        for occurrence in 1.. {
            let folder = Folder::new();
            Shelf::at(&folder.0).put(&login("1"));
            let (calls, said) = rotation_with_a_failing_sync(&folder, call, occurrence);
            let Some(failed) = calls.iter().position(|call| call.ends_with("fails")) else { break };
            let place = format!("{call} {occurrence}: {}", calls.join(", "));
            assert!(said.iter().any(|said| said.contains("Unavailable: cannot")), "{place}: {said:?}");
            let what = calls[failed].trim_end_matches(" fails").to_owned();
            let after = &calls[failed + 1..];
            let again = after.iter().position(|call| *call == what);
            let created = after.iter().position(|call| call.starts_with("create "));
            // Also after the folder failed: the file is written once more before the folder is synced again.
            if let Some(again) = again {
                assert!(created.is_some_and(|created| created < again), "{place}");
            }
            met.push(what);
            let shelf = Shelf::at(&folder.0);
            assert_eq!(shelf.look().stored, grant(&next(&login("1"), "new")), "{place}");
            assert_eq!(folder.names(), ["default.json", "default.json.lock"], "{place}");
        }
    }
    let expected = [
        "sync FILE",
        "sync folder",
        "sync .new",
        "sync .spool",
        "sync folder",
        "sync .new",
        "sync folder",
        "sync .spool",
    ];
    assert_eq!(met, expected);
}

#[test]
fn a_commit_that_failed_after_its_rename_is_found_by_the_next_try() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    let claim = shelf.claim().claim;
    let new = next(&login("1"), "2");
    let commit = StoreOp::Commit { claim, parent: login("1").parent(), record: Box::new(new.clone()) };
    shelf.done(commit.clone());
    assert!(matches!(shelf.run(commit), StoreOutcome::Superseded(stored) if stored == grant(&new)));
}
