//! Two tables: the requirements of specifications, and known failures of similar software. Each row names its tests,
//! and each of these tests names its row.
//!
//! `UPDATE=1 cargo test -p restream-oauth-core --test specifications` writes `SPECIFICATIONS.md` and
//! `KNOWN_FAILURES.md`.

#![allow(clippy::disallowed_methods, reason = "the tables are files, written by this test and not by the core")]

mod documents;
mod known_failures;
mod layout;
mod requirements;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A row: its source; its sections, or nothing; its level or subject; the requirement or the failure; and its proof.
pub(crate) struct Row(&'static str, &'static str, &'static str, &'static str, Proof);

pub(crate) enum Proof {
    /// The `crate::name` of each test.
    Tests(&'static [&'static str]),
    /// The reason why there is nothing to test yet.
    NotYet(&'static str),
}

impl Row {
    /// The references to this row. A test of the row must contain one of them.
    fn names(&self) -> Vec<String> {
        let Self(source, sections, ..) = self;
        if sections.is_empty() {
            return vec![(*source).to_owned()];
        }
        sections.split(", ").map(|section| format!("{source} {}", sign(section))).collect()
    }
}

/// `§` and the number of a section, or `appendix` and its letter.
fn sign(section: &str) -> String {
    let appendix = section.starts_with(|first: char| first.is_ascii_alphabetic());
    if appendix { format!("appendix {section}") } else { format!("§{section}") }
}

#[test]
fn the_table_of_requirements_is_current_and_every_test_in_it_names_its_section() {
    let introduction = "# Requirements of specifications, and their tests\n\n\
        Each requirement is in our words. Each test in the last column names the section, in its own name or in its \
        comments. A test checks this table, so no test in it can disappear unnoticed. Written by \
        `UPDATE=1 cargo test -p restream-oauth-core --test specifications`.\n\n\
        | section | level | requirement | tested by |\n|---|---|---|---|\n";
    check("SPECIFICATIONS.md", introduction, requirements::ROWS, |Row(source, sections, level, text, _)| {
        let sections: Vec<_> = sections.split(", ").map(sign).collect();
        format!("{source} {} | {level} | {text}", sections.join(", "))
    });
}

#[test]
fn the_table_of_known_failures_is_current_and_every_test_in_it_names_its_case() {
    let introduction = "# Known failures elsewhere, and the tests that would catch them here\n\n\
        Public failures of similar software. Each test in the last column names the case. A test checks this table, so \
        no test in it can disappear unnoticed. Written by \
        `UPDATE=1 cargo test -p restream-oauth-core --test specifications`.\n\n\
        | seen in | subject | what went wrong | caught by |\n|---|---|---|---|\n";
    check("KNOWN_FAILURES.md", introduction, known_failures::ROWS, |Row(source, _, subject, text, _)| {
        format!("{source} | {subject} | {text}")
    });
}

fn check(file: &str, introduction: &str, rows: &[Row], cells: impl Fn(&Row) -> String) {
    let tests = Tests::of_the_workspace();
    let mut text = introduction.to_owned();
    let mut problems = Vec::new();
    for row in rows {
        let proof = match row.4 {
            Proof::NotYet(why) => format!("– {why}"),
            Proof::Tests(names) => {
                let links = names.iter().filter_map(|name| match tests.link(name, &row.names()) {
                    Ok(link) => Some(link),
                    Err(problem) => {
                        problems.push(problem);
                        None
                    }
                });
                links.collect::<Vec<_>>().join(", ")
            }
        };
        writeln!(text, "| {} | {proof} |", cells(row)).unwrap();
    }
    assert!(problems.is_empty(), "{}:\n{}", file, problems.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    } else {
        let current = fs::read_to_string(&path).unwrap_or_default();
        assert!(current == text, "{file} is not current: run this test with UPDATE=1");
    }
}

/// A test: its file, and the text of the test and of the comments above it.
struct Test {
    path: PathBuf,
    said: String,
}

/// Every test of the workspace, by `crate::name`.
struct Tests(BTreeMap<String, Vec<Test>>);

