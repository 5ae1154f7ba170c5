//! An answer that was saved gives, once restored, what it gave when it arrived: over every native stack.

use std::thread;

use restream_oauth_conformance::table;

use crate::bench::{Bench, Reading};
use crate::stacks::{Curl, Hyper, Minreq, Reqwest, Stack, Tcp, Ureq};

/// At least one scenario for everything that a saved answer holds: each step of the flow, a whole pair, a truncated
/// pair, a salvaged token, an error code, a challenge, a time to wait, a redirect, an encoding, a body over the limit,
/// and a failure at each stage.
const SCENARIOS: [&str; 16] = [
    "an exchange without a fault",
    "a refresh without a fault",
    "a revocation without a fault",
    "a profile call without a fault",
    "the connection is refused",
    "400 invalid_grant in Restream's form",
    "401 invalid_client with a challenge",
    "429 with Retry-After",
    "429 with a date as Retry-After, by the server's clock",
    "a redirect of a refresh: 301, 302, 303, 307, 308",
    "gzip that the request did not ask for",
    "16 MiB of white space",
    "closed after the head",
    "silence within the head",
    "a chunked body is truncated",
    "Content-Length so short that the refresh token is lost",
];

#[test]
fn a_saved_answer_gives_the_same_outcome_to_a_call_that_is_built_anew() {
    let runs = [check::<Hyper>, check::<Ureq>, check::<Reqwest>, check::<Minreq>, check::<Tcp>];
    let mut running: Vec<_> = runs.into_iter().map(thread::spawn).collect();
    if crate::curl_is_there() {
        running.push(thread::spawn(check::<Curl>));
    }
    let failures: Vec<_> = running.into_iter().flat_map(|run| run.join().unwrap()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs the scenarios over one stack and returns the failures.
fn check<S: Stack>() -> Vec<String> {
    let table = table();
    let mut bench = Bench::<S>::new(Reading::Restored);
    let tried = SCENARIOS.iter().enumerate().map(|(row, name)| {
        let scenario = table.iter().find(|scenario| scenario.name == *name);
        let scenario = scenario.unwrap_or_else(|| panic!("the table has no scenario {name:?}"));
        bench.try_scenario(row, scenario).map_err(|why| format!("{}: {name}: {why}", S::NAME))
    });
    tried.filter_map(Result::err).collect()
}
