//! Disks that are full, places that are read-only, files that cannot be replaced: `Prepare` finds them, before a token
//! is spent.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use restream_oauth_keeper::store::{Leftovers, StoreErrorKind, StoreOp, StoreOutcome, Warning};

use crate::child::{self, mounted, run_mounted, said, traced};
use crate::support::{Folder, Shelf, doubted, grant, login, next, skipped, strace_is_there};

/// Runs a script in a file system of its own. Its files are copied into the folder `after`.
fn in_a_small_file_system(size: &str, script: &str) -> Option<(Vec<String>, Vec<String>, Folder)> {
    let (folder, marks, after) = (Folder::new(), Folder::new(), Folder::new());
    Shelf::at(&folder.0).put(&login("1"));
    let command = child::command(&folder.0, &marks, script);
    // The child runs below the shell, so that the files can be copied before the mount is gone.
    let mut shell = mounted(
        &command,
        &format!(
            "cp default.json {0}/ && mount -t tmpfs -o size={size},mode=700 tmpfs . && cd . && cp {0}/default.json . && \
             chmod 600 default.json",
            marks.0.display(),
        ),
    );
    let program = format!("cd .; \"$0\" \"$@\"; code=$?; cp -a . {}/; exit $code", after.0.display());
    let arguments: Vec<_> = shell.get_args().map(ToOwned::to_owned).collect();
    let mut outer = Command::new("unshare");
    for (index, argument) in arguments.iter().enumerate() {
        if index == 5 {
            let text = argument.to_str().unwrap().replace("cd .; exec \"$0\" \"$@\"", &program);
            outer.arg(text);
        } else {
            outer.arg(argument);
        }
    }
    outer.current_dir(&folder.0).envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell = outer;
    let output = run_mounted(shell)?;
    std::fs::remove_file(marks.0.join("default.json")).unwrap();
    Some((said(&output), marks.names(), after))
}

#[test]
fn a_disk_that_is_too_small_spends_no_token() {
    let (mut too_small, mut large_enough) = (0, 0);
    // From room for the record alone to room for everything.
    for kibibytes in (4..=104).step_by(4) {
        let Some((said, marks, after)) = in_a_small_file_system(&format!("{kibibytes}k"), "rotate") else { return };
        let shelf = Shelf::at(&after.0);
        if marks.contains(&"send".to_owned()) {
            large_enough += 1;
            assert_eq!(shelf.read(), grant(&next(&login("1"), "new")), "{kibibytes} KiB: {said:?}");
        } else {
            too_small += 1;
            assert!(said.iter().any(|said| said.contains("NoRoom: cannot")), "{kibibytes} KiB: {said:?}");
            assert_eq!(shelf.read(), grant(&login("1")), "{kibibytes} KiB: {said:?}");
        }
        assert!(after.names().iter().all(|name| name == "default.json" || name == "default.json.lock"));
    }
    assert!(too_small > 10 && large_enough > 5, "{too_small} {large_enough}");
}

#[test]
fn a_disk_that_fills_while_the_request_flies_keeps_the_answer() {
    let Some((said, _, after)) = in_a_small_file_system("128k", "rotate on a full disk") else { return };
    let words: Vec<_> = said.iter().map(|said| said.split(':').next().unwrap()).collect();
    let expected = ["claim done", "prepare done", "spool done", "commit NoRoom", "commit done", "settle done"];
    assert_eq!(words, expected, "{said:?}");
    assert_eq!(Shelf::at(&after.0).read(), grant(&next(&login("1"), "new")));
}

#[test]
fn a_quota_is_no_room() {
    if !strace_is_there() {
        return;
    }
    for (file, error) in
        [("default.json.spool", "EDQUOT"), ("default.json.new", "EDQUOT"), ("default.json.new", "EFBIG")]
    {
        let (folder, marks) = (Folder::new(), Folder::new());
        Shelf::at(&folder.0).put(&login("1"));
        let path = folder.0.join(file);
        let inject = format!("inject=write:error={error}");
        let command = child::command(&folder.0, &marks, "rotate");
        let arguments = ["-o", "/dev/null", "-P", path.to_str().unwrap(), "-e", "trace=write", "-e", &inject];
        let said = said(&traced(&command, &arguments).output().unwrap());
        assert!(said[1].starts_with("prepare NoRoom"), "{said:?}");
        assert!(!marks.names().contains(&"send".to_owned()));
        assert_eq!(Shelf::at(&folder.0).look().stored, grant(&login("1")));
        assert_eq!(folder.names(), ["default.json", "default.json.lock"], "nothing is left behind");
    }
}

