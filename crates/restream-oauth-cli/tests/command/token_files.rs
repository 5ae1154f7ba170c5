//! `--tokens FILE`: the file is private, locked, replaced whole, and never left worse than it was.

use std::path::Path;

use restream_oauth_core::Tokens;
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Outcome, Setup, kept, kept_body, mode, pair, skipped};

fn refresh_token(path: &Path) -> String {
    let tokens = Tokens::from_saved(std::fs::read_to_string(path).unwrap()).unwrap();
    tokens.refresh_token().unwrap().expose_secret().to_owned()
}

/// OAuth 2.1 draft §4.3.2, RFC 6749 §6.
#[test]
fn a_refresh_replaces_the_file_and_prints_nothing() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = refresh_token(&path);
    let outcome = setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
    assert_eq!(outcome.stdout, "");
    assert_ne!(refresh_token(&path), before);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
    setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
}

/// CVE-2026-48790, OAuth 2.1 draft §4.3, RFC 6749 §10.3.
#[test]
fn every_file_is_private_under_any_umask() {
    let setup = Setup::new();
    setup.token_file();
    // The server asks for a longer wait than a run has.
    let torn = What::Status {
        status: 503,
        headers: vec![("Retry-After".to_owned(), "600".to_owned())],
        body: r#"{"access_token":"hal"#.into(),
    };
    setup.sandbox.inject(Fault::new(torn).on(Endpoint::Token).before_acting());
    let script = format!("umask 000; exec {} refresh --tokens tokens.json", env!("CARGO_BIN_EXE_restream-oauth"));
    let mut command = setup.command(&[]);
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .args(["-c", &script])
        .current_dir(&setup.folder.0)
        .env_clear()
        .envs(command.stdin(std::process::Stdio::null()).get_envs().filter_map(|(name, value)| Some((name, value?))));
    Outcome::of(shell.output().unwrap()).expect(4);
    for name in setup.folder.names() {
        assert_eq!(mode(&setup.folder.0.join(&name)), 0o600, "{name}");
    }
    assert_eq!(setup.folder.names().len(), 3, "tokens, lock and the answer: {:?}", setup.folder.names());
}

