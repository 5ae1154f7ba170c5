//! A sealed store: what lies on the disk shows no token, and opens for its grant and with its key alone.

mod keys;
mod resealing;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use restream_oauth_keeper::seal::{About, KeyRing, Kind, SealError, Sealer, key_of};
use restream_oauth_keeper::store::{FileStore, Leftovers, StoreErrorKind, StoreOp, StoreOutcome, Warning};
use restream_oauth_keeper::{GrantName, Parent, Record, Spooled, Stored, contract};
use restream_oauth_sandbox::spellings;

use crate::support::{
    Folder, Shelf, answer, default, doubted, grant, login, names, next, saved_tokens, tokens, warnings,
};

/// Two keys, of which each can be the newest.
const K1: &str = "k1:1111111111111111111111111111111111111111111111111111111111111111";
const K2: &str = "k2:2222222222222222222222222222222222222222222222222222222222222222";

fn ring(keys: &[&str]) -> KeyRing {
    KeyRing::parse(&keys.join("\n")).unwrap()
}

/// A sealed store and its grant `default`.
fn sealed(folder: &Path, keys: &[&str]) -> Shelf {
    Shelf { store: FileStore::at(folder).unwrap().sealed(ring(keys)), grant: default() }
}

fn key(name: &str) -> restream_oauth_keeper::seal::KeyId {
    name.parse().unwrap()
}

/// Seals a document as another process does.
fn seal(keys: &[&str], kind: Kind, grant: &str, text: &str) -> String {
    let grant: GrantName = grant.parse().unwrap();
    Sealer::new(ring(keys)).seal(kind, &grant, &About::default(), text).unwrap()
}

/// A record that names the pair that it replaces.
fn replacing(record: &Record, before: &Record) -> String {
    let hash = before.parent().sent;
    let whole = serde_json::from_str::<serde_json::Value>(&next(before, "any").to_saved()).unwrap();
    let parent = whole["keeper"]["parent"].as_str().unwrap();
    assert!(format!("{hash:?}").contains(&parent[..8]));
    record.to_saved().replacen("\"oddities\"", &format!("\"replaces\":\"{parent}\",\"oddities\""), 1)
}

#[track_caller]
fn refused(shelf: &Shelf, op: StoreOp) -> SealError {
    let error = shelf.fails(op);
    let text = error.to_string();
    assert!(!text.contains("a-1") && !text.contains("r-1") && !text.contains("1111"), "{text}");
    match error.kind() {
        StoreErrorKind::Sealed(error) => error.clone(),
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn a_sealed_file_store_passes_the_contract() {
    let folder = Folder::new();
    let store = || FileStore::at(&folder.0).unwrap().sealed(ring(&[K1]));
    contract::check(|| (store(), store())).unwrap();
}

#[test]
fn a_sealed_file_store_that_refuses_plain_documents_passes_the_contract() {
    let folder = Folder::new();
    let store = || FileStore::at(&folder.0).unwrap().sealed(Sealer::new(ring(&[K1])).refuse_plain());
    contract::check(|| (store(), store())).unwrap();
}

#[test]
fn processes_whose_newest_keys_differ_pass_the_contract_together() {
    let folder = Folder::new();
    let store = |keys: &[&str]| FileStore::at(&folder.0).unwrap().sealed(ring(keys));
    contract::check(|| (store(&[K1, K2]), store(&[K2, K1]))).unwrap();
}

#[test]
fn an_answer_that_is_larger_than_the_room_is_found_by_the_next_claim() {
    let folder = Folder::new();
    let shelf = sealed(&folder.0, &[K1]);
    shelf.put(&login("1"));
    let claim = shelf.claim().claim;
    shelf.done(StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) });
    let text = format!("{{\"version\":1,\"body\":\"{}\"}}", "bmV3".repeat(50_000));
    let large = Spooled { answer: text.into(), ..answer(login("1").parent()) };
    shelf.done(StoreOp::Spool { claim, answer: large.clone() });
    assert!(std::fs::metadata(folder.0.join("default.json.spool")).unwrap().len() > 200_000);
    drop(shelf);
    assert_eq!(sealed(&folder.0, &[K1]).look().spooled, [large]);
}

/// Every file below a folder, with its content.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.push((name, std::fs::read(path).unwrap()));
        }
    }
    all
}

