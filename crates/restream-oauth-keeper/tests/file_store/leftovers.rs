//! What a process left behind when it died.

use restream_oauth_keeper::store::{Leftovers, StoreOp, Warning};
use restream_oauth_keeper::{LoginId, Record, Stored, Stray};

use crate::support::{
    Folder, Shelf, answer, doubted, grant, login, mode, next, saved_tokens, set_mode, tokens, warnings,
};

/// The name by which a document says which pair it replaces: the SHA-256 of the refresh token.
fn replacing(document: &str, name: &str) -> String {
    let hash = format!("{:?}", LoginId::of(&tokens(name)));
    // `Debug` shows the beginning of the hash alone, so the whole one is taken from a document.
    let saved = login(name).to_saved();
    let at = saved.find("\"login\":\"").unwrap() + "\"login\":\"".len();
    let whole = &saved[at..at + 64];
    assert!(hash.contains(&whole[..8]));
    document.replacen("\"oddities\"", &format!("\"replaces\":\"{whole}\",\"oddities\""), 1)
}

/// What must become of `FILE.new`.
enum Fate {
    Adopted,
    Removed,
    Aside(&'static str, Warning),
}

#[test]
fn a_leftover_is_put_in_place_only_if_it_follows_on_the_file() {
    let record = login("1");
    let second = next(&record, "2");
    let unused = || Fate::Aside("default.json.leftover", Warning::LeftoverUnused);
    let salvaged = Record { salvaged: Some(restream_oauth_core::RefreshToken::new("r-salvaged")), ..record.clone() };
    let salvaged_late = Record { generation: salvaged.generation + 1, ..salvaged.clone() };
    let strays = vec![Stray { generation: 0, tokens: tokens("stray") }];
    let with_stray = Record { strays, ..record.clone() };
    let of_login = Record { generation: 1, ..login("2") };
    let newer = replacing(&saved_tokens("2"), "1").replace("\"version\":2", "\"version\":3");
    let text = |record: &Record| record.to_saved().to_string();
    for (name, file, leftover, fate) in [
        ("a commit", Some(text(&record)), replacing(&text(&second), "1"), Fate::Adopted),
        (
            "a commit of a program without a keeper",
            Some(saved_tokens("1")),
            replacing(&saved_tokens("2"), "1"),
            Fate::Adopted,
        ),
        ("a login over a grant", Some(text(&record)), replacing(&text(&of_login), "1"), Fate::Adopted),
        ("a first login", None, text(&record), Fate::Adopted),
        ("a first login of a program without a keeper", None, saved_tokens("1"), Fate::Adopted),
        ("a first login over an empty file", Some(String::new()), text(&record), Fate::Adopted),
        ("Prepare", Some(text(&record)), text(&doubted(&record)), Fate::Removed),
        ("a proof of a program without a keeper", Some(saved_tokens("1")), saved_tokens("1"), Fate::Removed),
        ("an end of a doubt", Some(text(&doubted(&record))), text(&record), Fate::Removed),
        ("a salvaged token", Some(text(&record)), text(&salvaged), Fate::Adopted),
        ("a salvaged token of a process without the claim", Some(text(&record)), text(&salvaged_late), Fate::Adopted),
        ("an older state without the salvaged token", Some(text(&salvaged)), text(&record), Fate::Removed),
        ("a late pair", Some(text(&record)), text(&with_stray), Fate::Adopted),
        ("an empty file", Some(text(&record)), String::new(), Fate::Removed),
        ("white space", Some(text(&record)), " \n".to_owned(), Fate::Removed),
        ("a tombstone", Some(text(&record)), record.tombstone().to_saved(), Fate::Removed),
        ("a pair that names no parent", Some(text(&record)), saved_tokens("2"), unused()),
        ("a pair of another parent", Some(text(&record)), replacing(&text(&second), "0"), unused()),
        ("an older pair", Some(text(&second)), text(&record), unused()),
        ("a refresh without its file", None, replacing(&text(&second), "1"), unused()),
        ("a refresh without its file and name", None, text(&second), unused()),
        ("a newer version", Some(text(&record)), newer, unused()),
        (
            "half a pair",
            Some(text(&record)),
            text(&second)[..150].to_owned(),
            Fate::Aside("default.json.answer-torn", Warning::TornLeftover),
        ),
    ] {
        let folder = Folder::new();
        if let Some(file) = &file {
            folder.write("default.json", file);
        }
        folder.write("default.json.new", &leftover);
        let claimed = Shelf::at(&folder.0).look();
        let mut expected = vec!["default.json.lock"];
        match &fate {
            Fate::Adopted => {
                assert_eq!(folder.read("default.json"), leftover, "{name}");
                let record = Record::from_saved(&leftover).unwrap();
                assert_eq!(claimed.stored, grant(&record), "{name}");
                assert_eq!(warnings(&claimed), [Warning::LeftoverAdopted], "{name}");
            }
            Fate::Removed => assert_eq!(warnings(&claimed), [], "{name}"),
            Fate::Aside(aside, warning) => {
                expected.push(aside);
                assert_eq!(folder.read(aside), leftover, "{name}");
                assert_eq!(mode(&folder.0.join(aside)), 0o600, "{name}");
                assert_eq!(warnings(&claimed), [*warning], "{name}");
            }
        }
        if !matches!(fate, Fate::Adopted) {
            let present = file.as_ref().map(|file| folder.read("default.json") == *file);
            assert_ne!(present, Some(false), "{name}: the file is as it was");
        }
        if file.is_some() || matches!(fate, Fate::Adopted) {
            expected.push("default.json");
        }
        expected.sort_unstable();
        assert_eq!(folder.names(), expected, "{name}");
    }
}

#[test]
fn a_leftover_of_a_login_that_ended_is_set_aside() {
    let folder = Folder::new();
    folder.write("default.json.gone", login("1").tombstone().to_saved());
    folder.write("default.json.new", login("1").to_saved());
    let claimed = Shelf::at(&folder.0).look();
    assert_eq!(claimed.stored, Stored::Tombstone(login("1").tombstone()));
    assert_eq!(folder.names(), ["default.json.gone", "default.json.leftover", "default.json.lock"]);
    // A later login is not.
    folder.write("default.json.new", login("2").to_saved());
    assert_eq!(Shelf::at(&folder.0).look().stored, grant(&login("2")));
}

#[test]
fn leftovers_that_others_could_have_written_are_set_aside() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&login("1"));
    folder.write("default.json.new", replacing(&next(&login("1"), "2").to_saved(), "1"));
    folder.write("default.json.spool", answer(login("1").parent()).to_saved());
    std::fs::create_dir(folder.0.join("default.json.logins")).unwrap();
    folder.write("default.json.logins/1", tokens("2").to_saved().expose_secret());
    for name in ["default.json.new", "default.json.spool", "default.json.logins/1"] {
        set_mode(&folder.0.join(name), 0o666);
    }
    let claimed = shelf.look();
    assert_eq!(claimed.stored, grant(&login("1")));
    assert_eq!((claimed.spooled.len(), claimed.logins.len()), (0, 0));
    assert_eq!(warnings(&claimed), [Warning::LeftoverOfOthers; 3]);
    let aside = ["default.json.leftover", "default.json.leftover-2", "default.json.leftover-3"];
    assert!(aside.iter().all(|name| folder.names().iter().any(|it| it == name)), "{:?}", folder.names());
}

