//! Every path on the pages for contributors exists.

use std::fs;
use std::path::Path;

#[test]
fn every_path_in_the_documents_for_contributors_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut checked = 0;
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        for line in text.lines() {
            // What is between backticks, up to the first space: `.ci/run quick` is a command.
            for word in line.split('`').skip(1).step_by(2).filter_map(|code| code.split(' ').next()) {
                if let Some(path) = path_of(root, word) {
                    assert!(root.join(&path).exists(), "{document}: {word} ({path})");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 60, "{checked} paths were found");
}

/// The path that a word stands for: `core/flow/login.rs` is short for `crates/restream-oauth-core/src/flow/login.rs`.
fn path_of(root: &Path, word: &str) -> Option<String> {
    let (first, rest) = word.split_once('/')?;
    if ["crates", "fuzz", "benches", ".ci"].contains(&first) {
        return Some(word.to_owned());
    }
    let folder = format!("crates/restream-oauth-{first}");
    let source = if rest.starts_with("tests") { "" } else { "src/" };
    root.join(&folder).is_dir().then(|| format!("{folder}/{source}{rest}"))
}
