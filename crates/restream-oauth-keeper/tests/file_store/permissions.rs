//! Whose files they are, and who else can touch them.

use std::os::unix::fs::{chown, symlink};

use restream_oauth_keeper::store::{FileStore, Leftovers, StoreErrorKind, StoreOp, StoreOutcome, Warning};

use crate::child;
use crate::support::{Folder, Shelf, answer, doubted, grant, login, mode, set_mode, skipped, tokens, warnings};

/// Every step of a refresh and of a login, and the modes of all files after each.
#[test]
fn every_file_is_private_at_every_step() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    let all_private = |step: &str| {
        let mut folders = vec![folder.0.clone()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                let expected = if path.is_dir() { 0o700 } else { 0o600 };
                assert_eq!(mode(&path), expected, "{step}: {}", path.display());
                folders.extend(path.is_dir().then_some(path));
            }
        }
    };
    let record = login("1");
    shelf.done(StoreOp::Stash { tokens: Box::new(tokens("1")) });
    all_private("stash");
    let claimed = shelf.claim();
    let claim = claimed.claim;
    shelf.done(StoreOp::Insert { claim, record: Box::new(record.clone()) });
    all_private("insert");
    shelf.done(StoreOp::Prepare { claim, record: Box::new(doubted(&record)) });
    all_private("prepare");
    shelf.done(StoreOp::Spool { claim, answer: answer(record.parent()) });
    shelf.settle(&claimed, Leftovers::SetAside);
    all_private("set aside");
    let forget = StoreOp::Forget { claim: shelf.claim().claim, tombstone: record.tombstone() };
    shelf.done(forget);
    all_private("forget");
}

#[test]
fn a_file_that_others_can_read_is_a_warning_and_one_that_others_can_write_is_refused() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    let path = folder.0.join("default.json");
    for readable in [0o640, 0o604, 0o644] {
        set_mode(&path, readable);
        let claimed = shelf.look();
        assert_eq!((claimed.stored, claimed.warnings), (grant(&login("1")), vec![Warning::ReadableByOthers]));
    }
    for writable in [0o620, 0o602, 0o666] {
        set_mode(&path, writable);
        for op in [StoreOp::Claim, StoreOp::Read] {
            let error = shelf.fails(op);
            assert_eq!(*error.kind(), StoreErrorKind::NotOurs, "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
    // A refresh makes it private again.
    set_mode(&path, 0o644);
    let claim = shelf.claim().claim;
    shelf.done(StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) });
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_folder_in_which_everybody_can_replace_files_is_refused() {
    let folder = Folder::new();
    set_mode(&folder.0, 0o777);
    assert_eq!(*FileStore::at(&folder.0).unwrap_err().kind(), StoreErrorKind::NotOurs);
    // As `/tmp`.
    set_mode(&folder.0, 0o1777);
    FileStore::at(&folder.0).unwrap();
    folder.write("file", "");
    assert_eq!(*FileStore::at(folder.0.join("file/grants")).unwrap_err().kind(), StoreErrorKind::Missing);
}

#[test]
fn symbolic_links_are_not_replaced() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    folder.write("elsewhere", login("1").to_saved());
    symlink("elsewhere", folder.0.join("default.json")).unwrap();
    assert_eq!(shelf.read(), grant(&login("1")), "reading follows a link");
    let error = shelf.fails(StoreOp::Claim);
    assert_eq!(*error.kind(), StoreErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains("symbolic link"), "{error}");
    std::fs::remove_file(folder.0.join("default.json")).unwrap();

    let before = folder.read("elsewhere");
    symlink("elsewhere", folder.0.join("default.json.lock")).unwrap();
    assert_eq!(*shelf.fails(StoreOp::Claim).kind(), StoreErrorKind::ReadOnly);
    std::fs::remove_file(folder.0.join("default.json.lock")).unwrap();
    symlink("elsewhere", folder.0.join("default.json.spool")).unwrap();
    assert_eq!(*shelf.fails(StoreOp::Claim).kind(), StoreErrorKind::ReadOnly);
    std::fs::remove_file(folder.0.join("default.json.spool")).unwrap();
    symlink("elsewhere", folder.0.join("default.json.new")).unwrap();
    shelf.put(&login("2"));
    assert_eq!(folder.read("elsewhere"), before, "nothing is written through a link");
    assert_eq!(shelf.read(), grant(&login("2")));
}