/// gitmoot #1856.
#[test]
fn a_failed_refresh_leaves_the_pair_as_it_was_and_keeps_the_answer() {
    for (what, kept_answer) in [
        (What::bad_json(), None),
        (What::body("text/html", "<html>portal</html>"), None),
        (What::body("application/json", r#"{"access_token":"half","expi"#), Some(r#"{"access_token":"half","expi"#)),
        // A refusal holds nothing.
        (What::body("application/json", r#"{"error":"invalid_grant"}"#), None),
        (What::status(500), None),
        (What::redirect(302), None),
    ] {
        let setup = Setup::new();
        let path = setup.token_file();
        let before = pair(&path);
        setup.sandbox.inject(Fault::new(what.clone()).on(Endpoint::Token));
        // A replay would end well.
        setup.sandbox.inject(Fault::new(What::retry_after(429, "600")).on(Endpoint::Token));
        let outcome = setup.run(&["refresh", "--tokens", "tokens.json"]);
        assert_ne!(outcome.exit, Some(0), "{what:?}");
        assert_eq!(outcome.stdout, "", "{what:?}");
        assert_eq!(pair(&path), before, "{what:?}");
        let names = setup.folder.names();
        let answer = names.iter().find(|name| !["tokens.json", "tokens.json.lock"].contains(&name.as_str()));
        let body = answer.map(|name| kept_body(&setup.folder.0.join(name), before.refresh_token().unwrap()));
        assert_eq!(body.as_deref(), kept_answer, "{what:?}");
        if let Some(name) = answer {
            assert!(name.starts_with("tokens.json.answer-"), "{name}");
            assert_eq!(mode(&setup.folder.0.join(name)), 0o600);
            assert!(outcome.stderr.contains(name.as_str()), "{what:?}: {}", outcome.stderr);
        }
    }
}

#[test]
fn a_lost_answer_leaves_the_pair_as_it_was() {
    for what in [What::lost_answer(), What::reset()] {
        let setup = Setup::new();
        let path = setup.token_file();
        let before = pair(&path);
        setup.sandbox.inject(Fault::new(what.clone()).on(Endpoint::Token));
        setup.sandbox.inject(Fault::new(What::retry_after(429, "600")).on(Endpoint::Token));
        let outcome = setup.run(&["refresh", "--tokens", "tokens.json"]).expect(4);
        assert!(outcome.stderr.contains("tokens.json remembers this"), "{}", outcome.stderr);
        assert_eq!(pair(&path), before, "{what:?}");
        // The second request was refused, and the first one is still in doubt.
        assert_eq!(kept(&path)["doubt"]["sends"], 1, "{what:?}");
    }
}

/// RUSTSEC-2023-0018.
#[test]
fn a_folder_that_cannot_be_written_spends_no_token() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = std::fs::read(&path).unwrap();
    let sent = setup.token_requests();
    // Modes do not stop the superuser, but a symbolic link and a folder in the place of the file do.
    let target = setup.folder.0.join("link.json");
    std::os::unix::fs::symlink(&path, &target).unwrap();
    let outcome = setup.run(&["refresh", "--tokens", "link.json"]).expect(1);
    assert!(outcome.stderr.contains("symbolic link"), "{}", outcome.stderr);
    std::fs::create_dir(setup.folder.0.join("folder.json")).unwrap();
    setup.run(&["refresh", "--tokens", "folder.json"]).expect(1);
    setup.run(&["refresh", "--tokens", "missing/tokens.json"]).expect(1);
    assert_eq!(setup.token_requests(), sent, "nothing was sent");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(std::fs::symlink_metadata(&target).unwrap().is_symlink());
}

/// RUSTSEC-2023-0018.
#[test]
fn a_folder_behind_another_users_link_spends_no_token() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = std::fs::read(&path).unwrap();
    let sent = setup.token_requests();
    let (theirs, ours) = (setup.elsewhere.0.join("theirs"), setup.elsewhere.0.join("ours"));
    for link in [&theirs, &ours] {
        std::os::unix::fs::symlink(&setup.folder.0, link).unwrap();
    }
    if std::os::unix::fs::lchown(&theirs, Some(12345), None).is_err() {
        return skipped("only the superuser gives a link to another user");
    }
    std::fs::remove_file(setup.folder.0.join("tokens.json.lock")).unwrap();
    let tokens = theirs.join("tokens.json");
    for command in ["refresh", "revoke", "refresh"] {
        let outcome = setup.run(&[command, "--tokens", tokens.to_str().unwrap()]).expect(1);
        assert!(outcome.stderr.contains("symbolic link of another user"), "{}", outcome.stderr);
    }
    let login = theirs.join("sub/../login.json");
    std::fs::create_dir(setup.folder.0.join("sub")).unwrap();
    setup.run(&["authorize-url", "--save", login.to_str().unwrap()]).expect(1);
    assert_eq!(setup.token_requests(), sent);
    assert_eq!(setup.sandbox.ledger().revocations, 0);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(setup.folder.names(), ["sub", "tokens.json"], "nothing is left there");
    setup.run(&["refresh", "--tokens", ours.join("tokens.json").to_str().unwrap()]).expect(0);
    // The same with an existing lock file.
    setup.run(&["refresh", "--tokens", tokens.to_str().unwrap()]).expect(1);
    setup.run(&["revoke", "--tokens", tokens.to_str().unwrap()]).expect(1);
}

#[test]
fn a_full_disk_spends_no_token() {
    // A limit on the size of files has the same effect: the temporary file cannot take its room.
    let setup = Setup::new();
    let path = setup.token_file();
    let before = pair(&path);
    let sent = setup.token_requests();
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} refresh --tokens tokens.json",
        env!("CARGO_BIN_EXE_restream-oauth")
    );
    let command = setup.command(&[]);
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .current_dir(&setup.folder.0)
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output()
        .unwrap();
    Outcome::of(output).expect(1);
    assert_eq!(setup.token_requests(), sent, "nothing was sent");
    assert_eq!(pair(&path), before);
    assert!(kept(&path).get("doubt").is_none(), "nothing is in doubt");
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"], "nothing is left behind");
}

/// deepchat #2304.
#[test]
fn missing_and_damaged_files_are_distinguished() {
    let setup = Setup::new();
    let missing = setup.run(&["refresh", "--tokens", "none.json"]).expect(3);
    assert!(missing.stderr.contains("there are no tokens yet"), "{}", missing.stderr);
    for (content, words) in [("{}", "another kind"), ("{\"kind\":\"tokens\"", "not whole JSON")] {
        std::fs::write(setup.folder.0.join("bad.json"), content).unwrap();
        let damaged = setup.run(&["refresh", "--tokens", "bad.json"]).expect(1);
        assert!(damaged.stderr.contains(words), "{content:?}: {}", damaged.stderr);
        assert_eq!(std::fs::read_to_string(setup.folder.0.join("bad.json")).unwrap(), content);
    }
    assert_eq!(setup.token_requests(), 0);
}

