//! The arguments, and the help text for them.

#![expect(clippy::doc_markdown, reason = "these comments are the help text, which is no Markdown")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use restream_oauth_sandbox::rules::Rules;

/// The name of the program.
pub(crate) const NAME: &str = "restream-oauth";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  2  wrong usage, or the configuration must be fixed; also tokens of another client or server
  3  log in again; also when there are no tokens at all
  4  try again (a refresh: with the same tokens, soon)
  5  denied, waited in vain, or given up
  6  refresh: the access token is no longer accepted
  1  anything else
  130  interrupted while tokens were on their way (the first signal is put off)

Results go to standard output as JSON; words for people go to standard error.

A proxy that HTTPS_PROXY or ALL_PROXY names is used, but for the servers in NO_PROXY and for this machine.";

/// Restream's OAuth 2.0 flow on the command line
#[derive(Parser)]
#[command(name = NAME, version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
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
        after_help = "Example:\n  export RESTREAM_CLIENT_ID=… RESTREAM_CLIENT_SECRET=…\n  restream-oauth login --tokens tokens.json"
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

    /// Revoke a pair of tokens
    #[command(after_help = "Example:\n  restream-oauth revoke --tokens tokens.json")]
    Revoke(Revoke),

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

#[derive(Args)]
pub(crate) struct Demo {
    /// Click approve or deny yourself, in a browser
    #[arg(long)]
    pub(crate) browser: bool,

    /// How long to wait for the click
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) wait: Duration,
}

#[derive(Args)]
pub(crate) struct Sandbox {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,

    /// Port of 127.0.0.1 to listen on; 0 takes a free one
    #[arg(long, conflicts_with = "listen")]
    pub(crate) port: Option<u16>,

    /// File that appears with the ready line when the sandbox is ready, created with mode 0600; an old one is removed
    /// first
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,

    /// Allow an address that other machines can reach: it hands out tokens to anyone who asks
    #[arg(long)]
    pub(crate) allow_non_loopback: bool,

    /// Client identifier [default: a random one]
    #[arg(long, value_name = "ID", env = "RESTREAM_CLIENT_ID")]
    pub(crate) client_id: Option<String>,

    /// File with the client secret [default: $RESTREAM_CLIENT_SECRET, or a random one]
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: Option<PathBuf>,

    /// Register a client without a secret
    #[arg(long, conflicts_with = "client_secret_file")]
    pub(crate) public: bool,

    /// A registered redirect URI; can be given several times [default: http://127.0.0.1:8976/callback]
    #[arg(long, value_name = "URI")]
    pub(crate) redirect_uri: Vec<String>,

    /// A scope of the application; can be given several times [default: those of the documented response]
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,

    /// How long an access token lives [default: 3600]
    #[arg(long, value_name = "SECONDS", value_parser = whole_seconds)]
    pub(crate) access_token_lifetime: Option<Duration>,

    /// How long a refresh token lives [default: 31536000]
    #[arg(long, value_name = "SECONDS", value_parser = whole_seconds)]
    pub(crate) refresh_token_lifetime: Option<Duration>,

    #[command(flatten)]
    pub(crate) rules: RuleOptions,
}

/// Rules of the sandbox in which servers differ. Each word is checked when it is read.
#[derive(Args)]
#[command(next_help_heading = "Rules")]
pub(crate) struct RuleOptions {
    /// How Basic credentials are read: either (default), raw, decoded
    #[arg(long, value_name = "WORD", value_parser = |word: &str| rule("basic", word))]
    pub(crate) basic: Option<Rule>,

    /// Members of a token response: documented (default), snake, camel, minimal
    #[arg(long, value_name = "WORD", value_parser = |word: &str| rule("shape", word))]
    pub(crate) shape: Option<Rule>,

    /// Form of an error body: nested (default), flat, bare
    #[arg(long, value_name = "WORD", value_parser = |word: &str| rule("errors", word))]
    pub(crate) errors: Option<Rule>,

    /// What a refresh does to the old tokens: strict (default), grace=SECONDS, family, none
    #[arg(long, value_name = "WORD", value_parser = |word: &str| rule("rotation", word))]
    pub(crate) rotation: Option<Rule>,

    /// A refresh that asks for more scopes than were granted: ignore (default), refuse
    #[arg(long, value_name = "WORD", value_parser = |word: &str| rule("refresh_scope", word))]
    pub(crate) refresh_scope: Option<Rule>,

    /// Any rule by its name, such as lifetime=none or token_format=jwt=2000; can be given several times
    #[arg(long, value_name = "NAME=WORD", value_parser = named_rule)]
    pub(crate) rule: Vec<Rule>,
}

impl RuleOptions {
    /// The rules that were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = &Rule> {
        let Self { basic, shape, errors, rotation, refresh_scope, rule } = self;
        [basic, shape, errors, rotation, refresh_scope].into_iter().flatten().chain(rule)
    }
}

