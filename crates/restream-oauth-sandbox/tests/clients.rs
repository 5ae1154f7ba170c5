//! The table of clients. `UPDATE=1 cargo test -p restream-oauth-sandbox --test clients` writes `CLIENTS.md` from
//! `clients/results.json`, which `clients/run --write` fills.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The scenarios of `clients/run` and the columns that they fill.
const COLUMNS: [(&str, &str); 7] = [
    ("rotate", "follows the new refresh token"),
    ("omitted", "keeps the old one when the answer has none"),
    ("parallel", "one refresh at a time"),
    ("lost", "repeats a lost refresh by itself"),
    ("nested", "sees `invalid_grant` in Restream's nested error"),
    ("unavailable", "survives a 503"),
    ("credentials", "default credentials"),
];

const INTRODUCTION: &str = "\
# What OAuth clients do with Restream's answers

Each row is a run of a released library against this sandbox, whose answers are those that Restream documents. \
[`clients/run`](clients/README.md) repeats a row: it installs the pinned packages, runs a small program that uses the \
library with its defaults, and judges by the sandbox's ledger, so by the requests that were really sent. A library \
that does something else here may be right for the server that it was made for. Versions and dates are in the rows: \
newer versions may differ.

- **Follows the new refresh token**: a refresh at Restream replaces the refresh token, and the old one is dead at \
once. Does the second refresh of a process use the new one?
- **Keeps the old one when the answer has none**: other servers, and RFC 6749 section 6, leave the refresh token out \
when it stays the same. Is there a second refresh, with the old one?
- **One refresh at a time**: five API calls at once, with an access token that has expired. Is there one refresh, and \
do all five calls succeed? All but the first refresh would meet a dead refresh token. Threads and processes that do \
not share an object are always the program's task.
- **Repeats a lost refresh by itself**: the server answers a refresh, but the connection ends before the answer \
arrives. Does one call of the program send the request a second time? The refresh token is dead by then. \"No\" \
leaves the decision to the program.
- **Sees `invalid_grant`**: Restream's error is `{\"error\":{\"name\":\"invalid_grant\",…}}`. \"Yes\" means that the \
error's documented member is `invalid_grant`. Otherwise the expression is shown by which a program found it in the \
run; `e` is the error.
- **Survives a 503**: one refresh gets 503 with an error in JSON, and the server is healthy afterwards. \"Yes\" means \
that this call or the next one of the same process gets a new pair, without a login.
- **Default credentials**: where client id and secret are sent if the program says nothing. \"Raw\" means that special \
characters are not encoded in the Basic header, which Restream's documents leave open.
- **The program's task**: the library has no such notion, such as a function that takes a refresh token and returns \
the answer.

Written by `UPDATE=1 cargo test -p restream-oauth-sandbox --test clients`.
";

#[test]
fn the_page_of_clients_is_current() {
    let page = page(&results());
    let path = root().join("CLIENTS.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page).unwrap();
    } else {
        let current = fs::read_to_string(&path).unwrap_or_default();
        assert!(current == page, "CLIENTS.md is not current: run this test with UPDATE=1");
    }
}

#[test]
fn every_entry_is_a_run_of_the_client_that_its_folder_describes() {
    for (client, entry) in results() {
        let about = fs::read_to_string(root().join(format!("clients/{client}.json")));
        let about: Value = serde_json::from_str(&about.unwrap_or_else(|_| panic!("{client}: no such client"))).unwrap();
        for member in ["language", "name", "version", "packages", "set"] {
            assert_eq!(entry[member], about[member], "{client}: `{member}` has changed: run it again with --write");
        }
        assert!(probe(&client, &entry).is_some(), "{client}: there is no probe {}", text(&entry["probe"]));
        let program = about["program"].as_array().cloned().unwrap_or_default();
        for (scenario, _) in COLUMNS {
            let value = text(&entry["columns"][scenario]);
            let seen = entry["seen"].get(scenario).is_some();
            assert!(!value.is_empty(), "{client}: `{scenario}` was not judged");
            assert_eq!(program.contains(&Value::from(scenario)), !seen, "{client}: `{scenario}` was not seen in a run");
            assert_eq!(value == "the program's task", !seen, "{client}: {scenario}");
        }
    }
}

#[test]
fn every_client_has_an_entry() {
    let results = results();
    for folder in fs::read_dir(root().join("clients")).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.join("setup").exists() {
            continue;
        }
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "json") {
                let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
                let client = format!("{}/{}", name(&folder), name(&file));
                assert!(results.contains_key(&client), "{client} has not been run with --write");
            }
        }
    }
}

fn page(results: &BTreeMap<String, Value>) -> String {
    let mut languages = BTreeMap::<&str, Vec<(&String, &Value)>>::new();
    for (client, entry) in results {
        languages.entry(text(&entry["language"])).or_default().push((client, entry));
    }
    let mut page = INTRODUCTION.to_owned();
    for (language, entries) in languages {
        let names: Vec<_> = COLUMNS.iter().map(|(_, column)| *column).collect();
        writeln!(page, "\n## {language}\n\n| client | {} | what to set |", names.join(" | ")).unwrap();
        writeln!(page, "|{}", "---|".repeat(COLUMNS.len() + 2)).unwrap();
        for (client, entry) in entries {
            let link = probe(client, entry).unwrap_or_default();
            let name = format!(
                "[{}](clients/{}) {} ({})",
                text(&entry["name"]),
                link.display(),
                text(&entry["version"]),
                text(&entry["date"])
            );
            let values = COLUMNS.iter().map(|(scenario, _)| text(&entry["columns"][*scenario]).to_owned());
            let cells: Vec<_> = [name].into_iter().chain(values).chain([text(&entry["set"]).to_owned()]).collect();
            let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
            writeln!(page, "| {} |", cells.join(" | ")).unwrap();
        }
    }
    page
}

/// The source of a probe, below `clients/`: the file, or the folder, that has the name of the entry's `probe`.
fn probe(client: &str, entry: &Value) -> Option<PathBuf> {
    let stated = Path::new(text(&entry["probe"]));
    if root().join("clients").join(stated).exists() {
        return Some(stated.to_owned());
    }
    let folder = Path::new(client).parent()?;
    let files = fs::read_dir(root().join("clients").join(folder)).ok()?;
    let mut sources = files.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())));
    let is_source = |name: &PathBuf| {
        name.file_stem() == stated.file_name() && name.extension().is_some_and(|extension| extension != "json")
    };
    sources.find(is_source).map(|name| folder.join(name))
}

fn results() -> BTreeMap<String, Value> {
    let path = root().join("clients/results.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
