//! What is read from the file: records, old documents, and what is none.

use restream_oauth_core::SavedError;
use restream_oauth_keeper::seal::SealError;
use restream_oauth_keeper::store::{FileStore, Leftovers, StoreErrorKind, StoreOp, StoreOutcome, Warning};
use restream_oauth_keeper::{GrantName, LoginId, Record, Stored};

use crate::support::{Folder, Shelf, default, doubted, grant, login, mode, next, saved_tokens, tokens, warnings};

#[test]
fn a_rotation_leaves_one_line_that_the_core_reads_and_nothing_else() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    let claimed = shelf.claim();
    let (claim, record) = (claimed.claim, login("1"));
    shelf.done(StoreOp::Prepare { claim, record: Box::new(doubted(&record)) });
    assert_eq!(folder.names(), ["default.json", "default.json.lock", "default.json.spool"]);
    shelf.done(StoreOp::Spool { claim, answer: crate::support::answer(record.parent()) });
    let new = next(&record, "2");
    shelf.done(StoreOp::Commit { claim, parent: record.parent(), record: Box::new(new.clone()) });
    shelf.settle(&claimed, Leftovers::Remove);
    assert_eq!(folder.names(), ["default.json", "default.json.lock"]);
    let text = folder.read("default.json");
    assert_eq!(text.lines().count(), 1);
    assert_eq!(restream_oauth_core::Tokens::from_saved(&text).unwrap(), tokens("2"));
    // As the command wrote it before there was a keeper, so that an older one can follow a crash.
    let members: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(members["replaces"].as_str().unwrap().len(), 64);
    assert_eq!(shelf.read(), grant(&new));
    assert_eq!(mode(&folder.0.join("default.json")), 0o600);
}

#[test]
fn grants_have_a_file_each_and_a_file_store_of_one_file_has_one() {
    let folder = Folder::new();
    let store = FileStore::at(folder.0.join("new/grants")).unwrap();
    assert_eq!(mode(&folder.0.join("new/grants")), 0o700);
    let other: GrantName = "channel-7".parse().unwrap();
    assert_eq!(store.path(&other), folder.0.join("new/grants/channel-7.json"));
    let one = FileStore::of_file(folder.0.join("tokens.txt"));
    assert_eq!((one.path(&default()), one.path(&other)), (folder.0.join("tokens.txt"), folder.0.join("tokens.txt")));
}

/// pi #7499.
#[test]
fn documents_of_a_program_without_a_keeper_are_generation_0() {
    let version_1 = saved_tokens("1")
        .replace("\"version\":2", "\"version\":1")
        .replace("\"client_id\":\"id\",\"token_endpoint\":\"https://api.example/token\",", "");
    let with_byte_order_mark = format!("\u{feff}{}\n", saved_tokens("1"));
    let naming_its_parent = saved_tokens("1").replace("\"oddities\"", "\"replaces\":\"00\",\"oddities\"");
    for (document, bound) in [
        (saved_tokens("1"), true),
        (version_1, false),
        (with_byte_order_mark, true),
        (naming_its_parent, true),
        (format!("{}\r\n", saved_tokens("1")), true),
    ] {
        let folder = Folder::new();
        folder.write("default.json", &document);
        let shelf = Shelf::at(&folder.0);
        let claimed = shelf.look();
        let record = claimed.stored.record().unwrap();
        assert_eq!((record.generation, record.login), (0, LoginId::of(&tokens("1"))), "{document}");
        assert_eq!(claimed.warnings.contains(&Warning::Unbound), !bound, "{document}");
        assert_eq!(folder.read("default.json"), document, "looking changes nothing");
    }
}