/// A rule of the sandbox and a word that it has.
#[derive(Clone)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) word: String,
}

#[derive(Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) authorization: AuthorizationOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,

    /// Print the URL to standard error, alone on a line, instead of opening a browser
    #[arg(help_heading = "Options", long)]
    pub(crate) no_browser: bool,

    /// How long to wait for the browser to come back
    #[arg(help_heading = "Options", long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) wait: Duration,
}

#[derive(Args)]
pub(crate) struct AuthorizeUrl {
    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) authorization: AuthorizationOptions,

    /// Where to keep state and PKCE verifier for `exchange --login`; without it, PKCE is left out, which a public
    /// client must not do
    #[arg(help_heading = "Options", long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Exchange {
    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,

    /// What `authorize-url --save` kept; removed when the exchange succeeds
    #[arg(help_heading = "Options", long, value_name = "FILE")]
    pub(crate) login: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Refresh {
    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,
}

#[derive(Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,

    /// Which token to send; either kills both [default: the refresh token if there is one]
    #[arg(help_heading = "Options", long, value_name = "WHICH")]
    pub(crate) token: Option<TokenKind>,

    /// Do not say which token it is (no token_type_hint)
    #[arg(help_heading = "Options", long)]
    pub(crate) no_hint: bool,
}

#[derive(Args)]
pub(crate) struct Profile {
    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,
}

/// One of the two tokens of a pair.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenKind {
    #[value(name = "access_token")]
    Access,
    #[value(name = "refresh_token")]
    Refresh,
}

#[derive(Args)]
#[command(next_help_heading = "Tokens")]
pub(crate) struct TokensOption {
    /// File with the tokens, created with mode 0600 [default: standard input and output]
    #[arg(long = "tokens", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Args)]
#[command(next_help_heading = "Login")]
pub(crate) struct AuthorizationOptions {
    /// A scope to ask for; can be given several times [default: those of the application's settings]
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,

    /// A further parameter of the authorization URL; can be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) param: Vec<(String, String)>,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Client and server")]
pub(crate) struct ClientOptions {
    /// Client identifier of the registered application
    #[arg(long, value_name = "ID", env = "RESTREAM_CLIENT_ID")]
    pub(crate) client_id: Option<String>,

    /// File with the client secret [default: $RESTREAM_CLIENT_SECRET]
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: Option<PathBuf>,

    /// How the client authenticates [default: basic; `revoke` does not authenticate unless this is given]
    #[arg(long, value_name = "METHOD")]
    pub(crate) client_auth: Option<ClientAuthentication>,

    /// A redirect URI that is registered for the application [default: http://127.0.0.1:8976/callback]
    #[arg(long, value_name = "URI")]
    pub(crate) redirect_uri: Option<String>,

    /// Where the server is
    #[arg(long, value_name = "URL", env = "RESTREAM_BASE_URL", default_value = "https://api.restream.io")]
    pub(crate) base_url: String,

    /// Authorization URL [default: BASE/login]
    #[arg(long, value_name = "URL")]
    pub(crate) authorize_url: Option<String>,

    /// Token URL [default: BASE/oauth/token]
    #[arg(long, value_name = "URL")]
    pub(crate) token_url: Option<String>,

    /// Revocation URL [default: BASE/oauth/revoke]
    #[arg(long, value_name = "URL")]
    pub(crate) revoke_url: Option<String>,

    /// Profile URL [default: BASE/v2/user/profile]
    #[arg(long, value_name = "URL")]
    pub(crate) profile_url: Option<String>,

    /// PEM file with root certificates to trust beside the bundled ones
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Time limit of each request
    #[arg(long, value_name = "SECONDS", default_value = "90", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// How the client authenticates at the token endpoint.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientAuthentication {
    /// Basic header
    Basic,
    /// In the form body
    Body,
    /// Public client: no secret
    None,
}

fn seconds(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 86_400.0;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= LONGEST => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds, more than 0 and 86400 at most".to_owned()),
    }
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    const HUNDRED_YEARS: u64 = 3_155_760_000;
    match text.parse() {
        Ok(seconds) if seconds <= HUNDRED_YEARS => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("expected whole seconds, {HUNDRED_YEARS} at most")),
    }
}

fn rule(name: &str, word: &str) -> Result<Rule, String> {
    Rules::default().set(name, word).map_err(|error| error.to_string())?;
    Ok(Rule { name: name.to_owned(), word: word.to_owned() })
}

fn named_rule(text: &str) -> Result<Rule, String> {
    let (name, word) = text.split_once('=').ok_or("expected NAME=WORD")?;
    rule(name, word)
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn time_limits_are_positive_and_finite() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "1e300", "", "5s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
