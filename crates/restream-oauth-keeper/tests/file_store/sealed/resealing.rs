//! Changing the key, and the list of grants that a sweep goes over.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use super::*;
use crate::child::traced;
use crate::support::strace_is_there;

const K3: &str = "k3:3333333333333333333333333333333333333333333333333333333333333333";

/// Leaves something of every kind beside a grant.
fn fill(shelf: &Shelf) {
    shelf.put(&login("1"));
    let claim = shelf.claim().claim;
    shelf.done(StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) });
    shelf.done(StoreOp::Spool { claim, answer: answer(login("1").parent()) });
    shelf.done(StoreOp::Settle { claim, record: None, leftovers: Leftovers::SetAside });
    let claim = shelf.claim().claim;
    shelf.done(StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) });
    shelf.done(StoreOp::Spool { claim, answer: answer(login("1").parent()) });
    shelf.done(StoreOp::Settle { claim, record: None, leftovers: Leftovers::Leave });
    shelf.done(StoreOp::Stash { tokens: Box::new(tokens("2")) });
}

fn sealed_with(folder: &Folder) -> Vec<Option<String>> {
    let key = |(_, text): (String, Vec<u8>)| key_of(&text).unwrap().map(|key| key.to_string());
    // The lock is empty.
    contents(&folder.0).into_iter().filter(|(_, text)| !text.is_empty()).map(key).collect()
}

#[test]
fn an_old_key_opens_until_everything_is_sealed_again_and_can_be_dropped_then() {
    for plain in [false, true] {
        let folder = Folder::new();
        fill(&if plain { Shelf::at(&folder.0) } else { sealed(&folder.0, &[K1]) });
        let old = if plain { None } else { Some("k1".to_owned()) };
        assert_eq!(sealed_with(&folder), vec![old; 4]);
        let shelf = sealed(&folder.0, &[K2, K1]);
        assert_eq!(shelf.read(), grant(&doubted(&login("1"))), "the old key opens");
        let swept = shelf.store.reseal(shelf.store.grants().unwrap());
        assert_eq!((swept.rewritten, swept.is_complete()), (4, false), "{swept:?}");
        assert_eq!(sealed_with(&folder), vec![Some("k2".to_owned()); 4]);
        let swept = shelf.store.reseal(shelf.store.grants().unwrap());
        assert!(swept.is_complete(), "{swept:?}");
        drop(shelf);
        let claimed = sealed(&folder.0, &[K2]).look();
        assert_eq!(claimed.stored, grant(&doubted(&login("1"))));
        assert_eq!(claimed.spooled, [answer(login("1").parent())]);
        assert_eq!(claimed.logins, [tokens("2")]);
        let aside = folder.read("default.json.answer-g0");
        let opened = Sealer::new(ring(&[K2])).open(Kind::Answer, &default(), aside.as_bytes()).unwrap();
        assert_eq!(Spooled::from_saved(&*opened), Ok(answer(login("1").parent())));
    }
}

#[test]
fn a_write_seals_with_the_newest_key() {
    let folder = Folder::new();
    sealed(&folder.0, &[K1]).put(&login("1"));
    sealed(&folder.0, &[K1, K2]).put(&login("2"));
    assert_eq!(sealed_with(&folder), [Some("k1".to_owned())]);
    sealed(&folder.0, &[K2, K1]).put(&login("3"));
    assert_eq!(sealed_with(&folder), [Some("k2".to_owned())]);
}

