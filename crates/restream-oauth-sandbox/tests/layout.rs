//! The layout of `src`: folders import only what stands below them, and no files import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The folders and files of `src`, from top to bottom. `lib.rs` stands above them all.
const ORDER: [&str; 11] = [
    "sandbox",
    "builder",
    "http",
    "orders",
    "provider",
    "ledger",
    "restream",
    "answer",
    "calendar",
    "spellings",
    "system",
];

#[test]
fn folders_import_only_what_stands_below_them() {
    let place = |module: &str| {
        let top = module.split("::").next().unwrap();
        ORDER.iter().position(|name| *name == top).unwrap_or_else(|| panic!("`{top}` has no place in ORDER"))
    };
    for (module, imports) in imports() {
        let own = place(&module);
        for import in &imports {
            assert!(own <= place(import), "`{module}` imports `{import}`, which stands above it");
            let outside = !import.starts_with("restream") && import != "calendar";
            assert!(!(module.starts_with("restream") && outside), "`{module}` decides; it may not know `{import}`");
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut left = imports();
    assert!(left.len() > 20, "the files were found");
    // Takes away the files that import none of the others or that none of them imports, again and again. Circles remain.
    loop {
        let imported: BTreeSet<_> = left.values().flatten().cloned().collect();
        let end = left.iter().find(|(module, imports)| imports.is_empty() || !imported.contains(*module));
        let Some(end) = end.map(|(module, _)| module.clone()) else { break };
        left.remove(&end);
        for imports in left.values_mut() {
            imports.remove(&end);
        }
    }
    assert!(left.is_empty(), "these files import each other in a circle: {left:?}");
}

/// Each module with the modules that it imports or declares. Test code is left out.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let mut sources = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    sources.remove("lib");
    let modules: BTreeSet<_> = sources.keys().cloned().collect();
    let imports = |(module, code): (String, String)| {
        let children = format!("{module}::");
        let declared = modules.iter().filter(|it| it.strip_prefix(&children).is_some_and(|it| !it.contains("::")));
        let named = paths(&module, &code).into_iter().filter_map(|path| file_of(&path, &modules));
        let imports = named.chain(declared.cloned()).filter(|import| *import != module).collect();
        (module, imports)
    };
    sources.into_iter().map(imports).collect()
}

fn read(folder: &Path, prefix: &str, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() {
            read(&path, &format!("{prefix}{name}::"), sources);
        } else if name != "tests" {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            sources.insert(format!("{prefix}{name}"), code.join("\n"));
        }
    }
}

/// Every path that begins with `crate::` or `super::`; of one that ends in braces, one for each name in them.
fn paths(module: &str, code: &str) -> Vec<String> {
    let parent = module.rsplit_once("::").map_or(String::new(), |(parent, _)| format!("{parent}::"));
    let mut paths = Vec::new();
    for (start, base) in [("crate::", ""), ("super::", parent.as_str())] {
        for rest in code.split(start).skip(1) {
            let end = rest.find(|it: char| !(it.is_alphanumeric() || it == '_' || it == ':')).unwrap_or(rest.len());
            let (path, rest) = rest.split_at(end);
            let group = rest.strip_prefix('{').and_then(|group| group.split('}').next());
            let names = group.unwrap_or_default().split(',');
            paths.extend(names.map(|name| format!("{base}{path}{}", name.trim())));
        }
    }
    paths
}

/// The module that a path leads into: the longest part of it that is a file.
fn file_of(path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut path = path.trim_end_matches(':');
    while !modules.contains(path) {
        path = path.rsplit_once("::")?.0;
    }
    Some(path.to_owned())
}
