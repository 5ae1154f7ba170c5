//! The machine, the compiler and the crates of a run.

use std::process::Command;
use std::time::SystemTime;
use std::{env, fs, thread};

use crate::results::Machine;

/// This machine, today, and crates with the versions that a lock file has.
pub fn describe(lock_file: &str, crates: &[&str]) -> Machine {
    Machine {
        date: date(),
        processor: processor().unwrap_or_else(|| "unknown processor".to_owned()),
        cores: thread::available_parallelism().map_or(1, usize::from),
        system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        rustc: compiler().unwrap_or_else(|| "unknown compiler".to_owned()),
        crates: crates.iter().filter_map(|name| Some(format!("{name} {}", version(lock_file, name)?))).collect(),
    }
}

/// `24 Nov 2026`, taken out of `Tue, 24 Nov 2026 06:54:41 GMT`.
fn date() -> String {
    let now = httpdate::fmt_http_date(SystemTime::now());
    now.split(' ').skip(1).take(3).collect::<Vec<_>>().join(" ")
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn compiler() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn version<'a>(lock_file: &'a str, name: &str) -> Option<&'a str> {
    let entry =
        lock_file.split("[[package]]").find(|entry| entry.trim().starts_with(&format!("name = \"{name}\"\n")))?;
    let line = entry.lines().find_map(|line| line.strip_prefix("version = \""))?;
    line.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CRATES, LOCK_FILE};

    #[test]
    fn the_versions_of_all_crates_are_found() {
        for name in CRATES {
            assert!(version(LOCK_FILE, name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_date_is_a_day_a_month_and_a_year() {
        assert_eq!(date().split(' ').count(), 3);
    }
}
