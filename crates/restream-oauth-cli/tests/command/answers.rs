//! Responses to a refresh that hold no pair. Each is kept, because it may hold the only copy of a grant.

use restream_oauth_keeper::Record;
use restream_oauth_sandbox::{Endpoint, Fault, What};

use crate::support::{Folder, Setup, kept, kept_body, mode, pair};

const REFRESH: [&str; 3] = ["refresh", "--tokens", "tokens.json"];

/// A response that is cut within its first member.
const TORN: &str = r#"{"access_token":"hal"#;

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
    let sent = pair(&path).refresh_token().unwrap().clone();
    // The disk has room for the tokens, the lock, an answer and one replacement, and not a page more.
    let script = format!(
        "mkdir disk && mount -t tmpfs -o size=160k,mode=700 none disk && cp -p tokens.json disk && : > disk/tokens.json.lock \
         && head -c 90112 /dev/zero > disk/filler || exit 99; \
         {} refresh --tokens disk/tokens.json; status=$?; rm disk/filler; mkdir out; cp -p disk/* out; exit $status",
        env!("CARGO_BIN_EXE_restream-oauth")
    );
    let Some(outcome) = setup.run_with_mounts(&script) else { return };
    let outcome = outcome.expect(4);
    let mut out = std::fs::read_dir(setup.folder.0.join("out")).unwrap().map(|entry| entry.unwrap().path());
    let kept = out.find(|path| path.to_string_lossy().contains(".answer-")).expect("the answer is kept on the disk");
    assert_eq!(kept_body(&kept, &sent), TORN, "{}", outcome.stderr);
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
    // The replay is refused: the sandbox does not know the token.
    let outcome = outcome.expect(3);
    assert!(outcome.stderr.contains("could not be kept"), "{}", outcome.stderr);
    assert_eq!(std::fs::read_to_string(setup.folder.0.join("names")).unwrap(), "filler\n");
}

