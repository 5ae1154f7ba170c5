//! The manual pages: what clap knows of a command, and from the tables below what else concerns it.
//!
//! A command that comes later adds its name to the rows that concern it. Rows about an option need no name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::arguments::NAME;

/// What a row is about, and what the page says of it.
struct Row {
    name: &'static str,
    words: &'static str,
    concerns: Concerns,
}

/// The commands that a row concerns.
enum Concerns {
    All,
    /// Those that list this option.
    With(&'static str),
    Commands(&'static [&'static str]),
}
use Concerns::{All, Commands, With};

const fn row(name: &'static str, concerns: Concerns, words: &'static str) -> Row {
    Row { name, words, concerns }
}

/// The commands that send requests to Restream.
const SENDING: Concerns =
    Commands(&["api", "exchange", "keep", "login", "logout", "profile", "refresh", "revoke", "status", "token"]);
/// The commands that fail without tokens.
const FINDING: Concerns =
    Commands(&["api", "exchange", "keep", "login", "logout", "profile", "refresh", "revoke", "status", "token"]);
/// The commands that know accounts.
const OF_ACCOUNTS: Concerns = Commands(&[
    "accounts", "api", "exchange", "keep", "login", "logout", "profile", "refresh", "revoke", "status", "token",
]);
/// The commands that store new tokens.
const STORING: Concerns = Commands(&["api", "exchange", "keep", "login", "logout", "refresh", "token"]);
/// The commands that save tokens elsewhere if those have no place.
const RESCUING: Concerns = Commands(&["api", "exchange", "login", "refresh", "token"]);
/// The commands that hold the lock of a file.
const LOCKING: Concerns = Commands(&["api", "exchange", "keep", "login", "logout", "refresh", "revoke", "token"]);

const EXIT_STATUS: &[Row] = &[
    row("0", All, "done"),
    row("1", All, "anything else"),
    row("2", All, "wrong usage, or the configuration must be fixed; also tokens of another client or server"),
    row("3", FINDING, "log in again; also when there are no tokens at all"),
    row(
        "4",
        SENDING,
        "try again (a refresh: with the same tokens, soon); also a lock or a server that is busy, and a lost answer",
    ),
    row(
        "5",
        Commands(&["api", "demo", "exchange", "login", "profile", "refresh", "revoke", "token"]),
        "denied, waited in vain, or given up; also refused for good",
    ),
    row(
        "6",
        Commands(&["api", "profile", "token"]),
        "refresh: the access token is no longer accepted, and this command cannot replace it",
    ),
    row("130", STORING, "interrupted while tokens were on their way (the first signal is put off)"),
];

/// The variables that clap does not know of.
const ENVIRONMENT: &[Row] = &[
    row(
        "RESTREAM_CLIENT_SECRET",
        With("client-secret-file"),
        "The client secret, if --client-secret-file is not given. An empty variable counts as unset.",
    ),
    row(
        "RESTREAM_DATABASE_URL",
        With("database"),
        "The value of --database, if neither that nor --tokens is given. It may hold the password. Other commands that work \
         with accounts refuse to run while it is set, unless a file is named.",
    ),
    row("RESTREAM_DATABASE_KEYS", With("keys"), "The keys themselves, if --keys is not given: NAME:KEY, newest first."),
    row(
        "PGPASSFILE, PGPASSWORD",
        With("database"),
        "The file with the password of the database (mode 0600) [default: ~/.pgpass], and the password itself, which counts \
         more.",
    ),
    row("RESTREAM_TOKENS", With("tokens"), "The value of --tokens, if neither --tokens nor --account is given."),
    row(
        "RESTREAM_ACCOUNT",
        With("account"),
        "The value of --account, if neither that nor --tokens nor RESTREAM_TOKENS is given [default: default].",
    ),
    row(
        "XDG_STATE_HOME, HOME",
        OF_ACCOUNTS,
        "The state folder of the user. A relative path counts as unset, and then it is ~/.local/state.",
    ),
    row(
        "HTTPS_PROXY, ALL_PROXY",
        SENDING,
        "The proxy to use, as http://HOST:PORT. The names in lower case count too. The proxy sees the name of the server, \
         and TLS is with the server itself.",
    ),
    row("NO_PROXY", SENDING, "The servers that are connected to without the proxy. This machine always is."),
    row(
        "BROWSER",
        Commands(&["demo", "login"]),
        "The program that opens the URL, if it is a plain name or path. The system's own opener otherwise.",
    ),
    row(
        "SSH_CONNECTION, SSH_TTY",
        Commands(&["demo", "login"]),
        "One of them says that this is a session of SSH. Then no browser is opened without a display, and login names the \
         line that forwards its port.",
    ),
    row(
        "DISPLAY, WAYLAND_DISPLAY",
        Commands(&["demo", "login"]),
        "One of them says that a session of SSH has a display.",
    ),
    row("NO_COLOR", With("qr"), "If it is set and not empty, the QR code has no colours of its own."),
    row("TERM", With("qr"), "If it is unset or dumb, the QR code has no colours of its own."),
    row("TMPDIR", RESCUING, "The folder for tokens and answers that have no other place [default: /tmp]."),
];

