//! The layout of the sources: folders import only folders below them, files do not import each other in a circle, and
//! some values are built in only one place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates whose folders have an order, from top to bottom. `lib.rs` is above all folders.
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
        "keeper",
        &[
            "contract",
            "keeper",
            "grant",
            "drive",
            "hub",
            "told",
            "cell",
            "slot",
            "steady",
            "machine",
            "names",
            "timers",
            "pace",
            "policy",
            "doubt",
            "token",
            "token_times",
            "milliseconds",
            "event",
            "tight",
            "store",
            "operation",
            "seal",
            "spooled",
            "compact",
            "stray_document",
            "record_document",
            "record",
            "clock",
            "name",
        ],
    ),
    (
        "keeper-postgres",
        &[
            "admin",
            "reseal",
            "worker",
            "store",
            "batches",
            "connections",
            "watch",
            "restoring",
            "connection",
            "recent",
            "statement",
            "found",
            "schema",
            "server",
            "config",
            "password",
            "tls",
            "error",
            "columns",
            "form",
            "parameter",
            "known_clock",
            "offset",
            "sql",
        ],
    ),
    (
        "broker",
        &[
            "main",
            "demo",
            "program",
            "server",
            "protocol",
            "settings",
            "redirect_uri",
            "origin",
            "tls",
            "addresses",
            "log",
            "metrics",
            "keeper_event",
            "limits",
            "devices",
            "seal",
        ],
    ),
    (
        "sandbox",
        &[
            "sandbox",
            "builder",
            "http",
            "orders",
            "mint",
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
            "runtime",
            "manual",
            "login",
            "database",
            "tokens",
            "configuration",
            "transport",
            "signals",
            "terminal",
            "failure",
            "files",
            "arguments",
        ],
    ),
];

/// Each command is one file, or a file and a folder of its name. Code that two commands share is in a folder below them.
#[test]
fn no_command_imports_another() {
    for (module, imports) in imports("cli").into_iter().filter(|(module, _)| module.starts_with("commands::")) {
        let command = module.split("::").nth(1);
        for import in imports.iter().filter(|import| import.starts_with("commands")) {
            assert_eq!(import.split("::").nth(1), command, "`{module}` imports `{import}`");
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
        // Repeatedly removes a file that imports no other file, or that no other file imports. Circles remain.
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

/// The sandbox's rules are separate from HTTP and from the orders of a test.
#[test]
fn the_rules_of_the_sandbox_import_no_http_and_no_orders() {
    for (module, imports) in imports("sandbox").into_iter().filter(|(module, _)| module.starts_with("restream")) {
        for import in imports {
            assert!(import.starts_with("restream") || import == "calendar", "`{module}` imports `{import}`");
        }
    }
}

/// Each of these is decided or built in only one place of the core, besides its definition.
#[test]
fn decisions_and_checked_values_are_made_in_one_place_only() {
    let rules: [(&str, &[&str]); 4] = [
        ("Delivery::", &["error::advice"]),
        ("Advice::", &["error::advice"]),
        ("AuthorizationCode {", &["flow::callback"]),
        // Only `Tokens` has this field.
        ("server_refresh_expires_at:", &["flow::token_response", "saved::tokens", "token::tokens"]),
    ];
    let sources = sources("core");
    for (word, places) in rules {
        let found: Vec<_> =
            sources.iter().filter(|(_, code)| code.contains(word)).map(|(module, _)| module.as_str()).collect();
        assert_eq!(found, places, "{word}");
    }
}

/// Each module, with the modules that it imports or declares.
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

/// The code of each module except `lib.rs`, without comments and tests.
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
            } else if path.extension().is_some_and(|it| it == "rs")
                && !name.ends_with("::tests")
                && name != "lib"
                && name != "promises"
            {
                sources.insert(name, code(path));
            }
        }
    }
    sources
}

fn code(path: PathBuf) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    // A visibility is no import.
    let code = code.replace("pub(in crate::", "pub(in ");
    let lines: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    lines.join("\n")
}

/// Every path that begins with `crate::` or `super::`. A path that ends in braces gives one path for each name in them.
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

/// The module of a path: its longest prefix that is a file.
fn file_of(path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut path = path.trim_end_matches(':');
    while !modules.contains(path) {
        path = path.rsplit_once("::")?.0;
    }
    Some(path.to_owned())
}
