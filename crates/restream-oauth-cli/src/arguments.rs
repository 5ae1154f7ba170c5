//! The arguments, and the help text for them.

#![expect(clippy::doc_markdown, reason = "these comments are the help text, which is no Markdown")]

mod database;
mod groups;
pub(crate) mod listing;
mod login;
mod output;
mod sandbox;
mod tokens;
mod values;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub(crate) use self::database::DatabaseOptions;
pub(crate) use self::groups::{AuthorizationOptions, ClientAuthentication, ClientOptions, TokensOption, TokensOutput};
pub(crate) use self::login::{AuthorizeUrl, Exchange, Login};
pub(crate) use self::output::{Loudness, OutputOptions};
pub(crate) use self::sandbox::{Demo, Sandbox};
pub(crate) use self::tokens::{Accounts, Api, Keep, Logout, Profile, Refresh, Revoke, Status, Token, TokenKind};
pub(crate) use self::values::scopes;

/// The name of the program.
pub(crate) const NAME: &str = "restream-oauth";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  2  wrong usage, or the configuration must be fixed; also tokens of another client or server
  3  log in again; also when there are no tokens at all
  4  try again (a refresh: with the same tokens, soon); also a lock or a server that is busy, and a lost answer
  5  denied, waited in vain, or given up; also refused for good
  6  refresh: the access token is no longer accepted, and this command cannot replace it
  1  anything else
  130  interrupted while tokens were on their way (the first signal is put off)

Results go to standard output; words for people go to standard error.

A proxy that HTTPS_PROXY or ALL_PROXY names is used, but for the servers in NO_PROXY and for this machine.";

/// Restream's OAuth 2.0 flow on the command line
#[derive(Parser)]
#[command(name = NAME, version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: OutputOptions,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Parses the arguments of the process. Ends it after help, and after wrong usage.
pub(crate) fn parse() -> Arguments {
    let mut command = declared();
    let parsed = Arguments::from_arg_matches_mut(&mut command.get_matches_mut());
    parsed.unwrap_or_else(|error| error.format(&mut command).exit())
}

/// Returns what clap knows of the command.
pub(crate) fn declared() -> clap::Command {
    listing::without_unused(Arguments::command())
}

/// Like [`declared`], with what clap adds: the full names of subcommands, `--help` and `--version`. Leaves out the
/// subcommand `help`, which has no page of its own.
pub(crate) fn built() -> clap::Command {
    let mut command = declared().disable_help_subcommand(true);
    command.build();
    command
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the whole flow against a local Restream and show every request and answer
    #[command(after_help = "Example:\n  restream-oauth demo --browser")]
    Demo(Demo),

    /// Run a local Restream to develop and test against
    #[command(
        after_help = "One line of JSON says when it is ready, and where. A page for people is at BASE/_sandbox/.\n\nExample:\n  restream-oauth sandbox --port 0 --ready-file ready.json"
    )]
    Sandbox(Sandbox),

    /// Log in with a browser and get tokens
    #[command(
        after_help = "While it waits, it also takes the URL that came back, pasted into the terminal.\n\nExample:\n  export RESTREAM_CLIENT_ID=… RESTREAM_CLIENT_SECRET=…\n  restream-oauth login --tokens tokens.json"
    )]
    Login(Login),

    /// Make the URL to open in a browser, for a login that `exchange` completes
    #[command(after_help = "Example:\n  restream-oauth authorize-url --save login.json --scope chat.read")]
    AuthorizeUrl(AuthorizeUrl),

    /// Exchange a code for tokens; standard input holds the URL that came back
    #[command(
        after_help = "Example:\n  echo 'https://app.example/callback?code=…&state=…' | restream-oauth exchange --login login.json --tokens tokens.json"
    )]
    Exchange(Exchange),

    /// Exchange a refresh token for a new pair; the old pair is dead from then on
    #[command(after_help = "Example:\n  restream-oauth refresh --tokens tokens.json")]
    Refresh(Refresh),

    /// Print a living access token, and refresh it only if it has to be
    #[command(
        after_help = "Example:\n  restream-oauth token --header | curl -H @- https://api.restream.io/v2/user/profile"
    )]
    Token(Token),

    /// Call Restream's API with the living access token; the body of the response goes to standard output
    #[command(
        after_help = "Example:\n  restream-oauth api /v2/user/profile\n  echo '{\"title\":\"…\"}' | restream-oauth api /v2/… --method PATCH --input -"
    )]
    Api(Api),

    /// Revoke a pair of tokens
    #[command(after_help = "Example:\n  restream-oauth revoke --tokens tokens.json")]
    Revoke(Revoke),

    /// Log out: revoke the tokens of an account, and remove them
    #[command(
        after_help = "The tokens stay where they are until the server confirms (exit code 4).\n\nExample:\n  restream-oauth logout --account bot"
    )]
    Logout(Logout),

    /// Show what is known of an account; without --check, nothing is sent
    #[command(
        after_help = "With --check, the exit code is 0 if the account is alive, 2 if it is of another client or server, 3 if it is dead, and 4 if it is in doubt, out of reach, or refused.\n\nExample:\n  restream-oauth status --account bot --check"
    )]
    Status(Status),

    /// List the accounts
    #[command(after_help = "Example:\n  restream-oauth accounts --json")]
    Accounts(Accounts),

    /// Keep accounts warm until a signal ends it: refresh each in time, and give tokens to programs over a socket
    #[command(
        after_help = "Events go to standard output, one line of JSON each. SIGTERM and Ctrl-C finish what is in flight; a second one gives up. Ends with 3 when somebody has to log in again for every account.\n\nWith --database it keeps whatever is due there, beside any number of other processes, and brings the schema to the version of this release at its start. It goes on while the database is away, and when there is no account.\n\nExample:\n  restream-oauth keep --account bot --socket $XDG_RUNTIME_DIR/restream-oauth/socket\n  curl --fail --unix-socket $XDG_RUNTIME_DIR/restream-oauth/socket http://localhost/token"
    )]
    Keep(Keep),

    /// Ask whose access token it is, and whether it is alive
    #[command(after_help = "Example:\n  restream-oauth profile --tokens tokens.json")]
    Profile(Profile),

    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  restream-oauth completions bash > ~/.local/share/bash-completion/completions/restream-oauth"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Print a manual page
    #[command(
        after_help = "Example:\n  restream-oauth man > restream-oauth.1\n  restream-oauth man login > restream-oauth-login.1"
    )]
    Man {
        /// Of a subcommand [default: of the whole]
        subcommand: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        declared().debug_assert();
    }

    /// Every user of a machine can read the arguments of its processes.
    #[test]
    fn no_secret_is_an_argument() {
        let whole = built();
        let mut found = 0;
        for option in whole.get_subcommands().flat_map(clap::Command::get_arguments) {
            let name = option.get_id().as_str().replace('_', "-");
            let mut words = name.split('-');
            let names_secret =
                words.any(|word| ["secret", "password", "token", "tokens", "code", "verifier", "key"].contains(&word));
            if names_secret && option.get_action().takes_values() {
                found += 1;
                let value = option.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str);
                // FILE and URL say where something is, WHICH is a kind, and SECONDS is a time.
                assert!(matches!(value, Some("FILE" | "URL" | "WHICH" | "SECONDS")), "{name}: {value:?}");
            }
        }
        assert!(found > 5, "{found}");
    }
}
