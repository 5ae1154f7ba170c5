//! `--demo`, as a newcomer runs it.

#![cfg(feature = "demo")]

use std::process::{Command, Stdio};

#[test]
fn two_years_of_obs_ask_for_no_login_and_print_no_secret() {
    const CANARY: &str = "canaryOfTheClientSecret4711";
    let output = Command::new(env!("CARGO_BIN_EXE_restream-oauth-broker"))
        .arg("--demo")
        .env("RESTREAM_CLIENT_SECRET", CANARY)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap();
    let seconds = last.strip_prefix("730 refreshes, 0 logins asked for, in ").and_then(|rest| rest.strip_suffix(" s"));
    assert!(seconds.is_some_and(|seconds| seconds.parse::<f64>().is_ok()), "{text}");
    for trouble in ["OBS dies", "OBS crashes", "Two copies", "503", "connection to Restream breaks", "5.5 s"] {
        assert!(text.contains(trouble), "{trouble}: {text}");
    }
    for sent in
        ["GET  /obs/v1/restream/redirect", "POST /obs/v1/restream/token action=redirect", "200 {\"access_token\""]
    {
        assert!(text.contains(sent), "{sent}: {text}");
    }
    // Tokens have 40 digits, handles 96.
    let longest = text.split(|letter: char| !letter.is_ascii_hexdigit()).map(str::len).max();
    assert!(longest < Some(12), "{text}");
    assert!(!text.contains(CANARY));
    let days = text.lines().filter(|line| line.starts_with("20")).count();
    assert!((24..60).contains(&days), "a line a month or so: {text}");
    assert!(output.stderr.is_empty(), "{:?}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_demonstration_takes_no_configuration() {
    let both = Command::new(env!("CARGO_BIN_EXE_restream-oauth-broker")).args(["--demo", "--config", "x"]).output();
    assert_eq!(both.unwrap().status.code(), Some(2));
}