/// The files in which the word stands in any spelling.
fn leaks(folder: &Path, words: &[Vec<u8>]) -> Vec<String> {
    let has = |text: &[u8]| words.iter().any(|word| text.windows(word.len()).any(|it| it == word.as_slice()));
    let leaking = |(name, text): &(String, Vec<u8>)| has(name.as_bytes()) || has(text);
    contents(folder).into_iter().filter(leaking).map(|(name, _)| name).collect()
}

/// Runs a whole life of a grant. Calls `look` after every operation.
fn live(shelf: &Shelf, word: &str, mut look: impl FnMut(&str)) {
    let mut done = |what: &str, op: StoreOp| {
        shelf.done(op);
        look(what);
    };
    let named = |part: &str| format!("{word}{part}");
    let (first, second) = (login(&named("one")), next(&login(&named("one")), &named("two")));
    let body = format!("{{\"version\":1,\"body\":\"{}\"}}", STANDARD.encode(named("in the body")));
    let spooled = |parent: Parent| Spooled { answer: body.clone().into(), ..answer(parent) };
    done("Stash", StoreOp::Stash { tokens: Box::new(tokens(&named("one"))) });
    let claim = shelf.claim().claim;
    done("Insert", StoreOp::Insert { claim, record: Box::new(first.clone()) });
    done("Settle", StoreOp::Settle { claim, record: None, leftovers: Leftovers::Remove });
    let claim = shelf.claim().claim;
    done("Prepare", StoreOp::Prepare { claim, record: Box::new(doubted(&first)) });
    done("Spool", StoreOp::Spool { claim, answer: spooled(first.parent()) });
    done("Spool again", StoreOp::Spool { claim, answer: spooled(first.parent()) });
    done("Commit", StoreOp::Commit { claim, parent: first.parent(), record: Box::new(second.clone()) });
    done("Park", StoreOp::Park { parent: first.parent(), tokens: Box::new(tokens(&named("late"))) });
    done("Settle", StoreOp::Settle { claim, record: None, leftovers: Leftovers::SetAside });
    assert!(!shelf.store.set_aside(&shelf.grant).is_empty());
    assert!(matches!(shelf.store.prove(&shelf.grant), StoreOutcome::Done));
    let claim = shelf.claim().claim;
    let salvaged = Some(restream_oauth_core::RefreshToken::new(named("salvaged")));
    let record = Record { salvaged, ..second };
    done("Settle", StoreOp::Settle { claim, record: Some(Box::new(record.clone())), leftovers: Leftovers::Leave });
    let claim = shelf.claim().claim;
    done("Forget", StoreOp::Forget { claim, tombstone: record.tombstone() });
}

#[test]
fn no_file_shows_a_token_after_any_operation_in_any_spelling() {
    let word = "c4nary7Qx2Vb";
    let words: Vec<Vec<u8>> = spellings(word).into_iter().map(String::into_bytes).collect();
    let folder = Folder::new();
    live(&sealed(&folder.0, &[K1]), word, |operation| {
        assert_eq!(leaks(&folder.0, &words), Vec::<String>::new(), "after {operation}");
    });
    // The search finds what a plain store shows.
    let (plain, mut found) = (Folder::new(), std::collections::BTreeSet::new());
    live(&Shelf::at(&plain.0), word, |_| found.extend(leaks(&plain.0, &words)));
    for name in ["default.json", "default.json.spool", "default.json.answer-g0", "default.json.answer-g0-2"] {
        assert!(found.contains(name), "{name} is not in {found:?}");
    }
    assert!(found.iter().any(|name| name.starts_with("00")), "a stashed login is not in {found:?}");
}

