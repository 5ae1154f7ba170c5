//! The options of the commands that start a local Restream.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use restream_oauth_sandbox::rules::Rules;

use super::values::{seconds, whole_seconds};

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

    /// Serve https, with a certificate of an authority that lives as long as the sandbox; the ready line has that
    /// authority in PEM form, as ca_certificate_pem
    #[arg(long)]
    pub(crate) tls: bool,

    /// File for the certificate of that authority, which other commands take as --ca-file; an old one is replaced
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) save_ca: Option<PathBuf>,

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

    /// A scope of the application, or several with spaces between them; can be given several times [default: those of
    /// the documented response]
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

fn rule(name: &str, word: &str) -> Result<Rule, String> {
    Rules::default().set(name, word).map_err(|error| error.to_string())?;
    Ok(Rule { name: name.to_owned(), word: word.to_owned() })
}

fn named_rule(text: &str) -> Result<Rule, String> {
    let (name, word) = text.split_once('=').ok_or("expected NAME=WORD")?;
    rule(name, word)
}
