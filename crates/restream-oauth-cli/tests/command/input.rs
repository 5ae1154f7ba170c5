//! Standard input holds saved tokens or one token alone. Input that only resembles them is an error.

use restream_oauth_core::Tokens;

use crate::support::{Outcome, Setup};

/// Runs a command with bytes on standard input.
fn run(setup: &Setup, arguments: &[&str], input: &[u8]) -> Outcome {
    let path = setup.folder.0.join("input");
    std::fs::write(&path, input).unwrap();
    let input = std::fs::File::open(path).unwrap();
    Outcome::of(setup.command(arguments).stdin(input).output().unwrap())
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xFEFF_u16).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// pi #7499.
#[test]
fn a_byte_order_mark_is_skipped() {
    let setup = Setup::new();
    let marked = |text: &str| format!("\u{FEFF}{text}").into_bytes();
    let saved = std::fs::read_to_string(setup.token_file()).unwrap();
    let saved = run(&setup, &["refresh"], &marked(&saved)).expect(0).stdout;
    run(&setup, &["profile"], &marked(&saved)).expect(0);
    let tokens = Tokens::from_saved(&saved).unwrap();
    run(&setup, &["profile"], &marked(tokens.access_token().expose_secret())).expect(0);
    run(&setup, &["revoke"], &marked(&saved)).expect(0);
    run(&setup, &["profile"], &marked(&saved)).expect(6);

    let redirect_uri = setup.redirect_uri.as_str();
    let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", redirect_uri]).json();
    let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
    std::fs::write(setup.folder.0.join("secret"), marked(setup.sandbox.client_secret().unwrap())).unwrap();
    let exchange = ["exchange", "--login", "login.json", "--client-secret-file", "secret", "--tokens", "tokens.json"];
    run(&setup, &exchange, &marked(&callback)).expect(0);
    let path = setup.folder.0.join("tokens.json");
    std::fs::write(&path, marked(&std::fs::read_to_string(&path).unwrap())).unwrap();
    for command in ["refresh", "profile", "revoke"] {
        setup.run(&[command, "--tokens", "tokens.json"]).expect(0);
    }
}

#[test]
fn input_that_is_neither_saved_tokens_nor_one_token_is_not_sent() {
    let setup = Setup::new();
    let saved = std::fs::read_to_string(setup.token_file()).unwrap();
    let tokens = Tokens::from_saved(&saved).unwrap();
    let token = tokens.access_token().expose_secret();
    let sent = setup.sandbox.ledger().requests.len();
    for command in ["refresh", "revoke", "profile"] {
        for (input, exit) in [
            (format!("tokens: {saved}"), 1),
            (format!("x{saved}"), 1),
            (format!("{saved}{saved}"), 1),
            (format!("[{saved}]"), 1),
            (format!("{{{token}}}"), 1),
            (format!("{token}}}"), 2),
            (format!("\"{token}\""), 2),
            (format!("'{token}'"), 2),
            (format!("`{token}`"), 2),
            (format!("Bearer {token}"), 2),
            (format!("{token}\n{token}"), 2),
            (format!("{token}\t{token}"), 2),
            (format!("{token}\u{A0}{token}"), 2),
            (format!("\u{200B}{token}"), 2),
            (format!("{token}\0"), 2),
            (format!("t\u{F6}ken{token}"), 2),
        ] {
            let outcome = run(&setup, &[command], input.as_bytes());
            assert_eq!(outcome.exit, Some(exit), "{command} {}: {}", input.replace(token, "…"), outcome.stderr);
            assert_eq!(outcome.stdout, "");
        }
    }
    assert_eq!(setup.sandbox.ledger().requests.len(), sent, "nothing was sent");
}

#[test]
fn saved_tokens_are_not_sent_as_a_code() {
    let setup = Setup::new();
    for input in [r#"{"access_token":"a","refresh_token":"r"}"#, "\"c\"", "c d", "c\nd", "x{c}"] {
        let outcome = run(&setup, &["exchange", "--redirect-uri", &setup.redirect_uri], input.as_bytes()).expect(2);
        assert!(outcome.stderr.contains("visible ASCII"), "{input}: {}", outcome.stderr);
    }
    assert_eq!(setup.token_requests(), 0);
}

/// What PowerShell writes with `>`.
#[test]
fn input_in_utf_16_is_reported_as_utf_16() {
    let setup = Setup::new();
    let saved = std::fs::read_to_string(setup.token_file()).unwrap();
    let sent = setup.token_requests();
    std::fs::write(setup.folder.0.join("wide.json"), utf16(&saved)).unwrap();
    for outcome in [
        run(&setup, &["refresh"], &utf16(&saved)),
        run(&setup, &["revoke"], &utf16("token")),
        // Without a byte order mark.
        run(&setup, &["profile"], &utf16(&saved)[2..]),
        setup.run(&["refresh", "--tokens", "wide.json"]),
    ] {
        let outcome = outcome.expect(1);
        assert!(outcome.stderr.contains("UTF-16"), "{}", outcome.stderr);
    }
    assert_eq!(setup.token_requests(), sent);
}