#[test]
fn a_document_that_cannot_be_used_is_an_error_and_nothing_is_touched() {
    let utf_16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(saved_tokens("1").bytes().flat_map(|it| [it, 0])).collect();
    let torn = saved_tokens("1")[..100].to_owned();
    let newer = saved_tokens("1").replace("\"version\":2", "\"version\":3");
    let damaged = login("1").to_saved().replace("\"generation\":0", "\"generation\":-1");
    for (document, kind) in [
        (newer.into_bytes(), SavedError::UnknownVersion),
        (torn.into_bytes(), SavedError::NotJson),
        (utf_16, SavedError::Utf16),
        (vec![0; 700], SavedError::NotJson),
        (b" \n".to_vec(), SavedError::NotJson),
        (b"{}".to_vec(), SavedError::OtherKind { expected: "tokens" }),
        (damaged.into_bytes(), SavedError::Damaged("keeper")),
    ] {
        let folder = Folder::new();
        folder.write("default.json", &document);
        folder.write("default.json.new", "something of a newer program");
        folder.write("default.json.spool", "something of a newer program");
        folder.write("default.json.gone", "something of a newer program");
        std::fs::remove_file(folder.0.join("default.json.gone")).unwrap();
        let shelf = Shelf::at(&folder.0);
        for op in [StoreOp::Read, StoreOp::Claim, StoreOp::Claim] {
            let error = shelf.fails(op);
            assert_eq!(*error.kind(), StoreErrorKind::Document(kind.clone()), "{error}");
            let text = error.to_string();
            assert!(text.contains("default.json") && !text.contains("a-1") && !text.contains("r-1"), "{text}");
        }
        assert_eq!(std::fs::read(folder.0.join("default.json")).unwrap(), document);
        let names = ["default.json", "default.json.lock", "default.json.new", "default.json.spool"];
        assert_eq!(folder.names(), names, "nothing is deleted or moved");
    }
}

#[test]
fn an_answer_of_a_newer_version_fails_the_claim_and_stays() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    let newer = crate::support::answer(login("1").parent())
        .to_saved()
        .replace("\"version\":1,\"kind\"", "\"version\":2,\"kind\"");
    folder.write("default.json.spool", &newer);
    let error = shelf.fails(StoreOp::Claim);
    assert_eq!(*error.kind(), StoreErrorKind::Document(SavedError::UnknownVersion), "{error}");
    assert_eq!(folder.read("default.json.spool"), newer);
}

#[test]
fn an_empty_file_is_no_grant_and_no_file_appears_without_tokens() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    let claimed = shelf.claim();
    assert_eq!(claimed.stored, Stored::Nothing);
    assert_eq!(folder.names(), ["default.json.lock"]);
    shelf.settle(&claimed, Leftovers::Remove);
    assert!(matches!(shelf.store.prove(&default()), StoreOutcome::Done));
    assert_eq!(folder.names(), ["default.json.lock"], "a proof leaves nothing");
    // As `touch default.json` makes it, for a container.
    folder.write("default.json", "");
    assert_eq!(shelf.read(), Stored::Nothing);
    assert!(matches!(shelf.store.prove(&default()), StoreOutcome::Done));
    shelf.put(&login("1"));
    assert_eq!(shelf.read(), grant(&login("1")));
}

#[test]
fn a_proof_changes_no_record() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    folder.write("default.json", saved_tokens("1"));
    assert!(matches!(shelf.store.prove(&default()), StoreOutcome::Done));
    assert_eq!(folder.read("default.json"), saved_tokens("1"));
    assert_eq!(folder.names(), ["default.json", "default.json.lock"]);
    let held = Shelf::at(&folder.0);
    held.claim();
    assert!(matches!(shelf.store.prove(&default()), StoreOutcome::Busy));
}