/// Some file systems, such as NFS, take every write and report at the sync that there is no room.
#[test]
fn a_disk_that_refuses_the_room_at_its_sync_spends_no_token() {
    if !strace_is_there() {
        return;
    }
    for (error, kind) in [("ENOSPC", "NoRoom"), ("EDQUOT", "NoRoom"), ("EIO", "Unavailable")] {
        let (folder, marks) = (Folder::new(), Folder::new());
        Shelf::at(&folder.0).put(&login("1"));
        let path = folder.0.join("default.json.spool");
        let inject = format!("inject=fsync:error={error}");
        let command = child::command(&folder.0, &marks, "rotate");
        let arguments = ["-o", "/dev/null", "-P", path.to_str().unwrap(), "-e", "trace=fsync", "-e", &inject];
        let said = said(&traced(&command, &arguments).output().unwrap());
        assert!(said[1].starts_with(&format!("prepare {kind}: cannot make room in")), "{said:?}");
        assert!(!marks.names().contains(&"send".to_owned()));
        assert_eq!(folder.names(), ["default.json", "default.json.lock"], "no room is left behind");
        // The mark may be there. Whoever asked for it takes it back.
        let shelf = Shelf::at(&folder.0);
        let claimed = shelf.claim();
        assert!(claimed.stored == grant(&login("1")) || claimed.stored == grant(&doubted(&login("1"))), "{claimed:?}");
        let record = Some(Box::new(login("1")));
        shelf.done(StoreOp::Settle { claim: claimed.claim, record, leftovers: Leftovers::Leave });
        assert_eq!(shelf.look().stored, grant(&login("1")));
    }
}

/// The kernel reports a loss once, so the file is written again. That it cannot be opened is no loss.
#[test]
fn a_read_whose_sync_failed_once_is_not_refused_for_ever() {
    if !strace_is_there() {
        return;
    }
    for (call, error, writes) in [("fsync", "EIO", true), ("openat", "EMFILE", false)] {
        let (folder, marks) = (Folder::new(), Folder::new());
        Shelf::at(&folder.0).put(&login("1"));
        let path = folder.0.join("default.json");
        let before = std::fs::metadata(&path).unwrap().ino();
        // The file is opened by its name in the folder: to read it, and then to sync it.
        let (file, when) = if call == "openat" { (Path::new("default.json"), 2) } else { (&*path, 1) };
        let inject = format!("inject={call}:error={error}:when={when}");
        let trace = format!("trace={call}");
        let command = child::command(&folder.0, &marks, "read twice");
        let arguments = ["-o", "/dev/null", "-P", file.to_str().unwrap(), "-e", &trace, "-e", &inject];
        let said = said(&traced(&command, &arguments).output().unwrap());
        assert!(said[0].starts_with("read Unavailable: cannot sync"), "{call}: {said:?}");
        assert_eq!(said[1], "read done");
        assert_eq!(std::fs::metadata(&path).unwrap().ino() != before, writes, "{call}");
    }
}

#[test]
fn a_read_only_file_system_is_read_and_not_claimed() {
    let (folder, marks) = (Folder::new(), Folder::new());
    Shelf::at(&folder.0).put(&login("1"));
    for (script, expected) in [("read", "read done"), ("claim", "claim ReadOnly"), ("prove", "prove ReadOnly")] {
        let command = child::command(&folder.0, &marks, script);
        let Some(output) = run_mounted(mounted(&command, "mount --bind . . && mount -o remount,ro,bind .")) else {
            return;
        };
        let said = said(&output);
        assert!(said[0].starts_with(expected), "{said:?}");
    }
}

/// As in `docker run -v ./default.json:/app/default.json`. rclone #6656.
#[test]
fn a_file_that_is_a_mount_point_of_its_own_spends_no_token() {
    let (folder, marks) = (Folder::new(), Folder::new());
    Shelf::at(&folder.0).put(&login("1"));
    let before = folder.read("default.json");
    for (script, operation) in [("rotate", 1), ("prove", 0)] {
        let command = child::command(&folder.0, &marks, script);
        let Some(output) = run_mounted(mounted(&command, "mount --bind default.json default.json")) else { return };
        let said = said(&output);
        assert!(said[operation].contains("ReadOnly") && said[operation].contains("mount its folder"), "{said:?}");
        assert!(!marks.names().contains(&"send".to_owned()));
        assert_eq!(folder.read("default.json"), before);
        assert_eq!(folder.names(), ["default.json", "default.json.lock"], "nothing is left behind");
    }
    // It works if the folder is mounted instead.
    let command = child::command(&folder.0, &marks, "rotate");
    run_mounted(mounted(&command, "mount --bind . .")).unwrap();
    assert_eq!(Shelf::at(&folder.0).read(), grant(&next(&login("1"), "new")));
}

/// An attribute that `chattr` set on a path. It is removed on drop, because otherwise the folder could not be removed.
struct Attribute {
    remove: String,
    path: PathBuf,
}

