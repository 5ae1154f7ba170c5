//! Tokens are the caller's: nothing that the adapter or the npm package is made of asks a page to keep anything.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::Path;

/// In small letters; the first also stands in `localStorage`, `sessionStorage` and `navigator.storage`.
const STORES: [&str; 4] = ["storage", "indexeddb", "cookie", "caches"];

/// Browser-based apps draft §8.
#[test]
fn no_storage_of_a_page_is_touched() {
    let mut searched = 0;
    for folder in ["src", "src/javascript", "npm"] {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap().to_lowercase();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let found: Vec<_> = code.filter(|line| STORES.iter().any(|store| line.contains(store))).collect();
            assert!(found.is_empty(), "{}: {found:?}", path.display());
            searched += 1;
        }
    }
    assert!(searched > 15, "{searched} files are not all");
}
