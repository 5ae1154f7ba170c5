//! The options of the commands that log in.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::database::DatabaseOptions;
use super::groups::{AuthorizationOptions, ClientOptions, TokensOption, TokensOutput};
use super::values::seconds;

#[derive(Args)]
pub(crate) struct Login {
    /// Print the URL to standard error, alone on a line, instead of opening a browser
    #[arg(long)]
    pub(crate) no_browser: bool,

    /// Open no port: paste the URL that comes back, or write it to standard input; for a redirect URI of any kind
    #[arg(long)]
    pub(crate) no_listen: bool,

    /// Show the URL as a QR code too, for a browser on a phone
    #[arg(long)]
    pub(crate) qr: bool,

    /// How long to wait for the login to come back
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) wait: Duration,

    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) authorization: AuthorizationOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,

    #[command(flatten)]
    pub(crate) database: DatabaseOptions,

    #[command(flatten)]
    pub(crate) output: TokensOutput,
}

#[derive(Args)]
pub(crate) struct AuthorizeUrl {
    /// Where to keep state and PKCE verifier for `exchange --login`; without it, PKCE is left out, which a public
    /// client must not do
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) authorization: AuthorizationOptions,
}

#[derive(Args)]
pub(crate) struct Exchange {
    /// What `authorize-url --save` kept; removed when the exchange succeeds
    #[arg(long, value_name = "FILE")]
    pub(crate) login: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,

    #[command(flatten)]
    pub(crate) output: TokensOutput,
}