impl Attribute {
    /// Sets an attribute. Returns `None` if that is not possible.
    fn set(attribute: char, path: PathBuf) -> Option<Self> {
        let output = Command::new("chattr").arg(format!("+{attribute}")).arg(&path).output();
        if output.is_ok_and(|output| output.status.success()) {
            return Some(Self { remove: format!("-{attribute}"), path });
        }
        skipped("this user or this file system makes no file immutable or append-only");
        None
    }
}

impl Drop for Attribute {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg(&self.remove).arg(&self.path).status();
    }
}

#[test]
fn a_file_or_a_folder_that_is_immutable_or_append_only_spends_no_token() {
    for (attribute, name) in [('i', "default.json"), ('a', "default.json"), ('i', ""), ('a', "")] {
        let folder = Folder::new();
        let shelf = Shelf::at(&folder.0);
        shelf.put(&login("1"));
        let before = folder.read("default.json");
        let claim = shelf.claim().claim;
        let Some(set) = Attribute::set(attribute, folder.0.join(name)) else { return };
        let prepare = || StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) };
        for _ in 0..2 {
            let error = shelf.fails(prepare());
            let place = format!("+{attribute} {name:?}: {error}");
            assert!(matches!(error.kind(), StoreErrorKind::ReadOnly | StoreErrorKind::Denied), "{place}");
            assert_eq!(folder.read("default.json"), before, "{place}");
            // A file that is created in an append-only folder cannot be removed, so it must hold no secret.
            for left in folder.names().iter().filter(|name| *name != "default.json") {
                assert!(folder.read(left).trim().is_empty(), "{place}: {left}");
            }
        }
        drop(set);
        shelf.done(prepare());
        shelf.done(StoreOp::Settle { claim, record: Some(Box::new(login("1"))), leftovers: Leftovers::Remove });
        assert_eq!(folder.names(), ["default.json", "default.json.lock"], "+{attribute} {name:?}");
    }
}

#[test]
fn a_pair_that_cannot_be_put_in_place_waits_beside_the_file() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    let claimed = shelf.claim();
    let claim = claimed.claim;
    shelf.done(StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) });
    let Some(set) = Attribute::set('i', folder.0.join("default.json")) else { return };
    let new = next(&login("1"), "2");
    let commit = StoreOp::Commit { claim, parent: login("1").parent(), record: Box::new(new.clone()) };
    for _ in 0..2 {
        assert_eq!(*shelf.fails(commit.clone()).kind(), StoreErrorKind::ReadOnly);
    }
    // The process dies, and somebody mends the file.
    drop(shelf);
    drop(set);
    let found = Shelf::at(&folder.0).look();
    assert_eq!((found.stored, found.warnings), (grant(&new), vec![Warning::LeftoverAdopted]));
}

/// A file with that name may belong to somebody.
#[test]
fn a_file_with_the_name_of_the_probe_is_not_overwritten() {
    let folder = Folder::new();
    folder.write("default.json", login("1").to_saved());
    folder.write("default.json.probe", "precious");
    let shelf = Shelf::at(&folder.0);
    folder.write("default.json.lock", "");
    let error = shelf.fails(StoreOp::Claim);
    assert!(error.to_string().contains("default.json.probe is in the way"), "{error}");
    assert_eq!(folder.read("default.json.probe"), "precious");
    // An empty file is what a killed process leaves.
    folder.write("default.json.probe", "");
    assert_eq!(shelf.look().stored, grant(&login("1")));
    assert_eq!(folder.names(), ["default.json", "default.json.lock"]);
}

#[test]
fn a_folder_that_was_removed_is_missing_and_nothing_brings_it_back() {
    let folder = Folder::new();
    let path = folder.0.join("grants");
    let shelf = Shelf::at(&path);
    shelf.put(&login("1"));
    let claim = shelf.claim().claim;
    std::fs::remove_dir_all(&path).unwrap();
    let (new, parent) = (next(&login("1"), "2"), login("1").parent());
    assert_eq!(*shelf.fails(StoreOp::Read).kind(), StoreErrorKind::Missing);
    assert_eq!(*shelf.fails(StoreOp::Stash { tokens: Box::new(new.tokens.clone()) }).kind(), StoreErrorKind::Missing);
    let prepare = StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) };
    assert_eq!(*shelf.fails(prepare).kind(), StoreErrorKind::ClaimLost);
    let commit = StoreOp::Commit { claim, parent, record: Box::new(new) };
    assert_eq!(*shelf.fails(commit).kind(), StoreErrorKind::Missing);
    assert_eq!(*shelf.fails(StoreOp::Claim).kind(), StoreErrorKind::Missing);
    assert!(!path.exists());
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(shelf.run(StoreOp::Claim), StoreOutcome::Claimed(_)));
}