#[test]
fn a_sweep_says_which_grants_are_busy_and_which_it_could_not_open() {
    let folder = Folder::new();
    let at = |name: &str, keys: &[&str]| Shelf { grant: name.parse().unwrap(), ..sealed(&folder.0, keys) };
    for (name, keys) in [("busy", [K1]), ("closed", [K2]), ("done", [K1])] {
        at(name, &keys).put(&login("1"));
    }
    folder.write("done.json.answer-torn", "{\"half\":\"a pair");
    let busy = at("busy", &[K1]);
    let claimed = busy.claim();
    let store = sealed(&folder.0, &[K3, K1]).store;
    let swept = store.reseal(store.grants().unwrap());
    assert_eq!(swept.rewritten, 1);
    assert_eq!(swept.busy, ["busy".parse().unwrap()]);
    let failed: Vec<_> = swept.failed.iter().map(|(name, error)| (name.as_str(), error.kind().clone())).collect();
    assert_eq!(failed, [("closed", StoreErrorKind::Sealed(SealError::KeyMissing { key: key("k2") }))]);
    assert_eq!(swept.unopened, [folder.0.join("done.json.answer-torn")]);
    busy.settle(&claimed, Leftovers::Leave);
    assert_eq!(store.reseal(["busy".parse().unwrap()]).rewritten, 1);
    assert_eq!(at("busy", &[K3]).read(), grant(&login("1")));
}

#[test]
fn a_sweep_of_a_store_without_keys_changes_nothing() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    fill(&shelf);
    let before = contents(&folder.0);
    assert!(shelf.store.reseal(shelf.store.grants().unwrap()).is_complete());
    assert_eq!(contents(&folder.0), before);
}

/// Not a test: what the child process of the next one does.
#[test]
fn sweeping_child() {
    let Some(folder) = std::env::var_os("SWEEP") else { return };
    let store = sealed(Path::new(&folder), &[K2, K1]).store;
    let swept = store.reseal([default()]);
    assert!(swept.failed.is_empty() && swept.unopened.is_empty(), "{swept:?}");
}

#[test]
fn a_sweep_that_is_killed_anywhere_loses_nothing() {
    if !strace_is_there() {
        return;
    }
    let mut kills = 0;
    for call in ["openat", "write", "fsync", "fdatasync", "rename", "unlink", "flock"] {
        for occurrence in 1.. {
            let folder = Folder::new();
            fill(&sealed(&folder.0, &[K1]));
            let mut sweep = Command::new(std::env::current_exe().unwrap());
            sweep
                .args(["--exact", "sealed::resealing::sweeping_child", "--test-threads=1"])
                .current_dir(&folder.0)
                .env("SWEEP", &folder.0);
            let inject = format!("inject={call}:signal=KILL:when={occurrence}");
            let trace = format!("trace={call}");
            let ends = ["", ".lock", ".new", ".probe", ".spool", ".resealed", ".answer-g0", ".logins"];
            let mut paths: Vec<_> = ends.iter().map(|end| folder.0.join(format!("default.json{end}"))).collect();
            paths.extend(
                names(&folder.0.join("default.json.logins"))
                    .iter()
                    .map(|it| folder.0.join(format!("default.json.logins/{it}"))),
            );
            paths.push(folder.0.clone());
            let mut arguments = vec!["-o", "/dev/null", "-e", &trace, "-e", &inject];
            arguments.extend(paths.iter().flat_map(|path| ["-P", path.to_str().unwrap()]));
            let output = traced(&sweep, &arguments).output().unwrap();
            if output.status.success() {
                break;
            }
            assert!(output.status.signal().is_some(), "{}", String::from_utf8_lossy(&output.stdout));
            kills += 1;
            let place = format!("killed at {call} number {occurrence}");
            let shelf = sealed(&folder.0, &[K2, K1]);
            shelf.store.reseal([default()]);
            let swept = shelf.store.reseal([default()]);
            assert!(swept.is_complete(), "{place}: {swept:?}");
            drop(shelf);
            let shelf = sealed(&folder.0, &[K2]);
            let claimed = shelf.look();
            assert_eq!(warnings(&claimed), [], "{place}");
            assert_eq!(claimed.stored, grant(&doubted(&login("1"))), "{place}");
            assert_eq!(claimed.spooled, [answer(login("1").parent())], "{place}");
            assert_eq!(claimed.logins, [tokens("2")], "{place}");
            assert_eq!(shelf.store.set_aside(&default()), [folder.0.join("default.json.answer-g0")], "{place}");
            assert_eq!(sealed_with(&folder), vec![Some("k2".to_owned()); 4], "{place}: nothing else is left");
        }
    }
    // So that the table of calls stays complete.
    assert!(kills >= 40, "{kills} kills");
}
