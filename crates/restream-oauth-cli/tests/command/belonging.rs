//! Tokens are sent only to the server that issued them, and only by the client that they belong to.

use std::path::Path;

use restream_oauth_core::Tokens;

use crate::support::{Outcome, RunningLogin, Setup, come_back, sandbox};

/// Returns a saved document in its first version, which named neither client nor server.
fn unbound(document: &str) -> String {
    let mut document: serde_json::Value = serde_json::from_str(document).unwrap();
    let members = document.as_object_mut().unwrap();
    members.remove("client_id").unwrap();
    members.remove("token_endpoint").unwrap();
    members.insert("version".to_owned(), 1.into());
    document.to_string()
}

#[track_caller]
fn run_with(setup: &Setup, variable: &str, value: &str, arguments: &[&str], input: Option<&Path>) -> Outcome {
    let mut command = setup.command(arguments);
    if let Some(path) = input {
        command.stdin(std::fs::File::open(path).unwrap());
    }
    Outcome::of(command.env(variable, value).output().unwrap())
}

/// spec-kitty #4755.
#[test]
fn tokens_of_one_server_are_not_sent_to_another() {
    let setup = Setup::new();
    let path = setup.token_file();
    let before = std::fs::read(&path).unwrap();
    let sent = setup.sandbox.ledger().requests.len();
    let other = sandbox().start().unwrap();
    for command in ["revoke", "refresh", "profile"] {
        for (arguments, input) in [(&[command, "--tokens", "tokens.json"][..], None), (&[command], Some(&*path))] {
            let outcome = run_with(&setup, "RESTREAM_BASE_URL", other.base_url(), arguments, input).expect(2);
            assert!(outcome.stderr.contains(setup.sandbox.base_url()), "{arguments:?}: {}", outcome.stderr);
        }
    }
    assert!(other.ledger().requests.is_empty(), "nothing was sent");
    assert_eq!(setup.sandbox.ledger().requests.len(), sent);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // Its own server still takes them.
    for command in ["profile", "refresh", "revoke"] {
        setup.run(&[command, "--tokens", "tokens.json"]).expect(0);
    }
}

/// spec-kitty #4755.
#[test]
fn tokens_of_one_client_are_not_refreshed_by_another() {
    let setup = Setup::new();
    let path = setup.token_file();
    let sent = setup.token_requests();
    let refresh = ["refresh", "--tokens", "tokens.json"];
    let outcome = run_with(&setup, "RESTREAM_CLIENT_ID", "other", &refresh, None).expect(2);
    assert!(outcome.stderr.contains(setup.sandbox.client_id()), "{}", outcome.stderr);
    run_with(&setup, "RESTREAM_CLIENT_ID", "other", &["refresh"], Some(&path)).expect(2);
    assert_eq!(setup.token_requests(), sent, "nothing was sent");
    // These requests do not name the client, and a user who names none is asked for none.
    for command in ["profile", "revoke", "logout"] {
        let arguments = [command, "--tokens", "tokens.json"];
        run_with(&setup, "RESTREAM_CLIENT_ID", "other", &arguments, None).expect(2);
    }
    assert_eq!(setup.sandbox.ledger().revocations, 0);
    for command in ["profile", "revoke"] {
        run_with(&setup, "RESTREAM_CLIENT_ID", "", &[command, "--tokens", "tokens.json"], None).expect(0);
    }
}

#[test]
fn tokens_saved_by_an_older_version_work_and_the_next_refresh_binds_them() {
    let setup = Setup::new();
    let path = setup.token_file();
    let text = unbound(&std::fs::read_to_string(&path).unwrap());
    std::fs::write(&path, text).unwrap();
    for command in ["profile", "refresh"] {
        let outcome = setup.run(&[command, "--tokens", "tokens.json"]).expect(0);
        assert!(outcome.stderr.contains("do not say which client and server"), "{command}: {}", outcome.stderr);
    }
    let tokens = Tokens::from_saved(std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(tokens.binding().unwrap().client_id(), setup.sandbox.client_id());
    let outcome = setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
}

#[test]
fn a_login_names_the_client_and_the_server_whose_tokens_it_replaced() {
    let other = Setup::new();
    let theirs = other.token_file();
    let setup = Setup::new();
    let path = setup.folder.0.join("tokens.json");
    for command in ["login", "exchange"] {
        std::fs::copy(&theirs, &path).unwrap();
        let outcome = match command {
            "login" => {
                let login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
                let words = format!("holds a living login of client \"{}\"", other.sandbox.client_id());
                assert!(login.said().contains(&words), "before the URL: {}", login.said());
                come_back(&setup.sandbox.approve(&login.url).unwrap());
                login.finish().expect(0)
            }
            _ => setup.log_in(),
        };
        let server = other.sandbox.base_url();
        let words = format!("tokens.json held tokens of client \"{}\" at {server}", other.sandbox.client_id());
        assert!(outcome.stderr.contains(&words), "{command}: {}", outcome.stderr);
        let tokens = Tokens::from_saved(std::fs::read(&path).unwrap()).unwrap();
        assert!(tokens.binding().unwrap().token_endpoint().starts_with(setup.sandbox.base_url()));
    }

    // Another client of the same server, and the same client again.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(setup.sandbox.client_id(), r"other\u001bclient")).unwrap();
    let outcome = setup.log_in();
    assert!(outcome.stderr.contains(r#"tokens of client "other\u{1b}client""#), "{}", outcome.stderr);
    let outcome = setup.log_in();
    assert!(!outcome.stderr.contains("held tokens"), "{}", outcome.stderr);
}
