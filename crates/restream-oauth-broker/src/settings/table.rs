//! Reads tables of TOML: every fault is noted with its key and its line, and reading goes on.

use std::cell::RefCell;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Problem};
use super::keys;

/// The longest part of a value or a key that a message shows, in characters.
const LONGEST_SHOWN: usize = 80;

/// What is noted while a file is read.
pub(super) struct Notes {
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    faults: RefCell<Vec<Fault>>,
}

impl Notes {
    pub(super) fn of(text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at.saturating_add(1));
        Self { lines: std::iter::once(0).chain(starts).collect(), faults: RefCell::default() }
    }

    /// The line of a position in the text, counted from 1.
    pub(super) fn line(&self, position: usize) -> usize {
        self.lines.partition_point(|start| *start <= position).max(1)
    }

    pub(super) fn add(&self, key: &str, line: usize, problem: Problem) {
        self.faults.borrow_mut().push(Fault { key: key.into(), line, problem });
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }
}

/// A table, with its place in the file.
pub(super) struct Table<'a> {
    notes: &'a Notes,
    /// With a dot at the end, unless it is the file itself.
    prefix: String,
    line: usize,
    entries: Option<&'a DeTable<'a>>,
}

impl<'a> Table<'a> {
    /// The file itself. An unknown key is a fault at once.
    pub(super) fn root(notes: &'a Notes, entries: &'a DeTable<'a>) -> Self {
        Self::new(notes, "", String::new(), 1, entries)
    }

    fn new(notes: &'a Notes, name: &str, prefix: String, line: usize, entries: &'a DeTable<'a>) -> Self {
        let table = Self { notes, prefix, line, entries: Some(entries) };
        for key in entries.keys() {
            let line = notes.line(key.span().start);
            let text = key.get_ref();
            if !keys::is_known(name, text) {
                let problem = if is_a_secret(text) {
                    Problem::SecretInFile
                } else {
                    Problem::UnknownKey { nearest: keys::nearest(name, text).map(Into::into) }
                };
                notes.add(&table.path(&shown_key(text)), line, problem);
            }
        }
        table
    }

    /// The table of this name, if it is there.
    pub(super) fn table(&self, name: &'static str) -> Option<Table<'a>> {
        let value = self.value(name)?;
        match value.get_ref() {
            DeValue::Table(entries) => {
                let line = self.notes.line(value.span().start);
                Some(Self::new(self.notes, name, format!("{}.", self.path(name)), line, entries))
            }
            other => {
                self.note(name, wrong_type("a table", other));
                // What it would hold is not missing: that would be a second fault for the same reason.
                Some(Self { notes: self.notes, prefix: String::new(), line: self.line, entries: None })
            }
        }
    }

    /// The tables of an array of tables (`[[name]]`).
    pub(super) fn tables(&self, name: &'static str) -> Vec<Table<'a>> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let DeValue::Array(elements) = value.get_ref() else {
            self.note(name, wrong_type("tables, each under [[clients]]", value.get_ref()));
            return Vec::new();
        };
        let table = |(number, element): (usize, &'a Spanned<DeValue<'a>>)| {
            let (path, line) = (format!("{}[{number}]", self.path(name)), self.notes.line(element.span().start));
            if let DeValue::Table(entries) = element.get_ref() {
                return Some(Self::new(self.notes, name, format!("{path}."), line, entries));
            }
            self.notes.add(&path, line, wrong_type("a table", element.get_ref()));
            None
        };
        elements.iter().enumerate().filter_map(table).collect()
    }

    /// Reads the value of a key that may be left out.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        let value = self.value(key)?;
        read(value.get_ref()).map_err(|problem| self.note(key, problem)).ok()
    }