const FILES: &[Row] = &[
    row(
        "$XDG_STATE_HOME/restream-oauth/accounts/NAME.json",
        OF_ACCOUNTS,
        "The tokens of the account NAME, with mode 0600. The rows on FILE are about this file too.",
    ),
    row("--tokens FILE", With("tokens"), "The tokens, with mode 0600, in the place of those of an account."),
    row("FILE.lock", LOCKING, "The lock of FILE, which stays."),
    row(
        "FILE.logins",
        LOCKING,
        "A folder with the tokens of a login that could not be put in place. The next refresh does that.",
    ),
    row(
        "FILE.spool",
        Commands(&["api", "keep", "logout", "refresh", "revoke", "token"]),
        "Responses that a run which ended early has not read yet.",
    ),
    row(
        "FILE.new",
        STORING,
        "New tokens before they replace FILE. They stay after a crash, and the next run takes them.",
    ),
    row(
        "FILE.answer-…",
        Commands(&["api", "keep", "refresh", "token"]),
        "A response without a whole pair, until the next pair is in place.",
    ),
    row("FILE.leftover", Commands(&["api", "keep", "refresh", "token"]), "Tokens of an unknown past, set aside."),
    row("FILE.gone", LOCKING, "Says which login was revoked."),
    row(
        "restream-oauth-tokens-….json, restream-oauth-answer-….json",
        RESCUING,
        "In the folder for temporary files: tokens and answers that could be kept nowhere else. Standard error says where.",
    ),
    row("--socket PATH", With("socket"), "The Unix socket, with mode 0600, in a folder with mode 0700."),
    row("--client-secret-file FILE", With("client-secret-file"), "The client secret, on one line."),
    row("--ca-file FILE", With("ca-file"), "Root certificates in PEM form."),
    row("--keys FILE", With("keys"), "The keys that encrypt tokens in the database, with mode 0600."),
    row("--database-ca-file FILE", With("database-ca-file"), "Root certificates for the database, in PEM form."),
    row("--save FILE", With("save"), "The login that exchange --login completes, with mode 0600."),
    row(
        "--login FILE",
        With("login"),
        "The login that authorize-url --save kept. It is removed when the code is used up.",
    ),
    row(
        "--ready-file FILE",
        With("ready-file"),
        "The ready line. It appears whole, with mode 0600, when all is ready.",
    ),
    row("--save-ca FILE", With("save-ca"), "The certificate that clients must trust, in PEM form."),
];

/// Writes the page of the whole program, or of one of its subcommands.
pub(crate) fn page(whole: &Command, subcommand: Option<&Command>) -> io::Result<Vec<u8>> {
    let command = subcommand.unwrap_or(whole);
    let described: Vec<_> = subcommand.map_or_else(|| whole.get_subcommands().collect(), |command| vec![command]);
    let (notes, examples) = split(command);
    let mut page = Vec::new();
    let man = Man::new(command.clone()).source(concat!("restream-oauth ", env!("CARGO_PKG_VERSION"))).manual(MANUAL);
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let mut roff = Roff::new();
    if subcommand.is_some() {
        for note in notes.split("\n\n").filter(|note| !note.is_empty()) {
            roff.control("PP", []).text([roman(note)]);
        }
    }
    roff.to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    if subcommand.is_none() {
        man.render_subcommands_section(&mut page)?;
    }

    let mut roff = Roff::new();
    section(&mut roff, "EXIT STATUS", rows(EXIT_STATUS, &described));
    section(&mut roff, "ENVIRONMENT", environment(&described));
    section(&mut roff, "FILES", rows(FILES, &described));
    roff.control("SH", ["EXAMPLES"]);
    // Without filling: each line is a line of a shell.
    roff.control("nf", []);
    for line in examples {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.control("SH", ["SEE ALSO"]);
    roff.text(see_also(whole, subcommand));
    roff.to_writer(&mut page)?;
    Ok(in_ascii(&page).into_bytes())
}

/// Escapes the characters that are not ASCII, in the form of groff and mandoc. Without an option, groff reads a page as
/// Latin-1.
fn in_ascii(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
    let mut escaped = String::with_capacity(page.len());
    for character in page.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "\\[u{:04X}]", u32::from(character));
        }
    }
    escaped
}

