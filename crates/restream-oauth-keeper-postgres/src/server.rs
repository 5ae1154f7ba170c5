//! What a failure of the server can lose.

use std::fmt;

use tokio_postgres::Row;

/// What survives of what the server has confirmed. It is asked when a store connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durability {
    /// The farthest failure after which everything is there that was confirmed.
    pub survives: Survives,
    /// True if the server is a standby, or allows no writes. Nothing can be claimed there.
    pub read_only: bool,
    /// The version of the server, such as `150018`.
    pub version: i64,
}

/// The farthest failure after which everything is there that was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Survives {
    /// Not even a crash of the server's process: `synchronous_commit` is off.
    Nothing,
    /// A crash of the server's process, but not of its machine: `fsync` or `full_page_writes` is off.
    ServerCrash,
    /// A crash of its machine, but not the loss of it: no standby confirms a commit. A failover loses what the standby did
    /// not have yet.
    MachineCrash,
    /// The loss of the machine: a standby confirms each commit.
    Failover,
}

impl Durability {
    pub(crate) fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let synchronous_commit: &str = row.try_get("synchronous_commit")?;
        let (fsync, pages): (bool, bool) = (row.try_get("fsync")?, row.try_get("full_page_writes")?);
        let standbys: bool = row.try_get("synchronous_standbys")?;
        let survives = survives(synchronous_commit, fsync && pages, standbys);
        let read_only = row.try_get::<_, bool>("standby")? || row.try_get("read_only")?;
        Ok(Self { survives, read_only, version: row.try_get("version")? })
    }
}

fn survives(synchronous_commit: &str, writes_through: bool, standbys: bool) -> Survives {
    match (synchronous_commit, writes_through, standbys) {
        ("off", ..) => Survives::Nothing,
        // The standby has it, but may not have it on disk: good enough for the loss of one machine.
        ("on" | "remote_apply" | "remote_write", _, true) => Survives::Failover,
        (_, false, _) => Survives::ServerCrash,
        _ => Survives::MachineCrash,
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.survives {
            _ if self.read_only => "the server is a standby or read-only",
            Survives::Nothing => "synchronous_commit is off: a crash of the server loses logins that it has confirmed",
            Survives::ServerCrash => "fsync or full_page_writes is off: a crash of the machine loses logins",
            Survives::MachineCrash => {
                "no synchronous standby: what the server confirmed survives a crash, and a failover loses the newest of it"
            }
            Survives::Failover => "a synchronous standby has what the server confirmed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_a_server_say_what_survives() {
        for (commit, writes_through, standbys, expected) in [
            ("off", true, true, Survives::Nothing),
            ("on", true, true, Survives::Failover),
            ("remote_apply", false, true, Survives::Failover),
            ("local", true, true, Survives::MachineCrash),
            ("on", true, false, Survives::MachineCrash),
            ("on", false, false, Survives::ServerCrash),
        ] {
            assert_eq!(survives(commit, writes_through, standbys), expected, "{commit} {writes_through} {standbys}");
        }
    }
}
