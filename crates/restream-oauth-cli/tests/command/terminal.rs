//! A pseudo-terminal for the tests of what people type and see.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A pseudo-terminal.
pub(crate) struct Terminal {
    /// The side of the person.
    pub(crate) person: File,
    /// The side of the command.
    pub(crate) command: File,
}

impl Terminal {
    pub(crate) fn open() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let flags = i32::try_from(OpenptFlags::NOCTTY.bits()).unwrap();
        let command = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).unwrap();
        Self { person: person.into(), command }
    }

    pub(crate) fn for_command(&self) -> Stdio {
        self.command.try_clone().unwrap().into()
    }

    pub(crate) fn paste(&mut self, line: &str) {
        self.person.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}
