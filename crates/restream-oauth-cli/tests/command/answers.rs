//! Responses to a refresh that hold no pair. Each is kept, because it may hold the only copy of a grant.

use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Folder, Outcome, Setup, mode};

const REFRESH: [&str; 3] = ["refresh", "--tokens", "tokens.json"];

/// A response that is cut within its first member.
const TORN: &str = r#"{"access_tok"#;

fn torn() -> Fault {
    Fault::new(What::body("application/json", TORN)).on(Endpoint::Token)
}

/// Returns name and content of the only file in `folder` whose name begins with `start`.
#[track_caller]
fn only(folder: &Folder, start: &str) -> (String, String) {
    let names: Vec<_> = folder.names().into_iter().filter(|name| name.starts_with(start)).collect();
    assert_eq!(names.len(), 1, "{start}: {:?}", folder.names());
    let path = folder.0.join(&names[0]);
    assert_eq!(mode(&path), 0o600);
    (names[0].clone(), std::fs::read_to_string(path).unwrap())
}

#[test]
fn an_answer_is_kept_on_a_full_disk_in_the_room_that_was_claimed() {
    let setup = Setup::new();
    let path = setup.token_file();
    setup.sandbox.inject(torn());
    // The disk has room for the tokens, the lock and one replacement, and not a page more.
    let script = format!(
        "mkdir disk && mount -t tmpfs -o size=160k,mode=700 none disk && cp -p tokens.json disk && : > disk/tokens.json.lock \
         && head -c 94208 /dev/zero > disk/filler || exit 99; \
         {} refresh --tokens disk/tokens.json; status=$?; rm disk/filler; mkdir out; cp -p disk/* out; exit $status",
        env!("CARGO_BIN_EXE_restream-oauth")
    );
    let Some(outcome) = setup.run_with_mounts(&script) else { return };
    let outcome = outcome.expect(4);
    let mut out = std::fs::read_dir(setup.folder.0.join("out")).unwrap().map(|entry| entry.unwrap().path());
    let kept = out.find(|path| path.to_string_lossy().contains(".answer-")).expect("the answer is kept on the disk");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), TORN, "{}", outcome.stderr);
    assert!(!setup.folder.0.join("out/tokens.json.new").exists());
    assert!(path.exists());
}

#[test]
fn an_answer_that_fits_nowhere_leaves_no_empty_file() {
    let setup = Setup::new();
    setup.sandbox.inject(torn());
    let script = format!(
        "mkdir disk && mount -t tmpfs -o size=4k,mode=700 none disk && head -c 4096 /dev/zero > disk/filler || exit 99; \
         echo r0 | TMPDIR=disk {} refresh; status=$?; ls disk > names; exit $status",
        env!("CARGO_BIN_EXE_restream-oauth")
    );
    let Some(outcome) = setup.run_with_mounts(&script) else { return };
    let outcome = outcome.expect(4);
    assert!(outcome.stderr.contains("could not be kept"), "{}", outcome.stderr);
    assert_eq!(std::fs::read_to_string(setup.folder.0.join("names")).unwrap(), "filler\n");
}

#[test]
fn an_answer_whose_name_would_be_too_long_is_kept_elsewhere() {
    let setup = Setup::new();
    let path = setup.token_file();
    let name = format!("{}.json", "x".repeat(240));
    std::fs::rename(path, setup.folder.0.join(&name)).unwrap();
    setup.sandbox.inject(torn());
    let outcome = setup.run(&["refresh", "--tokens", &name]).expect(4);
    let (kept, answer) = only(&setup.elsewhere, "restream-oauth-answer-");
    assert_eq!(answer, TORN);
    assert!(outcome.stderr.contains(&kept), "{}", outcome.stderr);
    assert!(!setup.folder.names().contains(&format!("{name}.new")), "nothing is left behind");
}