#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    std::fs::create_dir(folder.0.join("default.json")).unwrap();
    for op in [StoreOp::Claim, StoreOp::Read] {
        assert!(shelf.fails(op).to_string().contains("not a regular file"));
    }
    let StoreOutcome::Failed(error) = shelf.store.peek(&shelf.grant) else { panic!("a peek waits for nothing either") };
    assert!(error.to_string().contains("not a regular file"));
    std::fs::remove_dir(folder.0.join("default.json")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.0.join("default.json")).status();
    if !made.is_ok_and(|status| status.success()) {
        return skipped("mkfifo is not installed");
    }
    for op in [StoreOp::Claim, StoreOp::Read] {
        assert!(shelf.fails(op).to_string().contains("not a regular file"));
    }
}

/// Gives a file to another user. Returns false if this user must not do that.
fn give_away(path: &std::path::Path) -> bool {
    let given = chown(path, Some(65534), None).is_ok();
    if !given {
        skipped("only root can give a file to another user");
    }
    given
}

#[test]
fn a_file_of_another_user_is_refused_and_that_user_is_not_locked_out() {
    let folder = Folder::new();
    folder.write("default.json", login("1").to_saved());
    if !give_away(&folder.0.join("default.json")) {
        return;
    }
    let shelf = Shelf::at(&folder.0);
    let error = shelf.fails(StoreOp::Claim);
    assert_eq!(*error.kind(), StoreErrorKind::NotOurs, "{error}");
    assert_eq!(folder.names(), ["default.json"], "no lock file that the owner could not open");
    // Reading knows the user since the claim.
    assert_eq!(*shelf.fails(StoreOp::Read).kind(), StoreErrorKind::NotOurs);

    // Also if the lock file is the other user's.
    folder.write("default.json.lock", "");
    assert!(give_away(&folder.0.join("default.json.lock")));
    assert_eq!(*Shelf::at(&folder.0).fails(StoreOp::Claim).kind(), StoreErrorKind::NotOurs);
    // And an empty file.
    std::fs::write(folder.0.join("default.json"), "").unwrap();
    assert_eq!(*Shelf::at(&folder.0).fails(StoreOp::Claim).kind(), StoreErrorKind::NotOurs);
    assert_eq!(folder.names(), ["default.json", "default.json.lock"]);
}

#[test]
fn a_way_over_a_link_of_another_user_is_refused() {
    use std::os::unix::fs::lchown;
    let folder = Folder::new();
    std::fs::create_dir(folder.0.join("real")).unwrap();
    symlink("real", folder.0.join("link")).unwrap();
    let shelf = Shelf::at(&folder.0.join("link"));
    shelf.put(&login("1"));
    if lchown(folder.0.join("link"), Some(65534), None).is_err() {
        return skipped("only root can give a link to another user");
    }
    let error = shelf.fails(StoreOp::Claim);
    assert_eq!(*error.kind(), StoreErrorKind::NotOurs, "{error}");
}

#[test]
fn a_user_without_permission_is_told_so() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    let marks = Folder::new();
    set_mode(&folder.0, 0o755);
    set_mode(&marks.0, 0o777);
    let said_by_nobody = |script: &str| {
        let command = child::command(&folder.0, &marks, script);
        let program = std::env::temp_dir().join(format!("keeper-child-{}", std::process::id()));
        // The test binary may lie where another user cannot read it.
        std::fs::copy(command.get_program(), &program).unwrap();
        let output = std::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args(command.get_args())
            .current_dir(&folder.0)
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .output();
        let _ = std::fs::remove_file(&program);
        output.ok().filter(|output| output.status.success()).map(|output| child::said(&output))
    };
    let Some(said) = said_by_nobody("claim") else { return skipped("only root can become another user") };
    assert!(said[0].starts_with("claim Denied: cannot lock"), "{said:?}");
    assert!(said_by_nobody("read").unwrap()[0].starts_with("read Denied: cannot read"));
    // A file that others can read is read, also without the right to write into its folder.
    set_mode(&folder.0.join("default.json"), 0o644);
    assert_eq!(said_by_nobody("read").unwrap(), ["read done"]);
    assert_eq!(warnings(&shelf.look()), [Warning::ReadableByOthers]);
}
