//! The options of the commands that work with the tokens of a login.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::Method;
use restream_oauth_keeper::GrantName;

use super::database::DatabaseOptions;
use super::groups::{ClientOptions, TokensOption};
use super::values::{method, whole_seconds};

#[derive(Args)]
pub(crate) struct Refresh {
    /// Refresh even if another process has done so meanwhile: a token that other programs still use dies
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,
}

#[derive(Args)]
pub(crate) struct Token {
    /// Refresh if fewer seconds are left; a fifth of the token's life at most. More than 60 replaces a token that other
    /// programs may still use
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = whole_seconds)]
    pub(crate) valid_for: Duration,

    /// Read a token from standard input that the API refused, and print another
    #[arg(long)]
    pub(crate) rejected: bool,

    /// Print a header: Authorization: Bearer and the token
    #[arg(long, conflicts_with = "json")]
    pub(crate) header: bool,

    /// Print a JSON object: access_token, token_type, expires_at, expires_in, scopes
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,

    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

#[derive(Args)]
pub(crate) struct Api {
    /// Path from the root of the base URL, such as /v2/user/profile, or a URL of the same server
    pub(crate) path: String,

    /// Method of the request [default: GET, or POST with --input]
    #[arg(long, value_parser = method)]
    pub(crate) method: Option<Method>,

    /// File with the body of the request, which is sent as JSON; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,
}

#[derive(Args)]
pub(crate) struct Revoke {
    /// Which token to send; either kills both [default: the refresh token if there is one]
    #[arg(long, value_name = "WHICH")]
    pub(crate) token: Option<TokenKind>,

    /// Do not say which token it is (no token_type_hint)
    #[arg(long)]
    pub(crate) no_hint: bool,

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
pub(crate) struct Logout {
    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,

    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

#[derive(Args)]
pub(crate) struct Status {
    /// Show every account
    #[arg(long, conflicts_with_all = ["account", "file"])]
    pub(crate) all: bool,

    /// Print JSON: one object, with --all an array
    #[arg(long)]
    pub(crate) json: bool,

    /// Ask the API, with one request, whether the access token is alive; nothing is refreshed
    #[arg(long)]
    pub(crate) check: bool,

    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,

    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

#[derive(Args)]
pub(crate) struct Accounts {
    /// Print a JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Keep {
    /// Name of an account to keep; can be given several times [default: $RESTREAM_ACCOUNT, or default]
    #[arg(long = "account", value_name = "NAME", conflicts_with = "all")]
    pub(crate) accounts: Vec<GrantName>,

    /// Keep every account there is; those that are added later join within 30 seconds
    #[arg(long)]
    pub(crate) all: bool,

    /// Unix socket that gives tokens to other programs of the same user, over HTTP; its folder must have mode 0700
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

#[derive(Args)]
pub(crate) struct Profile {
    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(flatten)]
    pub(crate) tokens: TokensOption,
}