    /// Reads the value of a key that must be there. `expected` says what to write.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        read: impl FnOnce(&DeValue<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        if !self.has(key) {
            self.note(key, Problem::Missing { expected });
        }
        self.optional(key, read)
    }

    /// Reads the elements of a list. Each that cannot be used is a fault of its own.
    pub(super) fn list<T>(&self, key: &'static str, read: impl Fn(&str) -> Result<T, Problem>) -> Vec<T> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(elements) = value.get_ref() else {
            self.note(key, wrong_type("a list in brackets", value.get_ref()));
            return Vec::new();
        };
        let element = |(number, element): (usize, &Spanned<DeValue<'_>>)| {
            let line = self.notes.line(element.span().start);
            let read = text(element.get_ref()).and_then(&read);
            read.map_err(|problem| self.notes.add(&self.path(&format!("{key}[{number}]")), line, problem)).ok()
        };
        elements.iter().enumerate().filter_map(element).collect()
    }

    /// True if a list is empty or not there.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        self.value(key).is_none_or(|value| matches!(value.get_ref(), DeValue::Array(list) if list.is_empty()))
    }

    /// True if the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Notes a fault at a key, or where its table begins if it is not there.
    pub(super) fn note(&self, key: &str, problem: Problem) {
        let Some(entries) = self.entries else { return };
        let line = entries.get_key_value(key).map_or(self.line, |(key, _)| self.notes.line(key.span().start));
        self.notes.add(&self.path(key), line, problem);
    }

    /// The key with its table.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.entries?.get(key)
    }
}

/// Reads text.
pub(super) fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Problem> {
    match value {
        DeValue::String(text) => Ok(text),
        other => Err(wrong_type("text in quotes", other)),
    }
}

/// Reads a path.
pub(super) fn path(value: &DeValue<'_>) -> Result<PathBuf, Problem> {
    match text(value)? {
        text if text.is_empty() || text.contains('\0') => Err(unusable("a path", text)),
        text => Ok(PathBuf::from(text)),
    }
}

/// Reads a whole number from 1 to `largest`.
pub(super) fn number(value: &DeValue<'_>, largest: u32, expected: &'static str) -> Result<u32, Problem> {
    let DeValue::Integer(number) = value else { return Err(wrong_type(expected, value)) };
    let parsed = u32::from_str_radix(number.as_str(), number.radix()).ok();
    let refused = || Problem::Value { expected, came: shown(number.as_str()) };
    parsed.filter(|number| (1..=largest).contains(number)).ok_or_else(refused)
}

/// A problem that shows the value.
pub(super) fn unusable(expected: &'static str, came: &str) -> Problem {
    Problem::Value { expected, came: shown(came) }
}

/// A value as a message may show it: without what can hold a secret in a URL, without control characters, truncated.
pub(super) fn shown(text: &str) -> Box<str> {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let (place, is_cut) = rest.find(['?', '#']).and_then(|at| rest.get(..at)).map_or((rest, false), |it| (it, true));
    let mut url = String::new();
    if rest.len() != text.len() {
        url.push_str(scheme);
        url.push_str("://");
    }
    match place.rsplit_once('@') {
        Some((_, host)) => url.extend(["…@", host]),
        None => url.push_str(place),
    }
    if is_cut {
        url.push('…');
    }
    let mut shown: String = url.chars().take(LONGEST_SHOWN).flat_map(char::escape_debug).collect();
    if url.chars().nth(LONGEST_SHOWN).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"").into()
}

/// A key as a message may show it: as it stands in the file if it needs no quotes.
fn shown_key(key: &str) -> Box<str> {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_plain = (1..=LONGEST_SHOWN).contains(&key.len()) && key.bytes().all(is_bare);
    if is_plain { key.into() } else { shown(key) }
}

fn wrong_type(expected: &'static str, value: &DeValue<'_>) -> Problem {
    let came = match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Problem::Type { expected, came }
}

/// True for a key that asks for a secret, and is none of ours.
fn is_a_secret(key: &str) -> bool {
    ["client_secret", "clientsecret", "client-secret", "secret", "password"]
        .contains(&key.to_ascii_lowercase().as_str())
}