/// RFC 9700 §4.14.2, a lock that is removed, opencode #49439.
#[test]
fn eight_processes_refresh_one_file_in_turn_without_a_dead_token() {
    let setup = Setup::new();
    setup.token_file();
    let children: Vec<_> =
        (0..8).map(|_| setup.command(&["refresh", "--tokens", "tokens.json"]).spawn().unwrap()).collect();
    for child in children {
        Outcome::of(child.wait_with_output().unwrap()).expect(0);
    }
    // A process that waited for another one takes the pair that this one has brought.
    let ledger = setup.sandbox.ledger();
    assert!((1..=8).contains(&ledger.refreshes), "{}", ledger.refreshes);
    assert_eq!(kept(&setup.folder.0.join("tokens.json"))["generation"], ledger.refreshes);
    assert_eq!(ledger.dead_refresh_tokens_used, 0);
    setup.run(&["profile", "--tokens", "tokens.json"]).expect(0);
}

#[test]
fn a_process_that_never_gets_the_lock_spends_no_token() {
    let setup = Setup::new();
    setup.token_file();
    let sent = setup.token_requests();
    let lock = std::fs::File::open(setup.folder.0.join("tokens.json.lock")).unwrap();
    lock.lock().unwrap();
    let outcome = setup.run(&["revoke", "--tokens", "tokens.json", "--timeout", "0.2"]).expect(4);
    assert!(outcome.stderr.contains("in use"), "{}", outcome.stderr);
    assert_eq!(setup.token_requests(), sent);
    assert_eq!(setup.sandbox.ledger().revocations, 0);
}

/// CVE-2026-48790.
#[test]
fn a_file_that_others_can_read_is_warned_about_and_repaired() {
    use std::os::unix::fs::PermissionsExt as _;
    let setup = Setup::new();
    let path = setup.token_file();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
    assert!(outcome.stderr.contains("others can read"), "{}", outcome.stderr);
    assert_eq!(mode(&path), 0o600);
}

/// RFC 7009 §2.2, RFC 7009 §2.2.1.
#[test]
fn revocation_removes_the_file_only_when_the_server_confirms() {
    let setup = Setup::new();
    let path = setup.token_file();
    setup.sandbox.inject(Fault::new(What::retry_after(503, "1")).on(Endpoint::Revoke));
    setup.run(&["revoke", "--tokens", "tokens.json"]).expect(4);
    assert!(path.exists());
    let outcome = setup.run(&["revoke", "--tokens", "tokens.json"]).expect(0);
    assert_eq!(outcome.stdout, "");
    assert!(!path.exists());
}

#[test]
fn revoked_tokens_whose_file_stays_are_reported_as_revoked() {
    for command in ["revoke", "logout"] {
        let setup = Setup::new();
        setup.token_file();
        // Not even the superuser can remove a mount point, or empty a file that is mounted to be read only.
        let script = format!(
            "mount --bind tokens.json tokens.json && mount -o remount,bind,ro tokens.json || exit 99; \
             exec {} {command} --tokens tokens.json",
            env!("CARGO_BIN_EXE_restream-oauth")
        );
        let Some(outcome) = setup.run_with_mounts(&script) else { return };
        let outcome = outcome.expect(1);
        assert!(outcome.stderr.contains("revoked, but tokens.json cannot be removed"), "{}", outcome.stderr);
        assert_eq!(setup.sandbox.ledger().revocations, 1);
    }
}

#[test]
fn a_missing_file_gets_no_lock() {
    let setup = Setup::new();
    for command in ["refresh", "revoke", "profile"] {
        let outcome = setup.run(&[command, "--tokens", "missing.json"]).expect(3);
        assert!(outcome.stderr.contains("missing.json does not exist: there are no tokens yet"), "{}", outcome.stderr);
        assert!(setup.folder.names().is_empty(), "{command}: {:?}", setup.folder.names());
    }
    // A login that died between writing and renaming has left its tokens in `tokens.json.new`.
    let path = setup.token_file();
    std::fs::rename(&path, setup.folder.0.join("tokens.json.new")).unwrap();
    std::fs::remove_file(setup.folder.0.join("tokens.json.lock")).unwrap();
    setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
}
