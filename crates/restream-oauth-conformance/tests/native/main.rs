//! Runs the table over the native stacks, against sandboxes in this process.
//!
//! `tests/wasm` runs the columns of Node and Chromium. `UPDATE=1 cargo test -p restream-oauth-conformance` writes the
//! generated parts of the READMEs.
#![cfg(not(target_arch = "wasm32"))]

mod bench;
mod canary;
mod readme;
mod saved;
mod stacks;
mod wire;

#[path = "../../glue/curl.rs"]
mod curl;
#[path = "../../glue/framing.rs"]
mod framing;
#[path = "../../glue/http1.rs"]
mod http1;
#[path = "../../glue/minreq.rs"]
mod minreq_glue;
#[path = "../../glue/reqwest.rs"]
mod reqwest_glue;
#[path = "../../glue/tcp.rs"]
mod tcp;

use std::cmp::Reverse;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use restream_oauth_conformance::report::markdown;
use restream_oauth_conformance::{Scenario, stack, table};

use bench::{Bench, Reading};
use stacks::Stack;

/// More than there are cores, because most of a run waits for time limits.
const WORKERS_PER_STACK: usize = 3;

/// CVE-2024-45336, CVE-2025-66418, CVE-2026-54605, RFC 6749 §4.1.2, RFC 6750 §5.3, RUSTSEC-2023-0125, the oauth2
/// crate's parse error, ureq-proto 0.7, x/oauth2's probing.
#[test]
fn every_stack_has_the_documented_outcome_in_every_scenario() {
    if !curl_is_there() {
        print_uncaptured("WARNING: there is no `curl` program: this run leaves out its column of the table\n");
        assert!(std::env::var_os("CI").is_none(), "CI must have `curl`");
    }
    canary::listen();
    let scenarios = table();
    let mut stacks = vec![stack::HYPER, stack::UREQ];
    // The build in which hyper logs checks what our adapters log. Its logging makes reqwest, which has no cap on
    // informational answers, a minute late.
    if !cfg!(hyper_unstable_tracing) {
        stacks.extend([stack::REQWEST, stack::MINREQ, stack::TCP]);
        stacks.extend(curl_is_there().then_some(stack::CURL));
    }
    let failures = thread::scope(|scope| {
        let scenarios = &scenarios;
        let run_of = |name: &&str| match *name {
            stack::HYPER => run::<stacks::Hyper>,
            stack::UREQ => run::<stacks::Ureq>,
            stack::REQWEST => run::<stacks::Reqwest>,
            stack::MINREQ => run::<stacks::Minreq>,
            stack::TCP => run::<stacks::Tcp>,
            _ => run::<stacks::Curl>,
        };
        let running: Vec<_> = stacks.iter().map(run_of).map(|run| scope.spawn(move || run(scenarios))).collect();
        running.into_iter().flat_map(|failures| failures.join().unwrap()).collect::<Vec<_>>()
    });
    let failed: Vec<_> = failures.iter().map(|failure| (failure.stack, failure.scenario)).collect();
    print_uncaptured(&format!("\n{}\n", markdown(&scenarios, &stacks, &failed)));
    let all: Vec<_> =
        failures.iter().map(|Failure { stack, scenario, why }| format!("{stack}: {scenario}: {why}")).collect();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), all.join("\n"));
    canary::check_the_rest();
}

#[test]
fn the_readme_has_the_table() {
    readme::check("README.md", "table", &markdown(&table(), &stack::ALL, &[]));
}

#[test]
fn the_readmes_give_the_length_of_the_glue_and_no_file_has_more_than_40_lines() {
    readme::check("README.md", "glue", &readme::glue());
    readme::check("../../README.md", "glue", &readme::glue_in_words());
}

fn curl_is_there() -> bool {
    std::process::Command::new("curl").arg("--version").output().is_ok()
}

/// Prints in a way that the test runner does not capture: it would show the text of failed tests only.
fn print_uncaptured(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// A scenario in which a stack did not do what the table says.
struct Failure {
    stack: &'static str,
    scenario: &'static str,
    why: String,
}

/// Runs all scenarios over one stack and returns those that failed.
fn run<S: Stack>(scenarios: &[Scenario]) -> Vec<Failure> {
    // The scenarios with the most cases begin first, so that they do not run alone at the end.
    let mut order: Vec<_> = (0..scenarios.len()).collect();
    order.sort_by_key(|row| Reverse(scenarios[*row].cases.len()));
    let failures = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS_PER_STACK {
            scope.spawn(|| {
                let mut bench = Bench::<S>::new(Reading::Received);
                while let Some(&row) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let scenario = &scenarios[row];
                    if let Err(why) = bench.try_scenario(row, scenario) {
                        let (stack, scenario) = (S::NAME, scenario.name);
                        failures.lock().unwrap().push(Failure { stack, scenario, why });
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}