#[test]
fn the_files_of_two_grants_cannot_be_swapped() {
    let folder = Folder::new();
    let store = || FileStore::at(&folder.0).unwrap().sealed(ring(&[K1]));
    let shelf = |name: &str| Shelf { store: store(), grant: name.parse().unwrap() };
    let (one, other) = (shelf("one"), shelf("other"));
    for (shelf, name) in [(&one, "1"), (&other, "2")] {
        shelf.put(&login(name));
        let claim = shelf.claim().claim;
        shelf.done(StoreOp::Prepare { claim, record: Box::new(doubted(&login(name))) });
        shelf.done(StoreOp::Spool { claim, answer: answer(login(name).parent()) });
        shelf.done(StoreOp::Stash { tokens: Box::new(tokens("waiting")) });
        shelf.done(StoreOp::Settle { claim, record: None, leftovers: Leftovers::Leave });
    }
    drop((one, other));
    let swap = |suffix: &str| {
        let path = |name: &str| folder.0.join(format!("{name}.json{suffix}"));
        std::fs::rename(path("one"), folder.0.join("between")).unwrap();
        std::fs::rename(path("other"), path("one")).unwrap();
        std::fs::rename(folder.0.join("between"), path("other")).unwrap();
    };
    swap("");
    for name in ["one", "other"] {
        for op in [StoreOp::Read, StoreOp::Claim] {
            assert_eq!(refused(&shelf(name), op), SealError::CannotBeOpened { key: key("k1") });
        }
    }
    swap("");
    for suffix in [".spool", ".logins"] {
        swap(suffix);
    }
    // They are set aside for a person, and the grants go on.
    let claimed = shelf("one").look();
    assert_eq!(warnings(&claimed), [Warning::TornLeftover; 2]);
    assert_eq!((claimed.stored, claimed.spooled.len(), claimed.logins.len()), (grant(&doubted(&login("1"))), 0, 0));
    assert_eq!(shelf("one").store.set_aside(&shelf("one").grant).len(), 2);
}

/// What sealing does not see, and `KEEPING_TOKENS.md` says so: the server refuses the spent refresh token.
#[test]
fn an_older_file_of_the_same_grant_that_is_put_back_is_read_like_a_restored_backup() {
    let folder = Folder::new();
    let shelf = sealed(&folder.0, &[K1]);
    shelf.put(&login("1"));
    let old = folder.read("default.json");
    shelf.put(&next(&login("1"), "2"));
    folder.write("default.json", old);
    assert_eq!(sealed(&folder.0, &[K1]).read(), grant(&login("1")));
}

#[test]
fn a_sealed_file_that_is_damaged_anywhere_is_refused_and_left_as_it_is() {
    let folder = Folder::in_memory();
    sealed(&folder.0, &[K1]).put(&login("1"));
    let whole = folder.read("default.json").trim_end().as_bytes().to_vec();
    for index in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[index] ^= 1;
        folder.write("default.json", &damaged);
        let error = sealed(&folder.0, &[K1]).fails(StoreOp::Claim);
        let told = match error.kind() {
            StoreErrorKind::Sealed(SealError::Damaged | SealError::CannotBeOpened { .. }) => true,
            StoreErrorKind::Sealed(SealError::KeyMissing { key }) => key.as_str() != "k1",
            _ => false,
        };
        assert!(told, "{index}: {error:?}");
        assert_eq!(std::fs::read(folder.0.join("default.json")).unwrap(), damaged);
    }
    folder.write("default.json", &whole);
    assert_eq!(sealed(&folder.0, &[K1]).read(), grant(&login("1")));
}

#[test]
fn a_sealed_successor_is_put_in_place_if_it_follows_and_set_aside_if_it_is_torn() {
    let (first, second) = (login("1"), next(&login("1"), "2"));
    let follows = seal(&[K1], Kind::Record, "default", &replacing(&second, &first));
    let of_other = seal(&[K1], Kind::Record, "other", &replacing(&second, &first));
    let stranger = seal(&[K1], Kind::Record, "default", &replacing(&second, &second));
    for (left, stored, warned, aside) in [
        (follows.clone(), &second, Warning::LeftoverAdopted, None),
        (stranger, &first, Warning::LeftoverUnused, Some("default.json.leftover")),
        (of_other, &first, Warning::TornLeftover, Some("default.json.answer-torn")),
        (follows[..200].to_owned(), &first, Warning::TornLeftover, Some("default.json.answer-torn")),
        // As a program left it before the store was sealed.
        (replacing(&second, &first), &second, Warning::LeftoverAdopted, None),
    ] {
        let folder = Folder::new();
        sealed(&folder.0, &[K1]).put(&first);
        folder.write("default.json.new", &left);
        let shelf = sealed(&folder.0, &[K1]);
        let claimed = shelf.look();
        assert_eq!((warnings(&claimed), claimed.stored), (vec![warned], grant(stored)), "{left}");
        let expected: Vec<_> = aside.into_iter().map(|name| folder.0.join(name)).collect();
        assert_eq!(shelf.store.set_aside(&default()), expected, "{left}");
    }
}