/// The name of the manual, in the middle of the first line of each page.
const MANUAL: &str = "User Commands";
/// An example for the page of the whole program, whose help shows the exit codes in the place of one.
const FIRST_EXAMPLE: &str = "restream-oauth demo --browser";
/// How the last part of each help text begins.
const EXAMPLE: &str = "Example:\n";

/// Splits the text after the help into notes and the lines of the example.
fn split(command: &Command) -> (String, Vec<String>) {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    match text.split_once(EXAMPLE) {
        Some((notes, example)) => {
            let lines = example.lines().map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned());
            (notes.trim().to_owned(), lines.collect())
        }
        None => (text, vec![FIRST_EXAMPLE.to_owned()]),
    }
}

impl Concerns {
    fn is_about(&self, command: &Command) -> bool {
        match self {
            All => true,
            With(option) => options(command).any(|listed| listed.get_long() == Some(option)),
            Commands(names) => names.contains(&command.get_name()),
        }
    }
}

/// The options that a command lists.
fn options(command: &Command) -> impl Iterator<Item = &clap::Arg> {
    command.get_arguments().filter(|argument| !argument.is_hide_set())
}

/// The rows that concern one of these commands.
fn rows(table: &[Row], commands: &[&Command]) -> Vec<(String, String)> {
    let rows = table.iter().filter(|row| commands.iter().any(|command| row.concerns.is_about(command)));
    rows.map(|row| (row.name.to_owned(), row.words.to_owned())).collect()
}

/// The variables that stand for options of these commands, and those of the table.
fn environment(commands: &[&Command]) -> Vec<(String, String)> {
    let mut variables = BTreeMap::new();
    for option in commands.iter().flat_map(|command| options(command)) {
        if let (Some(variable), Some(long)) = (option.get_env(), option.get_long()) {
            let words = format!("The value of --{long}, if that is not given.");
            variables.insert(variable.to_string_lossy().into_owned(), words);
        }
    }
    variables.into_iter().chain(rows(ENVIRONMENT, commands)).collect()
}

fn section(roff: &mut Roff, title: &str, rows: Vec<(String, String)>) {
    roff.control("SH", [title]);
    if rows.is_empty() {
        roff.text([roman("None.")]);
    }
    for (name, words) in rows {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(words)]);
    }
}

/// The page of the whole program, or the pages of its subcommands.
fn see_also(whole: &Command, subcommand: Option<&Command>) -> Vec<Inline> {
    let names: Vec<String> = match subcommand {
        Some(_) => vec![NAME.to_owned()],
        None => pages(whole).map(|command| format!("{NAME}-{}", command.get_name())).collect(),
    };
    let mut inlines = Vec::new();
    for name in names {
        let separator = if inlines.is_empty() { "" } else { ", " };
        inlines.extend([roman(separator), italic(name), roman("(1)")]);
    }
    inlines
}

