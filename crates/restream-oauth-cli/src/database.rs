//! The accounts in a database of `PostgreSQL`: which database it is, and how the command reaches it.
//!
//! `--database` decides, or else `RESTREAM_DATABASE_URL`, unless `--tokens` names a file. Arguments are public, so a
//! password in `--database` is refused before anything is sent. The variable may hold one, and nothing shows it.

pub(crate) mod account;
pub(crate) mod chosen;
pub(crate) mod connected;
pub(crate) mod failure;
pub(crate) mod keeping;
