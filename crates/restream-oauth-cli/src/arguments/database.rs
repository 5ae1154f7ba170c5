//! The options of the commands that can work with a database in the place of files.

use std::path::PathBuf;

use clap::Args;

/// Which database has the accounts. Other modules read the variables: one of them may hold a password, and clap would show
/// its value.
#[derive(Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct DatabaseOptions {
    /// PostgreSQL database that has the accounts, such as postgres://keeper@db.example/app; a password in it is refused,
    /// and comes from the file that $PGPASSFILE names, or from $PGPASSWORD [default: $RESTREAM_DATABASE_URL, which may
    /// hold the password]
    #[arg(long = "database", value_name = "URL")]
    pub(crate) url: Option<String>,

    /// File with the keys that encrypt tokens in the database, one NAME:KEY a line, newest first, mode 0600
    /// [default: $RESTREAM_DATABASE_KEYS holds them]
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,

    /// PEM file with root certificates for the database, in the place of the bundled ones; --ca-file is for Restream alone
    #[arg(long, value_name = "FILE")]
    pub(crate) database_ca_file: Option<PathBuf>,
}