#[test]
fn an_answer_whose_name_would_be_too_long_stays_where_it_was_written() {
    let setup = Setup::new();
    let path = setup.token_file();
    let sent = pair(&path).refresh_token().unwrap().clone();
    let name = format!("{}.json", "x".repeat(242));
    std::fs::rename(path, setup.folder.0.join(&name)).unwrap();
    std::fs::remove_file(setup.folder.0.join("tokens.json.lock")).unwrap();
    setup.sandbox.inject(torn().before_acting());
    // It ends the run.
    setup.sandbox.inject(Fault::new(What::retry_after(429, "2")).on(Endpoint::Token));
    let outcome = setup.run(&["refresh", "--tokens", &name]).expect(4);
    let spool = format!("{name}.spool");
    assert!(outcome.stderr.contains(&format!("the answer is kept in {spool}")), "{}", outcome.stderr);
    // The room for the second answer moved the first one aside.
    let first = setup.folder.0.join(format!("{spool}-2"));
    assert_eq!(kept_body(&first, &sent), TORN);
    assert_eq!(mode(&first), 0o600);
    // It is not in the way of the next response.
    setup.run(&["refresh", "--tokens", &name]).expect(0);
    let mut names = setup.folder.names();
    names.retain(|name| name != "login.json");
    assert_eq!(names, [name.clone(), format!("{name}.lock")]);
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
fn when_the_newest_refresh_token_fails_too_the_file_holds_it_and_the_next_refresh_sends_it() {
    let fail_twice = |setup: &Setup, then: What, exit: i32| {
        setup.sandbox.inject(newest("r2"));
        setup.sandbox.inject(Fault::new(then).on(Endpoint::Token).before_acting());
        setup.run(&REFRESH).expect(exit);
    };
    for (then, exit) in [(What::retry_after(429, "1"), 4), (What::retry_after(503, "1000"), 4), (What::status(404), 2)]
    {
        let setup = Setup::new();
        let path = setup.token_file();
        let before = pair(&path);
        fail_twice(&setup, then, exit);
        assert_eq!(pair(&path), before, "the pair is still the older one");
        assert_eq!(kept(&path)["salvaged"], "r2");
        let mut record = Record::from_saved(std::fs::read(&path).unwrap()).unwrap();
        record.not_before = None;
        std::fs::write(&path, record.to_saved().as_bytes()).unwrap();
        // The dead token is not sent again. The sandbox does not know `r2`, so the grant is dead.
        let sent = setup.token_requests();
        setup.run(&REFRESH).expect(3);
        assert_eq!(setup.token_requests(), sent + 1);
        assert_eq!(setup.sandbox.ledger().refreshes, 0);
    }
    // A response that was lost is asked for again within the run.
    for then in [What::lost_answer(), What::html(502)] {
        let setup = Setup::new();
        setup.token_file();
        let sent = setup.token_requests();
        fail_twice(&setup, then, 3);
        assert_eq!(setup.token_requests(), sent + 3);
        assert_eq!(setup.sandbox.ledger().refreshes, 0);
    }
    // The second response holds a still newer refresh token.
    let setup = Setup::new();
    let path = setup.token_file();
    let alive = pair(&path).refresh_token().unwrap().expose_secret().to_owned();
    setup.sandbox.inject(newest("r2"));
    setup.sandbox.inject(newest(&alive));
    setup.run(&REFRESH).expect(0);
    // All refresh tokens are dead.
    setup.sandbox.inject(newest("r2"));
    let outcome = setup.run(&REFRESH).expect(3);
    assert!(!outcome.stderr.contains("the refresh_token in"), "{}", outcome.stderr);
}

/// Without a token file, the response is the only place.
#[test]
fn when_the_newest_refresh_token_from_standard_input_fails_too_the_message_names_its_file() {
    let setup = Setup::new();
    for then in [What::retry_after(429, "1"), What::retry_after(503, "600"), What::status(404)] {
        setup.sandbox.inject(newest("r2"));
        setup.sandbox.inject(Fault::new(then).on(Endpoint::Token).before_acting());
        // Exit code 4 would ask to send the dead token again.
        let outcome = setup.run_with_input(&["refresh"], "r1").expect(1);
        let named = outcome.stderr.split_once("the refresh_token in ").expect("the file is named").1;
        let named = named.split_once(';').unwrap().0;
        assert_eq!(std::fs::read_to_string(named).unwrap(), r#"{"refresh_token":"r2"}"#);
    }
    // A response that was lost is asked for again within the run, and the sandbox does not know `r2`.
    for then in [What::lost_answer(), What::html(502)] {
        setup.sandbox.inject(newest("r2"));
        setup.sandbox.inject(Fault::new(then).on(Endpoint::Token).before_acting());
        let sent = setup.token_requests();
        let outcome = setup.run_with_input(&["refresh"], "r1").expect(3);
        assert_eq!(setup.token_requests(), sent + 3);
        assert!(outcome.stderr.contains("lost answer"), "{}", outcome.stderr);
    }
    // The second response holds a still newer refresh token.
    setup.sandbox.inject(newest("r2"));
    setup.sandbox.inject(newest("r3"));
    let outcome = setup.run_with_input(&["refresh"], "r1").expect(1);
    let named = outcome.stderr.split_once("the refresh_token in ").unwrap().1.split_once(';').unwrap().0;
    assert_eq!(std::fs::read_to_string(named).unwrap(), r#"{"refresh_token":"r3"}"#);
    // All refresh tokens are dead.
    setup.sandbox.inject(newest("r2"));
    let outcome = setup.run_with_input(&["refresh"], "r1").expect(3);
    assert!(!outcome.stderr.contains("the refresh_token in"), "{}", outcome.stderr);
}

#[test]
fn an_answer_to_a_token_from_standard_input_is_kept_elsewhere() {
    let setup = Setup::new();
    setup.sandbox.inject(torn());
    let outcome = setup.run_with_input(&["refresh"], "r0").expect(3);
    let (kept, answer) = only(&setup.elsewhere, "restream-oauth-answer-");
    assert_eq!(answer, TORN);
    assert!(outcome.stderr.contains(&kept), "{}", outcome.stderr);

    // Neither an error response nor an error page holds a token: the message says what they say.
    let setup = Setup::new();
    setup.run_with_input(&["refresh"], "r0").expect(3);
    setup.sandbox.inject(Fault::new(What::html(502)).on(Endpoint::Token).before_acting());
    setup.run_with_input(&["refresh"], "r0").expect(3);
    assert!(setup.elsewhere.names().is_empty(), "{:?}", setup.elsewhere.names());
}

#[test]
fn an_answer_is_kept_elsewhere_until_a_replay_brings_the_pair() {
    let setup = Setup::new();
    let saved = std::fs::read_to_string(setup.token_file()).unwrap();
    setup.sandbox.inject(torn().before_acting());
    let outcome = setup.run_with_input(&["refresh"], &saved).expect(0);
    assert!(outcome.stderr.contains("is kept in") && outcome.stderr.contains("is removed"), "{}", outcome.stderr);
    assert!(setup.elsewhere.names().is_empty(), "{:?}", setup.elsewhere.names());
    setup.run_with_input(&["profile"], &outcome.stdout).expect(0);
    assert_eq!(setup.sandbox.ledger().refreshes, 1);
}

#[test]
fn a_profile_that_reaches_no_server_does_not_say_that_the_server_may_have_acted() {
    let setup = Setup::new();
    let address = setup.address;
    for (command, acts) in [("profile", false), ("refresh", true), ("revoke", true)] {
        let arguments = [command, "--base-url", &format!("http://{address}")];
        let said = setup.run_with_input(&arguments, "unknown").expect(4).stderr;
        assert!(said.contains("no connection to the server"), "{said}");
        assert!(!said.contains("may have acted"), "{said}");
        assert_eq!(said.contains("nothing was sent"), acts, "{said}");
    }
}
