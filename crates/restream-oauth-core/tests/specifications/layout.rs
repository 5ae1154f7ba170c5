//! The layout of the sources: folders import only folders below them, no files import each other in a circle, and a few
//! things are built in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates whose folders have an order, from top to bottom; `lib.rs` is above them all.
const ORDERS: &[(&str, &[&str])] = &[
    (
        "core",
        &[
            "generators",
            "serializable",
            "saved",
            "flow",
            "client",
            "round_trip",
            "registration",
            "error",
            "token",
            "encoding",
            "secret",
        ],
    ),
    (
        "sandbox",
        &[
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
        ],
    ),
    (
        "cli",
        &[
            "main",
            "commands",
            "login",
            "tokens",
            "configuration",
            "signals",
            "terminal",
            "failure",
            "files",
            "arguments",
        ],
    ),
];

/// One file a command: what two of them share stands below them.
#[test]
fn no_command_imports_another() {
    for (module, imports) in imports("cli").into_iter().filter(|(module, _)| module.starts_with("commands::")) {
        for import in imports.iter().filter(|import| import.starts_with("commands")) {
            assert!(import.starts_with(&format!("{module}::")), "`{module}` imports `{import}`");
        }
    }
}

#[test]
fn folders_import_only_folders_below_them() {
    for (crate_name, order) in ORDERS {
        let place = |module: &str| {
            let top = module.split("::").next().unwrap();
            order.iter().position(|name| *name == top).unwrap_or_else(|| panic!("`{top}` has no place in ORDERS"))
        };
        for (module, imports) in imports(crate_name) {
            for import in imports {
                assert!(
                    place(&module) <= place(&import),
                    "{crate_name}: `{module}` imports `{import}`, which is above it"
                );
            }
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for (crate_name, _) in ORDERS {
        let mut left = imports(crate_name);
        assert!(left.len() > 20, "{crate_name}: the files were found");
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
        assert!(left.is_empty(), "{crate_name}: these files import each other in a circle: {left:?}");
    }
}

/// What decides and what is decided stand apart: the sandbox's rules know nothing of HTTP or of a test's orders.
#[test]
fn what_restream_decides_knows_no_http_and_no_orders() {
    for (module, imports) in imports("sandbox").into_iter().filter(|(module, _)| module.starts_with("restream")) {
        for import in imports {
            assert!(import.starts_with("restream") || import == "calendar", "`{module}` imports `{import}`");
        }
    }
}

/// Each of these has one place in the core where it is decided or built, beside the one where it is defined.
#[test]
fn what_is_decided_or_built_in_one_place_is_in_no_other() {
    let rules: [(&str, &[&str]); 4] = [
        ("Delivery::", &["error::advice"]),
        ("Advice::", &["error::advice"]),
        ("AuthorizationCode {", &["flow::callback"]),
        // A member that only `Tokens` have.
        ("server_refresh_expires_at:", &["flow::token_response", "saved::tokens", "token::tokens"]),
    ];
    let sources = sources("core");
    for (word, places) in rules {
        let found: Vec<_> =
            sources.iter().filter(|(_, code)| code.contains(word)).map(|(module, _)| module.as_str()).collect();
        assert_eq!(found, places, "{word}");
    }
}

/// Each module with those that it imports or declares.
fn imports(crate_name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let sources = sources(crate_name);
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

/// The code of each module but `lib.rs`, without comments and tests.
fn sources(crate_name: &str) -> BTreeMap<String, String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders = vec![(crates.join(format!("restream-oauth-{crate_name}/src")), String::new())];
    let mut sources = BTreeMap::new();
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{prefix}{}", path.file_stem().unwrap().to_str().unwrap());
            if path.is_dir() {
                folders.push((path, format!("{name}::")));
            } else if !name.ends_with("::tests") && name != "lib" && name != "promises" {
                sources.insert(name, code(path));
            }
        }
    }
    sources
}

fn code(path: PathBuf) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    lines.join("\n")
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