#[test]
fn a_torn_answer_is_set_aside_until_the_next_pair_is_stored() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    let record = Record { generation: 7, ..login("1") };
    shelf.put(&doubted(&record));
    let torn = answer(record.parent()).to_saved()[..80].to_owned();
    folder.write("default.json.spool", format!("{torn}{}", " ".repeat(900)));
    folder.write("default.json.spool-2", answer(record.parent()).to_saved());
    let claimed = shelf.claim();
    assert_eq!(claimed.spooled, [answer(record.parent())]);
    assert_eq!(warnings(&claimed), [Warning::TornLeftover]);
    assert_eq!(folder.read("default.json.answer-g7").trim_end(), torn);
    shelf.settle(&claimed, Leftovers::Leave);
    assert_eq!(shelf.look().spooled, [answer(record.parent())], "the gap hides no answer");
    let claimed = shelf.claim();
    let commit =
        StoreOp::Commit { claim: claimed.claim, parent: record.parent(), record: Box::new(next(&record, "2")) };
    shelf.done(commit);
    shelf.settle(&claimed, Leftovers::Remove);
    assert_eq!(folder.names(), ["default.json", "default.json.lock"]);
}

#[test]
fn answers_of_the_command_are_not_removed() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    let names = ["default.json.answer-1700000000000", "default.json.refused", "default.json.leftover-1700000000000"];
    for name in names {
        folder.write(name, "precious");
    }
    shelf.put(&login("1"));
    let claimed = shelf.claim();
    shelf.done(StoreOp::Forget { claim: claimed.claim, tombstone: login("1").tombstone() });
    assert!(names.iter().all(|name| folder.read(name) == "precious"));
}

#[test]
fn an_answer_that_is_not_dealt_with_survives_a_further_refresh() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    shelf.put(&doubted(&login("1")));
    let mut first = answer(login("1").parent());
    first.number = 9;
    folder.write("default.json.spool", first.to_saved());
    let claimed = shelf.claim();
    shelf.done(StoreOp::Prepare { claim: claimed.claim, record: Box::new(doubted(&login("1"))) });
    let second = answer(login("1").parent());
    shelf.done(StoreOp::Spool { claim: claimed.claim, answer: second.clone() });
    shelf.settle(&claimed, Leftovers::Leave);
    let mut spooled = shelf.claim().spooled;
    spooled.sort_by_key(|spooled| spooled.number);
    assert_eq!(spooled, [second, first]);
}

#[test]
fn a_login_that_is_being_stashed_is_not_taken_for_a_torn_one() {
    let folder = Folder::new();
    let shelf = Shelf::at(&folder.0);
    std::fs::create_dir(folder.0.join("default.json.logins")).unwrap();
    let text = saved_tokens("1");
    folder.write("default.json.logins/1", &text[..100]);
    let writing = std::fs::File::open(folder.0.join("default.json.logins/1")).unwrap();
    writing.lock().unwrap();
    let claimed = shelf.look();
    assert_eq!((claimed.logins.len(), warnings(&claimed)), (0, vec![]));
    folder.write("default.json.logins/1", &text);
    drop(writing);
    assert_eq!(shelf.look().logins, [tokens("1")]);

    // Its process died.
    folder.write("default.json.logins/1", &text[..100]);
    assert_eq!(warnings(&shelf.look()), [Warning::TornLeftover]);
    assert_eq!(folder.read("default.json.answer-torn"), text[..100]);
}