#[test]
fn a_torn_answer_and_a_torn_login_are_set_aside() {
    let folder = Folder::new();
    let shelf = sealed(&folder.0, &[K1]);
    shelf.put(&login("1"));
    let spooled = seal(&[K1], Kind::Answer, "default", &answer(login("1").parent()).to_saved());
    let stash = seal(&[K1], Kind::Login, "default", &saved_tokens("2"));
    std::fs::create_dir(folder.0.join("default.json.logins")).unwrap();
    folder.write("default.json.spool", format!("{}{}", &spooled[..spooled.len() / 2], " ".repeat(1000)));
    folder.write("default.json.logins/1", &stash[..stash.len() / 2]);
    let claimed = shelf.look();
    assert_eq!(warnings(&claimed), [Warning::TornLeftover; 2]);
    let aside = ["default.json.answer-g0", "default.json.answer-torn"].map(|name| folder.0.join(name));
    assert_eq!(shelf.store.set_aside(&default()), aside);
}

#[test]
fn a_plain_store_is_sealed_while_it_is_used_and_can_be_told_to_refuse_plain_documents() {
    let folder = Folder::new();
    let plain = Shelf::at(&folder.0);
    plain.put(&login("1"));
    let claim = plain.claim().claim;
    plain.done(StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) });
    plain.done(StoreOp::Spool { claim, answer: answer(login("1").parent()) });
    plain.done(StoreOp::Stash { tokens: Box::new(tokens("2")) });
    drop(plain);
    let strict = || FileStore::at(&folder.0).unwrap().sealed(Sealer::new(ring(&[K1])).refuse_plain());
    let strict = || Shelf { store: strict(), grant: default() };
    for op in [StoreOp::Read, StoreOp::Claim] {
        assert_eq!(refused(&strict(), op), SealError::Plain);
    }
    let shelf = sealed(&folder.0, &[K1]);
    let claimed = shelf.claim();
    assert_eq!((claimed.spooled.len(), claimed.logins.len()), (1, 1));
    assert_eq!(key_of(folder.read("default.json").as_bytes()), Ok(None), "reading changes nothing");
    let new = Box::new(next(&login("1"), "2"));
    shelf.done(StoreOp::Commit { claim: claimed.claim, parent: login("1").parent(), record: new.clone() });
    assert_eq!(key_of(folder.read("default.json").as_bytes()), Ok(Some(key("k1"))));
    shelf.settle(&claimed, Leftovers::Remove);
    assert_eq!(strict().read(), grant(&new));
}

#[test]
fn a_store_of_one_file_is_sealed_for_the_name_of_its_grant() {
    let folder = Folder::new();
    let store = || FileStore::of_file(folder.0.join("tokens")).sealed(ring(&[K1]));
    let one = Shelf { store: store(), grant: "one".parse().unwrap() };
    one.put(&login("1"));
    assert_eq!(one.read(), grant(&login("1")));
    let other = Shelf { grant: "other".parse().unwrap(), ..one };
    assert_eq!(refused(&other, StoreOp::Read), SealError::CannotBeOpened { key: key("k1") });
    let same = Shelf { grant: "one".parse().unwrap(), ..other };
    assert_eq!(same.read(), grant(&login("1")));
}

#[test]
fn the_first_look_at_a_sealed_file_opens_it() {
    let folder = Folder::new();
    sealed(&folder.0, &[K1]).put(&login("1"));
    // A process that looks once and ends does nothing else with its store.
    let look = |keys: &[&str]| sealed(&folder.0, keys).store.peek(&default());
    assert!(matches!(look(&[K1]), StoreOutcome::Read { stored, .. } if stored == grant(&login("1"))));
    let StoreOutcome::Failed(error) = look(&[K2]) else { panic!("another key opens it") };
    assert_eq!(*error.kind(), StoreErrorKind::Sealed(SealError::KeyMissing { key: key("k1") }));
}

#[test]
fn a_tombstone_is_plain_and_a_login_after_it_is_sealed() {
    let folder = Folder::new();
    let shelf = Shelf { store: sealed(&folder.0, &[K1]).store, grant: default() };
    shelf.put(&login("1"));
    let claim = shelf.claim().claim;
    let tombstone = login("1").tombstone();
    shelf.done(StoreOp::Forget { claim, tombstone });
    let again = sealed(&folder.0, &[K1]);
    assert_eq!(again.read(), Stored::Tombstone(tombstone));
    let record = Record { generation: 1, ..login("2") };
    again.put(&record);
    assert_eq!(again.read(), grant(&record));
    assert_eq!(key_of(folder.read("default.json").as_bytes()), Ok(Some(key("k1"))));
}
