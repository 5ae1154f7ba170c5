//! The generated parts of this crate's README and of the root's.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

const GLUE: [(&str, &str); 6] = [
    ("reqwest.rs", "reqwest, async"),
    ("minreq.rs", "minreq, blocking"),
    ("tcp.rs", "`std::net::TcpStream`, with http1.rs and framing.rs"),
    ("curl.rs", "the `curl` program, with http1.rs"),
    ("http1.rs", "(reads an answer from its bytes)"),
    ("framing.rs", "(writes a request, reads the body of an answer)"),
];

/// Compares the text between two markers with `text`. With `UPDATE` set, writes `text` there.
pub(crate) fn check(readme: &str, marker: &str, text: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let path = folder().join(readme);
    let readme = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- begin {marker} -->\n"), format!("<!-- end {marker} -->"));
    let (before, rest) = readme.split_once(&begin).unwrap();
    let (current, after) = rest.split_once(&end).unwrap();
    if current == text {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "{readme} is not current: run `UPDATE=1 cargo test -p restream-oauth-conformance`"
    );
    fs::write(&path, [before, &begin, text, &end, after].concat()).unwrap();
}

pub(crate) fn glue() -> String {
    let mut text = String::from("| glue | lines | over |\n|---|---|---|\n");
    for (file, over) in GLUE {
        let lines = lines(file);
        assert!(lines <= 40, "{file} has {lines} lines");
        let _ = writeln!(text, "| [{file}](glue/{file}) | {lines} | {over} |");
    }
    text
}

/// The list of the glue in the root's README.
pub(crate) fn glue_in_words() -> String {
    let link = |name, file| format!("[{name}](crates/restream-oauth-conformance/glue/{file})");
    let (reading, framing) = (lines("http1.rs"), lines("framing.rs"));
    let speaking = reading + framing;
    [
        format!("{} ({} lines),\n", link("reqwest", "reqwest.rs"), lines("reqwest.rs")),
        format!("{} ({}),\n", link("minreq", "minreq.rs"), lines("minreq.rs")),
        format!(
            "{} ({}, and {speaking} for HTTP/1.1) and the\n",
            link("`std::net::TcpStream`", "tcp.rs"),
            lines("tcp.rs")
        ),
        format!("{} program ({}, and {reading} to read HTTP/1.1).\n", link("`curl`", "curl.rs"), lines("curl.rs")),
    ]
    .concat()
}

fn lines(file: &str) -> usize {
    fs::read_to_string(folder().join("glue").join(file)).unwrap().lines().count()
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
