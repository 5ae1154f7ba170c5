//! What a command says beside its result.

use clap::Args;

/// What is said beside the result. Every command takes these options.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Say nothing but failures, warnings and what you have to act on
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Show each request and its answer on standard error, without secrets
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Loudness {
    /// Nothing but failures, warnings, and what a person has to act on.
    Quiet,
    /// Also what happens.
    Normal,
    /// Also each request and its answer.
    Verbose,
}

impl OutputOptions {
    /// How much is said; `None` if both options are given. clap does not notice that if one of them is before the
    /// subcommand and the other one after it.
    pub(crate) fn loudness(&self) -> Option<Loudness> {
        match (self.quiet, self.verbose) {
            (false, false) => Some(Loudness::Normal),
            (true, false) => Some(Loudness::Quiet),
            (false, true) => Some(Loudness::Verbose),
            (true, true) => None,
        }
    }
}
