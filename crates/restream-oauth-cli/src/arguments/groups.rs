//! Groups of options that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use restream_oauth_keeper::GrantName;

use super::values::{name_and_value, seconds};

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
    #[arg(long, value_name = "SECONDS", default_value = "75", value_parser = seconds)]
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

#[derive(Args)]
#[command(next_help_heading = "Tokens")]
pub(crate) struct TokensOption {
    /// Name of the account, whose tokens lie in the state folder of the user [default: $RESTREAM_ACCOUNT, or default]
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub(crate) account: Option<GrantName>,

    /// File with the tokens, created with mode 0600; - is standard input and output [default: $RESTREAM_TOKENS, or the
    /// file of the account]
    #[arg(long = "tokens", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Args)]
#[command(next_help_heading = "Tokens")]
pub(crate) struct TokensOutput {
    /// Print the saved tokens instead of their status; they are stored all the same
    #[arg(long)]
    pub(crate) print_tokens: bool,

    /// Revoke the login that the new one replaces, also if it is the same user's, whose new login may end with it
    /// [default: only if it is another user's]
    #[arg(long)]
    pub(crate) revoke_old: bool,
}

#[derive(Args)]
#[command(next_help_heading = "Login")]
pub(crate) struct AuthorizationOptions {
    /// A scope to ask for, or several with spaces between them; can be given several times [default: those of the
    /// application's settings]
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,

    /// A further parameter of the authorization URL; can be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) param: Vec<(String, String)>,
}
