//! How many crates a program gets.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::Command;

/// The crates in the normal tree of the keeper with its store of files that the core has not got.
pub(crate) fn over_the_core() -> f64 {
    let core = tree("restream-oauth-core", &[]);
    let keeper = tree("restream-oauth-keeper", &["--features", "file"]);
    f64::from(u32::try_from(keeper.difference(&core).count()).unwrap_or(u32::MAX))
}

fn tree(package: &str, options: &[&str]) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", package])
        .args(options)
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names are text");
    // `name v1.2.3 (/a/path)`, and a mark at what was shown before.
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
