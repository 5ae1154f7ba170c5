//! The password of a role, from where `libpq` takes it: `PGPASSWORD`, or the file that `PGPASSFILE` names, or `~/.pgpass`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::ConfigError;

/// What a line of the file is compared with.
#[derive(Clone, Debug)]
pub(crate) struct Login<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) user: &'a str,
}

/// Looks for a password. A missing `~/.pgpass` is no error, while a file that `PGPASSFILE` names must be there.
pub(crate) fn find(login: &Login<'_>) -> Result<Option<Zeroizing<String>>, ConfigError> {
    if let Ok(password) = env::var("PGPASSWORD") {
        return Ok(Some(Zeroizing::new(password)));
    }
    let (path, is_named) = match env::var_os("PGPASSFILE") {
        Some(path) => (PathBuf::from(path), true),
        None => match env::var_os("HOME") {
            Some(home) => (Path::new(&home).join(".pgpass"), false),
            None => return Ok(None),
        },
    };
    if !is_named && !path.is_file() {
        return Ok(None);
    }
    refuse_readable(&path)?;
    let lines = Zeroizing::new(fs::read_to_string(&path).map_err(|_| ConfigError::PasswordFile)?);
    Ok(in_lines(&lines, login))
}

/// The bits of a file's mode that let its group and all others use it.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

#[cfg(unix)]
fn refuse_readable(path: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_err(|_| ConfigError::PasswordFile)?.permissions().mode();
    if mode & OTHERS == 0 { Ok(()) } else { Err(ConfigError::PasswordFileReadable) }
}

#[cfg(not(unix))]
fn refuse_readable(_: &Path) -> Result<(), ConfigError> {
    Ok(())
}

/// The first line counts that fits: `host:port:database:user:password`, where `*` fits anything.
fn in_lines(lines: &str, login: &Login<'_>) -> Option<Zeroizing<String>> {
    let port = login.port.to_string();
    let wanted = [login.host, &port, login.database, login.user];
    lines.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = fields(line);
        let fits = fields.len() == 5
            && wanted.iter().zip(&fields).all(|(wanted, field)| field.as_str() == "*" || field.as_str() == *wanted);
        if fits { fields.pop() } else { None }
    })
}

/// Splits at colons. A backslash takes the meaning from the character behind it.
fn fields(line: &str) -> Vec<Zeroizing<String>> {
    let empty = || Zeroizing::new(String::with_capacity(line.len()));
    let mut fields = vec![empty()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' if fields.len() < 5 => fields.push(empty()),
            '\\' => {
                let escaped = characters.next();
                fields.last_mut().into_iter().for_each(|field| field.extend(escaped));
            }
            other => fields.last_mut().into_iter().for_each(|field| field.push(other)),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_password_file_that_fits_counts() {
        let login = Login { host: "db.example", port: 5432, database: "app", user: "keeper" };
        let file = "# a comment\n\
                    other:5432:app:keeper:1\n\
                    db.example:5432:app:keeper:a\\:b\\\\c\n\
                    *:*:*:*:3\n";
        assert_eq!(in_lines(file, &login).unwrap().as_str(), "a:b\\c");
        assert_eq!(in_lines(file, &Login { host: "x", ..login.clone() }).unwrap().as_str(), "3");
        assert_eq!(in_lines("db.example:5432:app:keeper\n", &login), None);
        assert_eq!(in_lines("*:*:*:*:with:colons\n", &login).unwrap().as_str(), "with:colons");
        assert_eq!(in_lines("", &login), None);
    }
}