/// The subcommands that have a page.
pub(crate) fn pages(whole: &Command) -> impl Iterator<Item = &Command> {
    whole.get_subcommands().filter(|command| !command.is_hide_set())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments;

    fn page_of(name: Option<&str>) -> String {
        let whole = arguments::built();
        let subcommand = name.map(|name| whole.find_subcommand(name).unwrap());
        String::from_utf8(page(&whole, subcommand).unwrap()).unwrap()
    }

    fn section_of<'page>(page: &'page str, title: &str) -> &'page str {
        let heading = format!(".SH {title}\n");
        let quoted = format!(".SH \"{title}\"\n");
        let (_, rest) = page.split_once(&heading).or_else(|| page.split_once(&quoted)).expect(title);
        rest.split("\n.SH ").next().unwrap()
    }

    fn plain(text: &str) -> String {
        text.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
    }

    fn names() -> Vec<Option<String>> {
        let whole = arguments::built();
        let subcommands = pages(&whole).map(|command| Some(command.get_name().to_owned()));
        let names: Vec<_> = std::iter::once(None).chain(subcommands).collect();
        assert!(names.len() > 10, "the subcommands were found");
        names
    }

    #[test]
    fn each_page_has_exit_status_environment_files_and_examples() {
        for name in names() {
            let page = page_of(name.as_deref());
            for title in ["EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"] {
                assert!(!section_of(&page, title).trim().is_empty(), "{name:?}: {title}");
            }
            let headings: Vec<_> = page.lines().filter(|line| line.starts_with(".SH ")).collect();
            let different: std::collections::BTreeSet<_> = headings.iter().collect();
            assert_eq!(headings.len(), different.len(), "{name:?}: {headings:?}");
            let example = plain(section_of(&page, "EXAMPLES"));
            assert!(
                example.contains(&format!("{NAME} {}", name.as_deref().unwrap_or_default())),
                "{name:?}: {example}"
            );
        }
    }

    #[test]
    fn every_variable_that_an_option_reads_is_on_the_pages_that_list_the_option() {
        let whole = arguments::built();
        let mut found = 0;
        for command in pages(&whole) {
            let page = page_of(Some(command.get_name()));
            let environment = plain(section_of(&page, "ENVIRONMENT"));
            for option in command.get_arguments() {
                let Some(variable) = option.get_env().map(|name| name.to_string_lossy()) else { continue };
                found += 1;
                assert_eq!(
                    environment.contains(&*variable),
                    !option.is_hide_set(),
                    "{}: {variable}",
                    command.get_name()
                );
                assert!(plain(section_of(&page_of(None), "ENVIRONMENT")).contains(&*variable), "{variable}");
            }
        }
        assert!(found > 5, "{found}");
    }

    #[test]
    fn a_page_shows_only_what_concerns_its_command() {
        let exit = |name: &str| {
            let page = page_of(Some(name));
            let codes: Vec<_> = section_of(&page, "EXIT STATUS").split(".TP\n").skip(1).map(plain).collect();
            codes.iter().filter_map(|row| row.lines().next().map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(exit("man"), ["0", "1", "2"]);
        assert_eq!(exit("profile"), ["0", "1", "2", "3", "4", "5", "6"]);
        assert_eq!(exit("refresh"), ["0", "1", "2", "3", "4", "5", "130"]);
        for (name, title, there, not_there) in [
            ("login", "ENVIRONMENT", "SSH_CONNECTION", "NOTHING_OF_THE_KIND"),
            ("profile", "ENVIRONMENT", "NO_PROXY", "RESTREAM_CLIENT_SECRET"),
            ("completions", "ENVIRONMENT", "None.", "RESTREAM"),
            ("sandbox", "FILES", "--save-ca", "--tokens"),
            ("authorize-url", "FILES", "--save FILE", "FILE.lock"),
            ("exchange", "FILES", "--login FILE", "--save-ca"),
        ] {
            let section = plain(section_of(&page_of(Some(name)), title));
            assert!(section.contains(there) && !section.contains(not_there), "{name}: {section}");
        }
    }

    #[test]
    fn each_row_concerns_a_command_that_exists() {
        let whole = arguments::built();
        for row in EXIT_STATUS.iter().chain(ENVIRONMENT).chain(FILES) {
            assert!(pages(&whole).any(|command| row.concerns.is_about(command)), "{}", row.name);
            if let Commands(names) = row.concerns {
                for name in names {
                    assert!(whole.find_subcommand(name).is_some(), "{}: {name}", row.name);
                }
            }
        }
    }

    #[test]
    fn the_help_has_the_exit_codes_of_the_manual() {
        let help = arguments::built().get_after_help().unwrap().to_string();
        for Row { name, words, .. } in EXIT_STATUS {
            assert!(help.contains(&format!("\n  {name}  {words}\n")), "{name}: {help}");
        }
    }
}
