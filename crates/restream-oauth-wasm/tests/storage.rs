//! The crate stores no tokens: no source file uses a page's storage.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::Path;

/// The names of a page's stores, in lower case. The first is part of `localStorage`, `sessionStorage` and
/// `navigator.storage`.
const STORES: [&str; 4] = ["storage", "indexeddb", "cookie", "caches"];

/// Browser-based apps draft §8.
#[test]
fn no_storage_of_a_page_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("npm")];
    let mut searched = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap().to_lowercase();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let found: Vec<_> = code.filter(|line| STORES.iter().any(|store| line.contains(store))).collect();
            assert!(found.is_empty(), "{}: {found:?}", path.display());
            searched += 1;
        }
    }
    assert!(searched > 15, "only {searched} files were searched");
}
