//! Help and manual pages, as a reader sees them.

use std::fs::File;
use std::process::Command;

use crate::support::{Outcome, Setup, skipped};

/// The subcommands, by the page of the whole.
fn subcommands(setup: &Setup) -> Vec<String> {
    let help = setup.run(&["--help"]).expect(0).stdout;
    let (_, rest) = help.split_once("\nCommands:\n").unwrap();
    let names = rest.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    assert!(names.len() >= 10, "{help}");
    names
}

/// Returns a page as `man` shows it, without bold and underlined letters, and with one space between words. Returns
/// `None` if groff is missing.
fn shown(setup: &Setup, page: &str) -> Option<String> {
    let path = setup.folder.0.join("page.1");
    std::fs::write(&path, page).unwrap();
    let output = Command::new("groff")
        // Without `-k`, which would guess the encoding of the page.
        .args(["-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=200n"])
        .stdin(File::open(path).unwrap())
        .output();
    let Ok(output) = output else {
        skipped("groff is not installed (Debian: apt-get install groff-base)");
        return None;
    };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "groff warns of nothing");
    Some(String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn each_page_shows_its_sections_and_names_the_others() {
    let setup = Setup::new();
    let Some(whole) = shown(&setup, &setup.run(&["man"]).expect(0).stdout) else { return };
    for name in subcommands(&setup) {
        assert!(whole.contains(&format!("restream-oauth-{name}(1)")), "{name}: {whole}");
        let Some(page) = shown(&setup, &setup.run(&["man", &name]).expect(0).stdout) else { return };
        let title = format!("restream-oauth-{name}(1)");
        assert!(page.starts_with(&title) && page.ends_with(&title), "{page}");
        let mut rest = page.as_str();
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"]
        {
            rest = rest.split_once(section).unwrap_or_else(|| panic!("{name} has no {section}: {page}")).1;
        }
        assert!(rest.contains("SEE ALSO restream-oauth(1)"), "{page}");
    }
}

#[test]
fn a_page_says_what_its_command_reads_and_how_it_ends() {
    let setup = Setup::new();
    for (name, words) in [
        (
            "login",
            &[
                "RESTREAM_CLIENT_ID The value of --client-id",
                "SSH_CONNECTION, SSH_TTY",
                "--tokens FILE The tokens, with mode 0600",
                "130 interrupted while tokens were on their way",
                "EXAMPLES export RESTREAM_CLIENT_ID=… RESTREAM_CLIENT_SECRET=… restream-oauth login --tokens tokens.json",
                "While it waits, it also takes the URL that came back",
            ][..],
        ),
        ("sandbox", &["--save-ca FILE The certificate", "One line of JSON says when it is ready"]),
        ("man", &["ENVIRONMENT None.", "FILES None.", "2 wrong usage"]),
    ] {
        let Some(page) = shown(&setup, &setup.run(&["man", name]).expect(0).stdout) else { return };
        for words in words {
            assert!(page.contains(words), "{name}: {words}: {page}");
        }
    }
    setup.run(&["man", "unknown"]).expect(2);
}

#[test]
fn options_that_do_nothing_are_not_listed_and_are_accepted() {
    let setup = Setup::new();
    for (name, unused, used) in [
        ("profile", "--client-auth", "--profile-url"),
        ("refresh", "--redirect-uri", "--token-url"),
        ("revoke", "--authorize-url", "--revoke-url"),
        ("authorize-url", "--timeout", "--authorize-url"),
        ("status", "--client-auth", "--profile-url"),
        ("logout", "--authorize-url", "--revoke-url"),
        ("accounts", "--verbose", "--quiet"),
        ("man", "--verbose", "--help"),
        ("man", "--quiet", "--help"),
    ] {
        for page in [["help", name], [name, "--help"], [name, "-h"], ["man", name]] {
            let page = setup.run(&page).expect(0).stdout.replace("\\-", "-");
            let lists =
                |option: &str| [" <", "\\fR", "  ", "\n"].iter().any(|end| page.contains(&format!("{option}{end}")));
            assert!(lists(used) && !page.contains(unused), "{name}: {page}");
        }
    }
    // A script can give every command the same options.
    let same = ["--redirect-uri", "http://127.0.0.1:1/callback", "--client-auth", "none", "--timeout", "9"];
    let outcome: Outcome = setup.run_with_input(&[&["profile"], &same[..]].concat(), "unknown");
    outcome.expect(6);
    setup.run(&["--quiet", "man", "login"]).expect(0);
    setup.run(&["man", "login", "--verbose"]).expect(0);
}

#[test]
fn a_page_has_each_heading_once() {
    let setup = Setup::new();
    for name in subcommands(&setup) {
        let page = setup.run(&[&name, "--help"]).expect(0).stdout;
        let headings: Vec<_> = page.lines().filter(|line| !line.starts_with(' ') && line.ends_with(':')).collect();
        let different: std::collections::BTreeSet<_> = headings.iter().collect();
        assert!(headings.contains(&"Options:") && different.len() == headings.len(), "{name}: {headings:?}");
    }
}