impl Tests {
    fn of_the_workspace() -> Self {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut tests = Self(BTreeMap::new());
        for entry in fs::read_dir(crates).unwrap() {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_str().unwrap().trim_start_matches("restream-oauth-").to_owned();
            tests.search(&folder, &name);
        }
        assert!(tests.0.len() > 300, "{} tests are not all", tests.0.len());
        tests
    }

    fn search(&mut self, folder: &Path, crate_name: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.search(&path, crate_name);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                self.read(&path, crate_name);
            }
        }
    }

    fn read(&mut self, path: &Path, crate_name: &str) {
        let source = fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = source.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let is_test =
                ["#[test]", "#[tokio::test", "#[wasm_bindgen_test"].iter().any(|mark| line.trim().starts_with(mark));
            if !is_test {
                continue;
            }
            let is_beside = |line: &&str| line.trim().starts_with("//") || line.trim().starts_with("#[");
            let before = lines[..at].iter().rev().take_while(|line| is_beside(line)).count();
            let Some(head) = lines[at..].iter().position(|line| line.contains("fn ")).map(|offset| at + offset) else {
                continue;
            };
            let name = lines[head].split("fn ").nth(1).unwrap().split('(').next().unwrap();
            let indent = &lines[head][..lines[head].len() - lines[head].trim_start().len()];
            let end =
                lines[head..].iter().position(|line| *line == format!("{indent}}}")).map_or(head, |end| head + end);
            // Joins the lines, because a reference may be split between two lines of a comment.
            let words = lines[at - before..=end].iter().map(|line| line.trim().trim_start_matches('/').trim());
            let said = words.collect::<Vec<_>>().join(" ");
            let test = Test { path: path.to_owned(), said };
            self.0.entry(format!("{crate_name}::{name}")).or_default().push(test);
        }
    }

    /// A link to the test, if it runs and contains one of `names`.
    fn link(&self, test: &str, names: &[String]) -> Result<String, String> {
        let [found] = self.0.get(test).map(Vec::as_slice).unwrap_or_default() else {
            return Err(format!("{test}: there is no such test, or more than one"));
        };
        if found.said.contains("#[ignore") && !test.starts_with("wasm::") {
            return Err(format!("{test}: it is ignored"));
        }
        let (_, name) = test.split_once("::").unwrap();
        if !names.iter().any(|wanted| says(&found.said, wanted) || is_named_for(name, wanted)) {
            return Err(format!("{test}: it does not say {}", names.join(" or ")));
        }
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        Ok(format!("[{name}](../{})", found.path.strip_prefix(crates).unwrap().display()))
    }
}

/// True if `said` contains the reference `wanted`, and not only a longer one: §2.3 is not §2.3.1.
fn says(said: &str, wanted: &str) -> bool {
    said.match_indices(wanted).any(|(at, _)| {
        let mut after = said[at + wanted.len()..].chars();
        let first = after.next().unwrap_or(' ');
        let goes_on = first == '.' && after.next().is_some_and(|next| next.is_ascii_digit());
        !first.is_ascii_alphanumeric() && !goes_on
    })
}

/// Like [`says`], for the name of a test: `rfc_6749_2_3_1_…`.
fn is_named_for(name: &str, wanted: &str) -> bool {
    let written = wanted.replace('§', "").replace([' ', '.'], "_").to_lowercase() + "_";
    name.match_indices(&written)
        .any(|(at, _)| !name[at + written.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

#[test]
fn a_reference_to_a_subsection_is_not_a_reference_to_its_section() {
    assert!(says("// RFC 6749 §2.3.", "RFC 6749 §2.3") && says("RFC 6749 §2.3, §5", "RFC 6749 §2.3"));
    assert!(!says("// RFC 6749 §2.3.1", "RFC 6749 §2.3") && !says("RFC 6749 §2.31", "RFC 6749 §2.3"));
    assert!(is_named_for("rfc_6749_2_3_one", "RFC 6749 §2.3") && !is_named_for("rfc_6749_2_3_1_x", "RFC 6749 §2.3"));
    assert!(is_named_for("every_value_rfc_6749_appendix_b_x", "RFC 6749 appendix B"));
}
