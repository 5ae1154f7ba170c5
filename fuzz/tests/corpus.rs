//! Replays every file of every corpus, on stable, and checks that no target lacks one of its parts.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use restream_oauth_fuzz::TARGETS;

#[test]
fn every_file_of_every_corpus_keeps_what_its_oracle_promises() {
    let mut broken = Vec::new();
    for (name, oracle) in TARGETS {
        for path in files(&folder("corpus").join(name)) {
            let data = fs::read(&path).unwrap();
            if catch_unwind(|| oracle(&data)).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "broken by {broken:#?}");
}

#[test]
fn every_target_has_a_corpus() {
    for (name, _) in TARGETS {
        let count = files(&folder("corpus").join(name)).len();
        assert!(count >= 10, "{name} has {count} files");
    }
    assert_eq!(names(&folder("corpus"), ""), targets());
}

#[test]
fn every_target_has_a_binary_a_dictionary_and_a_line_in_the_readme() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    let readme = fs::read_to_string(folder("README.md")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    assert_eq!(names(&folder("fuzz_targets"), ".rs"), targets());
    assert_eq!(names(&folder("dictionaries"), ".dict"), targets());
}

#[test]
fn an_input_of_any_length_has_an_outcome() {
    for (_, oracle) in TARGETS {
        for length in 0..=64 {
            for byte in [0, b'\n', b'"', b'=', 0xFF] {
                oracle(&vec![byte; length]);
            }
        }
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files of a folder in their order, without hidden ones.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| !is_hidden(path)).collect();
    files.sort();
    files
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// What is in a folder, by its name without the ending.
fn names(folder: &Path, ending: &str) -> BTreeSet<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().strip_suffix(ending).unwrap().to_owned();
    files(folder).iter().map(name).collect()
}

fn targets() -> BTreeSet<String> {
    TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect()
}
