//! `FILE.new` of a run that died. It is put in place only if its pair replaces the pair in FILE.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use restream_oauth_core::Tokens;
use restream_oauth_sandbox::{Endpoint, Fault, What};
use sha2::{Digest as _, Sha256};

use crate::support::{Setup, mode};

const REFRESH: [&str; 3] = ["refresh", "--tokens", "tokens.json"];

fn refresh_token(text: &str) -> String {
    Tokens::from_saved(text).unwrap().refresh_token().unwrap().expose_secret().to_owned()
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// Writes `FILE.new` with mode 0600.
fn leave(setup: &Setup, text: &str) -> PathBuf {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let left = setup.folder.0.join("tokens.json.new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(&left).unwrap().write_all(text.as_bytes()).unwrap();
    left
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Returns a saved document with a member `replaces`.
fn naming(document: &str, hash: &str) -> String {
    let whole: serde_json::Value = serde_json::from_str(document).unwrap();
    let mut members = whole.as_object().unwrap().clone();
    members.insert("replaces".to_owned(), hash.into());
    serde_json::to_string(&members).unwrap()
}

/// Returns the only file that was set aside.
#[track_caller]
fn aside(setup: &Setup) -> PathBuf {
    let names: Vec<_> =
        setup.folder.names().into_iter().filter(|name| name.starts_with("tokens.json.leftover")).collect();
    assert_eq!(names.len(), 1, "{:?}", setup.folder.names());
    let path = setup.folder.0.join(&names[0]);
    assert_eq!(mode(&path), 0o600);
    path
}

#[test]
fn a_refresh_saves_the_hash_of_the_refresh_token_that_it_replaced() {
    let setup = Setup::new();
    let path = setup.token_file();
    let first = read(&path);
    assert!(!first.contains("replaces"), "a first login replaces no pair");
    setup.run(&REFRESH).expect(0);
    let second: serde_json::Value = serde_json::from_str(&read(&path)).unwrap();
    assert_eq!(second["replaces"], hash(&refresh_token(&first)));
    // A login over a file with tokens saves the hash too. It is lost when the user is written down: it matters only for
    // a pair that is not in place yet.
    let second = read(&path);
    setup.sandbox.inject(Fault::new(What::status(500)).on(Endpoint::Profile));
    setup.token_file();
    let third: serde_json::Value = serde_json::from_str(&read(&path)).unwrap();
    assert_eq!(third["replaces"], hash(&refresh_token(&second)));
    // Tokens on standard output have no such member.
    assert!(!setup.run_with_input(&["refresh"], &read(&path)).expect(0).stdout.contains("replaces"));
}

#[test]
fn a_leftover_that_replaces_the_pair_in_the_file_is_put_in_place() {
    let setup = Setup::new();
    let path = setup.token_file();
    let first = read(&path);
    setup.run(&REFRESH).expect(0);
    // As if the run had died before the rename.
    let second = read(&path);
    std::fs::write(&path, &first).unwrap();
    leave(&setup, &second);
    let outcome = setup.run(&REFRESH).expect(0);
    assert!(outcome.stderr.contains("found newer tokens"), "{}", outcome.stderr);
    assert_eq!(setup.sandbox.ledger().dead_refresh_tokens_used, 0);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}

/// Another program may have refreshed, restored or replaced the file since.
#[test]
fn a_leftover_older_than_the_file_is_set_aside() {
    let setup = Setup::new();
    let path = setup.token_file();
    let first = read(&path);
    setup.run(&REFRESH).expect(0);
    let second = read(&path);
    setup.run(&REFRESH).expect(0);
    let third = read(&path);
    for older in [first, second] {
        let left = leave(&setup, &older);
        let outcome =
            setup.run(&["revoke", "--tokens", "tokens.json", "--revoke-url", "http://127.0.0.1:9/"]).expect(4);
        assert_eq!(read(&path), third, "the file stays what it was");
        let aside = aside(&setup);
        assert!(outcome.stderr.contains(aside.file_name().unwrap().to_str().unwrap()), "{}", outcome.stderr);
        assert_eq!(read(&aside), older);
        assert!(!left.exists());
        std::fs::remove_file(aside).unwrap();
    }
    setup.run(&REFRESH).expect(0);
    assert_eq!(setup.sandbox.ledger().dead_refresh_tokens_used, 0);
}

#[test]
fn a_leftover_of_another_grant_is_set_aside() {
    let setup = Setup::new();
    let path = setup.token_file();
    let other = read(&path);
    std::fs::remove_file(&path).unwrap();
    setup.token_file();
    let own = read(&path);
    let hash_of_other = hash(&refresh_token(&other));
    for leftover in [other.clone(), naming(&other, &hash_of_other), naming(&other, &hash("r0")), naming(&other, "")] {
        leave(&setup, &leftover);
        setup.run(&["revoke", "--tokens", "tokens.json", "--revoke-url", "http://127.0.0.1:9/"]).expect(4);
        assert_eq!(read(&path), own);
        let aside = aside(&setup);
        assert_eq!(read(&aside), leftover);
        std::fs::remove_file(aside).unwrap();
    }
}

#[test]
fn a_leftover_does_not_replace_a_damaged_file() {
    let setup = Setup::new();
    let path = setup.token_file();
    let leftover = naming(&read(&path), &hash("r0"));
    let damaged = r#"{"version":2,"kind":"tokens","access_token":"a"#;
    std::fs::write(&path, damaged).unwrap();
    leave(&setup, &leftover);
    for command in ["refresh", "revoke"] {
        setup.run(&[command, "--tokens", "tokens.json"]).expect(1);
        assert_eq!(read(&path), damaged);
        assert_eq!(read(&setup.folder.0.join("tokens.json.new")), leftover, "it stays what it is");
    }
    // Without the damaged file, it is not taken for a login.
    std::fs::remove_file(&path).unwrap();
    setup.run(&REFRESH).expect(3);
    assert_eq!(read(&aside(&setup)), leftover);
}

#[test]
fn without_a_file_the_leftover_of_a_login_is_used_and_the_leftover_of_a_refresh_is_not() {
    let setup = Setup::new();
    let path = setup.token_file();
    let first = read(&path);
    setup.run(&REFRESH).expect(0);
    let second = read(&path);
    // The user removed the file, or revoked its tokens.
    std::fs::remove_file(&path).unwrap();
    leave(&setup, &second);
    setup.run(&REFRESH).expect(3);
    assert!(!path.exists());
    let aside = aside(&setup);
    assert_eq!(read(&aside), second);
    std::fs::remove_file(aside).unwrap();

    // A login died between writing and renaming. An empty file counts as missing.
    for empty in [false, true] {
        if empty {
            std::fs::write(&path, "").unwrap();
        }
        leave(&setup, &first);
        setup.run(&["revoke", "--tokens", "tokens.json", "--revoke-url", "http://127.0.0.1:9/"]).expect(4);
        assert_eq!(read(&path), first);
        std::fs::remove_file(&path).unwrap();
    }
}

/// A run dies while it proves that the file can be replaced.
#[test]
fn a_leftover_with_the_pair_of_the_file_is_removed() {
    let setup = Setup::new();
    let path = setup.token_file();
    leave(&setup, &read(&path));
    let outcome = setup.run(&["revoke", "--tokens", "tokens.json", "--revoke-url", "http://127.0.0.1:9/"]).expect(4);
    assert!(!outcome.stderr.contains("tokens.json.new"), "{}", outcome.stderr);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}

/// A login dies before it has the lock, over tokens that are dead, or where there are none any more.
#[test]
fn a_login_that_waits_beside_a_file_without_living_tokens_is_put_in_place() {
    for revoked in [false, true] {
        let setup = Setup::new();
        let path = setup.token_file();
        if revoked {
            setup.run(&["revoke", "--tokens", "tokens.json"]).expect(0);
        } else {
            setup.run_with_input(&["revoke"], &read(&path)).expect(0);
            setup.run(&REFRESH).expect(3);
        }
        let dead = std::fs::read(&path).ok();
        setup.log_in();
        let login = Tokens::from_saved(read(&path)).unwrap();
        std::fs::remove_file(&path).unwrap();
        if let Some(dead) = dead {
            std::fs::write(&path, dead).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        std::fs::create_dir(setup.folder.0.join("tokens.json.logins")).unwrap();
        let left = leave(&setup, login.to_saved().expose_secret());
        std::fs::rename(left, setup.folder.0.join("tokens.json.logins/1")).unwrap();
        let outcome = setup.run(&REFRESH).expect(0);
        assert!(outcome.stderr.contains("found tokens of a login"), "{}", outcome.stderr);
        assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
        setup.run(&["profile", "--tokens", "tokens.json"]).expect(0);
    }
}

/// The refusal holds no token. Every user who ends a grant in the settings of Restream comes here.
#[test]
fn a_refusal_of_a_grant_that_was_ended_leaves_nothing_behind() {
    let setup = Setup::new();
    setup.token_file();
    setup.sandbox.end_grants();
    let outcome = setup.run(&["refresh", "--tokens", "tokens.json"]).expect(3);
    assert!(!outcome.stderr.contains("the answer is kept"), "{}", outcome.stderr);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}

/// An answer before the refusal may hold a part of the pair.
#[test]
fn an_answer_that_came_before_the_refusal_is_kept() {
    let setup = Setup::new();
    setup.token_file();
    let torn = What::body("application/json", r#"{"access_token":"hal"#);
    setup.sandbox.inject(Fault::new(torn).on(Endpoint::Token).after_acting());
    setup.run(&["refresh", "--tokens", "tokens.json"]).expect(3);
    let kept = setup.folder.names().into_iter().filter(|name| name.starts_with("tokens.json.answer-")).count();
    assert_eq!(kept, 1, "not the refusal, which holds nothing: {:?}", setup.folder.names());
}