#[test]
fn a_tombstone_hides_what_is_left_of_its_login_and_nothing_later() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&Record { generation: 4, ..login("1") });
    let before = folder.read("default.json");
    let claim = shelf.claim().claim;
    let gone = Record { generation: 4, ..login("1") }.tombstone();
    shelf.done(StoreOp::Forget { claim, tombstone: gone });
    assert_eq!(folder.names(), ["default.json.gone", "default.json.lock"]);
    assert!(!folder.read("default.json.gone").contains("r-1"), "no secret is left");
    assert_eq!(Shelf::at(&folder.0).read(), Stored::Tombstone(gone));

    // A process died after it wrote the tombstone, before it removed the file.
    folder.write("default.json", &before);
    assert_eq!(shelf.read(), Stored::Tombstone(gone));
    assert_eq!(shelf.look().stored, Stored::Tombstone(gone));
    assert_eq!(folder.names(), ["default.json.gone", "default.json.lock"]);

    // A process died after it stored the next login, before it removed the tombstone.
    let later = Record { generation: 5, ..login("2") };
    folder.write("default.json", later.to_saved());
    assert_eq!(shelf.read(), grant(&later));
    assert_eq!(shelf.look().stored, grant(&later));
    assert_eq!(folder.names(), ["default.json", "default.json.lock"]);

    // Where nobody dies, the login removes it.
    let claim = shelf.claim().claim;
    shelf.done(StoreOp::Forget { claim, tombstone: later.tombstone() });
    let claim = shelf.claim().claim;
    shelf.done(StoreOp::Insert { claim, record: Box::new(Record { generation: 6, ..login("3") }) });
    assert_eq!(folder.names(), ["default.json", "default.json.lock"]);
}

/// Editors and `cp` know no lock.
#[test]
fn a_file_that_was_replaced_during_a_claim_is_not_overwritten_by_a_refresh() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    let claim = shelf.claim().claim;
    folder.write("default.json", login("2").to_saved());
    let error = shelf.fails(StoreOp::Prepare { claim, record: Box::new(doubted(&login("1"))) });
    assert_eq!(*error.kind(), StoreErrorKind::ClaimLost, "{error}");
    assert_eq!(shelf.read(), grant(&login("2")));
    assert_eq!(shelf.look().stored, grant(&login("2")), "the claim is released");
    // A successor of the old record does not replace it either.
    let late = StoreOp::Commit { claim, parent: login("1").parent(), record: Box::new(next(&login("1"), "3")) };
    assert!(matches!(shelf.run(late), StoreOutcome::Superseded(stored) if stored == grant(&login("2"))));
    assert_eq!(warnings(&shelf.look()), []);
}

#[test]
fn a_sealed_document_in_a_plain_store_is_an_error_that_names_its_key() {
    let document = "{\"version\":1,\"kind\":\"sealed\",\"of\":\"record\",\"key\":\"2026-11\",\"client\":\"id\",\
                    \"generation\":7,\"salt\":\"AAAA\",\"sealed\":\"AAAA\"}\n";
    let folder = Folder::new();
    folder.write("default.json", document);
    let shelf = Shelf::at(&folder.0);
    for op in [StoreOp::Read, StoreOp::Claim] {
        let error = shelf.fails(op);
        let expected = SealError::NoRing { key: "2026-11".parse().unwrap() };
        assert_eq!(*error.kind(), StoreErrorKind::Sealed(expected));
        assert!(error.to_string().contains("it is sealed with the key 2026-11"), "{error}");
    }
    assert_eq!(folder.read("default.json"), document);
    folder.write("default.json", document.replace("\"version\":1", "\"version\":2"));
    assert_eq!(*shelf.fails(StoreOp::Claim).kind(), StoreErrorKind::Document(SavedError::UnknownVersion));
}

#[test]
fn a_folder_lists_its_grants_and_nothing_that_lies_beside_them() {
    let folder = Folder::new();
    let store = FileStore::at(&folder.0).unwrap();
    assert_eq!(store.grants().unwrap(), []);
    for name in [
        "a.json",
        "a.json.lock",
        "a.json.new",
        "a.json.answer-g7",
        "left.json.new",
        "gone.json.gone",
        "x.json.spool",
        "b.json.json",
        ".hidden.json",
        "not a name.json",
        "notes.txt",
    ] {
        folder.write(name, "");
    }
    std::fs::create_dir(folder.0.join("waits.json.logins")).unwrap();
    let names: Vec<_> = store.grants().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a", "b.json", "left", "waits"]);
    assert_eq!(FileStore::of_file(folder.0.join("a.json")).grants().unwrap(), []);
    std::fs::remove_dir_all(&folder.0).unwrap();
    assert_eq!(*store.grants().unwrap_err().kind(), StoreErrorKind::Missing);
}