#[test]
fn an_answer_that_can_be_kept_nowhere_else_stays_where_it_was_written() {
    let setup = Setup::new();
    let path = setup.token_file();
    let name = format!("{}.json", "x".repeat(240));
    std::fs::rename(path, setup.folder.0.join(&name)).unwrap();
    setup.sandbox.inject(newest("r2"));
    let sent = setup.token_requests();
    let refresh = ["refresh", "--tokens", &name];
    let output = setup.command(&refresh).env("TMPDIR", "/nowhere").output().unwrap();
    let outcome = Outcome::of(output).expect(1);
    let left = setup.folder.0.join(format!("{name}.new"));
    assert_eq!(std::fs::read_to_string(left).unwrap(), r#"{"refresh_token":"r2"}"#);
    assert!(outcome.stderr.contains(&format!("the refresh_token in {name}.new")), "{}", outcome.stderr);
    // The file is still in the way of the next response, so no request is sent.
    setup.run(&refresh).expect(1);
    assert_eq!(setup.token_requests(), sent + 1);
}

#[test]
fn a_file_that_a_crash_tore_is_set_aside_before_its_name_is_needed() {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let pair = br#"{"access_token":"a2","refresh_token":"r2","expi"#;
    for torn in [&pair[..], b"\xFF\x00not text", &vec![b'x'; 1_100_000]] {
        let setup = Setup::new();
        setup.token_file();
        let left = setup.folder.0.join("tokens.json.new");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(&left).unwrap().write_all(torn).unwrap();
        let outcome = setup.run(&REFRESH).expect(0);
        let names = setup.folder.names();
        let kept = names.iter().find(|name| name.starts_with("tokens.json.answer-")).expect("the torn file is kept");
        assert_eq!(std::fs::read(setup.folder.0.join(kept)).unwrap(), torn);
        assert!(outcome.stderr.contains(kept.as_str()), "{}", outcome.stderr);
        assert_eq!(names.len(), 3, "{names:?}");
    }
}

/// A response with a refresh token and no access token.
fn newest(token: &str) -> Fault {
    let body = format!(r#"{{"refresh_token":"{token}"}}"#);
    Fault::new(What::body("application/json", body)).on(Endpoint::Token)
}

#[test]
fn when_the_newest_refresh_token_fails_too_the_message_names_its_file() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = std::fs::read(&path).unwrap();
    for then in [What::retry_after(429, "1"), What::lost_answer(), What::status(404), What::html(502)] {
        setup.sandbox.inject(newest("r2"));
        setup.sandbox.inject(Fault::new(then).on(Endpoint::Token).before_acting());
        // Exit code 4 would ask to send the dead token again.
        let outcome = setup.run(&REFRESH).expect(1);
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let named = outcome.stderr.split_once("the refresh_token in ").expect("the file is named").1;
        let named = setup.folder.0.join(named.split_once(';').unwrap().0);
        assert_eq!(std::fs::read_to_string(named).unwrap(), r#"{"refresh_token":"r2"}"#);
    }
    // The second response holds a still newer refresh token.
    setup.sandbox.inject(newest("r2"));
    setup.sandbox.inject(newest("r3"));
    let outcome = setup.run_with_input(&["refresh"], "r1").expect(1);
    let named = outcome.stderr.split_once("the refresh_token in ").unwrap().1.split_once(';').unwrap().0;
    assert_eq!(std::fs::read_to_string(named).unwrap(), r#"{"refresh_token":"r3"}"#);
    // All refresh tokens are dead.
    setup.sandbox.inject(newest("r2"));
    let outcome = setup.run(&REFRESH).expect(3);
    assert!(!outcome.stderr.contains("the refresh_token in"), "{}", outcome.stderr);
}

#[test]
fn an_answer_to_a_token_from_standard_input_is_kept_elsewhere() {
    let setup = Setup::new();
    setup.sandbox.inject(torn());
    let outcome = setup.run_with_input(&["refresh"], "r0").expect(4);
    let (kept, answer) = only(&setup.elsewhere, "restream-oauth-answer-");
    assert_eq!(answer, TORN);
    assert!(outcome.stderr.contains(&kept), "{}", outcome.stderr);

    // An error response is not kept: the error message says what it holds.
    let setup = Setup::new();
    setup.run_with_input(&["refresh"], "r0").expect(3);
    assert!(setup.elsewhere.names().is_empty(), "{:?}", setup.elsewhere.names());
}
