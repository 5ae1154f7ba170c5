//! Places where a file can be created but not replaced. The command finds that before it sends a request.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Outcome, Setup, skipped};

const REFRESH: [&str; 3] = ["refresh", "--tokens", "tokens.json"];

/// rclone #6656.
#[test]
fn a_token_file_that_is_a_mount_point_of_its_own_spends_no_token() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = std::fs::read(&path).unwrap();
    let sent = setup.token_requests();
    // As in `docker run -v ./tokens.json:/app/tokens.json`.
    let refresh = format!(
        "mount --bind tokens.json tokens.json || exit 99; exec {} refresh --tokens tokens.json",
        env!("CARGO_BIN_EXE_restream-oauth")
    );
    let Some(outcome) = setup.run_with_mounts(&refresh) else { return };
    let outcome = outcome.expect(1);
    assert!(outcome.stderr.contains("mount its folder instead"), "{}", outcome.stderr);
    assert_eq!(setup.token_requests(), sent, "nothing was sent");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"], "nothing is left behind");

    // It works if the folder is mounted instead.
    let refresh = format!(
        "mount --bind . . || exit 99; cd .; exec {} refresh --tokens tokens.json",
        env!("CARGO_BIN_EXE_restream-oauth")
    );
    setup.run_with_mounts(&refresh).unwrap().expect(0);
}

/// rclone #6656.
#[test]
fn no_person_is_asked_to_log_in_for_a_file_that_is_a_mount_point_of_its_own() {
    let setup = Setup::new();
    let redirect_uri = &setup.redirect_uri;
    let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", redirect_uri]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    std::fs::write(setup.folder.0.join("callback"), &callback).unwrap();
    std::fs::write(setup.folder.0.join("tokens.json"), "").unwrap();
    for arguments in [
        format!("login --no-browser --wait 1 --redirect-uri {redirect_uri} --tokens tokens.json"),
        "exchange --login login.json --tokens tokens.json < callback".to_owned(),
        "authorize-url --save tokens.json".to_owned(),
    ] {
        let script = format!(
            "mount --bind tokens.json tokens.json || exit 99; exec {} {arguments}",
            env!("CARGO_BIN_EXE_restream-oauth")
        );
        let Some(outcome) = setup.run_with_mounts(&script) else { return };
        let outcome = outcome.expect(1);
        assert!(outcome.stderr.contains("mount its folder instead"), "{arguments}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("state="), "{arguments}: no URL was shown");
    }
    assert_eq!(setup.token_requests(), 0);
    assert!(setup.folder.names().contains(&"login.json".to_owned()), "the login stays open");
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
fn a_token_file_that_is_immutable_or_append_only_spends_no_token() {
    for attribute in ['i', 'a'] {
        let setup = Setup::new();
        let path = setup.token_file();
        let before = std::fs::read(&path).unwrap();
        let sent = setup.token_requests();
        let Some(attribute_set) = Attribute::set(attribute, path.clone()) else { return };
        let outcome = setup.run(&REFRESH).expect(1);
        assert!(outcome.stderr.contains("immutable or append-only"), "{attribute}: {}", outcome.stderr);
        assert_eq!(setup.token_requests(), sent, "{attribute}: nothing was sent");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"], "{attribute}: nothing is left behind");
        drop(attribute_set);
        setup.run(&REFRESH).expect(0);
    }
}

#[test]
fn a_folder_that_is_append_only_spends_no_token_and_keeps_no_copy() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = std::fs::read(&path).unwrap();
    let sent = setup.token_requests();
    let Some(attribute_set) = Attribute::set('a', setup.folder.0.clone()) else { return };
    for _ in 0..2 {
        setup.run(&REFRESH).expect(1);
    }
    assert_eq!(setup.token_requests(), sent, "nothing was sent");
    // A file that is created there cannot be removed, so it must be empty.
    assert_eq!(std::fs::read(setup.folder.0.join("tokens.json.probe")).unwrap(), b"");
    assert!(!setup.folder.names().contains(&"tokens.json.new".to_owned()));
    drop(attribute_set);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    setup.run(&REFRESH).expect(0);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn no_person_is_asked_to_log_in_for_a_first_file_in_a_folder_that_is_append_only() {
    let setup = Setup::new();
    let Some(_set) = Attribute::set('a', setup.folder.0.clone()) else { return };
    let arguments =
        ["login", "--no-browser", "--wait", "1", "--redirect-uri", &setup.redirect_uri, "--tokens", "tokens.json"];
    let outcome = setup.run(&arguments).expect(1);
    assert!(outcome.stderr.contains("immutable or append-only"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("state="), "no URL was shown");
    assert!(!setup.folder.names().contains(&"tokens.json".to_owned()), "no file without tokens");
}

#[test]
fn a_first_login_leaves_no_file_before_there_are_tokens() {
    let setup = Setup::new();
    let arguments =
        ["login", "--no-browser", "--redirect-uri", &setup.redirect_uri, "--tokens", "tokens.json", "--wait", "0.2"];
    Outcome::of(setup.command(&arguments).output().unwrap()).expect(5);
    assert_eq!(setup.folder.names(), ["tokens.json.lock"]);
}

/// A file with that name may belong to somebody.
#[test]
fn a_file_with_the_name_of_the_probe_is_not_overwritten() {
    let setup = Setup::new();
    setup.token_file();
    let sent = setup.token_requests();
    let other = setup.folder.0.join("tokens.json.probe");
    std::fs::write(&other, "precious").unwrap();
    let outcome = setup.run(&REFRESH).expect(1);
    assert!(outcome.stderr.contains("tokens.json.probe"), "{}", outcome.stderr);
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "precious");
    assert_eq!(setup.token_requests(), sent);
    // An empty file is the leftover of a run that was killed.
    std::fs::write(&other, "").unwrap();
    setup.run(&REFRESH).expect(0);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
}
