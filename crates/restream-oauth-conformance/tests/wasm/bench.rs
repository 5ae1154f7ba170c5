//! Runs one scenario: gets a grant for each case, sends the call, and compares the outcome and the ledger with the
//! table.

use std::time::Duration;

use js_sys::futures::JsFuture;
use js_sys::{Function, Promise, Reflect};
use restream_oauth_conformance::{Case, LedgerShows, Operation, Outcome, Scenario};
use restream_oauth_core::{AccessToken, AuthorizationCode, Client, Error, RefreshToken, Tokens};
use restream_oauth_wasm::{Transport, entropy, now};
use wasm_bindgen::JsCast;

use crate::remote::{Ledger, Sandbox};

/// How long to wait for the ledger to show what happened: the server may act after the client gave up.
const LEDGER_LIMIT: Duration = Duration::from_secs(5);

/// Runs the cases in order, up to the first that fails.
pub(crate) async fn try_scenario(stack: &str, sandbox: &Sandbox, scenario: &Scenario) -> Result<(), String> {
    for case in &scenario.cases {
        let tried = try_case(stack, sandbox, scenario, case).await;
        tried.map_err(|why| format!("{:?}: {why}", case.faults))?;
    }
    Ok(())
}

async fn try_case(stack: &str, sandbox: &Sandbox, scenario: &Scenario, case: &Case) -> Result<(), String> {
    let (client, operation) = (sandbox.client(), scenario.operation);
    let transport = Transport::new().time_limit(scenario.limit.given());
    let serves = scenario.server.serves();
    let grant = if serves { Grant::new(sandbox, operation, &client).await? } else { Grant::unknown() };
    let before = if serves { Some(sandbox.ledger().await?) } else { None };
    for fault in &case.faults {
        sandbox.inject(fault).await?;
    }

    let started = now();
    let (outcome, tokens) = grant.send(&transport, operation, &client).await;
    let elapsed = now().duration_since(started).unwrap_or_default();

    if !scenario.limit.is_kept_by(elapsed) {
        return Err(format!("it took {elapsed:?}"));
    }
    let expected = scenario.expected_of(stack, case);
    if !expected.contains(&outcome) {
        return Err(format!("the outcome is {outcome:?}, expected {expected:?}"));
    }
    // The example `servers` checks the ledgers of the servers with wrong certificates. Other addresses have no ledger.
    let Some(before) = before else { return Ok(()) };
    let wanted = scenario.ledger_of(stack, case);
    check_ledger(sandbox, &before, operation, wanted).await?;
    match tokens {
        Some(tokens) if wanted.acted => check_tokens(&client, &tokens).await,
        _ => Ok(()),
    }
}

async fn check_ledger(
    sandbox: &Sandbox,
    before: &Ledger,
    operation: Operation,
    wanted: LedgerShows,
) -> Result<(), String> {
    let requests = |ledger: &Ledger| ledger.requests(operation) - before.requests(operation);
    let counted = |ledger: &Ledger, name| ledger.count(name) - before.count(name);
    let shows = |ledger: &Ledger| {
        let acts = match operation {
            Operation::Exchange => counted(ledger, "exchanges"),
            Operation::Refresh | Operation::RefreshTwice => counted(ledger, "refreshes"),
            Operation::Revoke => counted(ledger, "revocations"),
            // A profile call changes nothing at the server, so only the request is counted.
            Operation::Profile => u32::from(wanted.acted && requests(ledger) > 0),
        };
        (requests(ledger), acts, ledger.count("canary_hits"))
    };
    let calls = operation.calls();
    let acts = if wanted.acted { u32::try_from(calls).map_err(said)? } else { 0 };
    let expected = (wanted.requests * calls, acts, 0);
    let started = now();
    let ledger = loop {
        let ledger = match sandbox.ledger().await {
            Ok(ledger) => ledger,
            // Chromium may use the connection whose TLS handshake hangs. It gives up on that connection after 30 s.
            Err(_) => sandbox.ledger().await?,
        };
        let elapsed = now().duration_since(started).unwrap_or_default();
        if shows(&ledger) == expected || elapsed > LEDGER_LIMIT {
            break ledger;
        }
        sleep(Duration::from_millis(20)).await;
    };
    if shows(&ledger) != expected {
        let found = shows(&ledger);
        return Err(format!("the ledger shows (requests, acts, canary hits) {found:?}, expected {expected:?}"));
    }
    if ledger.odd_requests() > 0 {
        return Err(format!("the sandbox found {} requests odd", ledger.odd_requests()));
    }
    for name in ["dead_refresh_tokens_used", "dead_access_tokens_used", "codes_replayed"] {
        if ledger.count(name) > 0 {
            return Err(format!("{name}: {}", ledger.count(name)));
        }
    }
    Ok(())
}

/// Checks that the call returned the server's newest pair.
async fn check_tokens(client: &Client, tokens: &Tokens) -> Result<(), String> {
    let alive = Transport::new().send(client.profile(tokens.access_token()).map_err(said)?).await;
    alive.map(|_| ()).map_err(|error| format!("the tokens are not the server's newest: {error}"))
}

/// The credentials that one case sends.
struct Grant {
    code: Option<AuthorizationCode>,
    access_token: AccessToken,
    refresh_token: RefreshToken,
}

impl Grant {
    /// Made-up credentials, for a server that issues none.
    fn unknown() -> Self {
        Self { code: None, access_token: AccessToken::new("a1"), refresh_token: RefreshToken::new("r1") }
    }

    /// Resets the sandbox and gets a new grant from it.
    async fn new(sandbox: &Sandbox, operation: Operation, client: &Client) -> Result<Self, String> {
        sandbox.reset().await?;
        let mut login = client.login(entropy().map_err(said)?);
        let callback = sandbox.approve(login.url().as_str()).await?;
        let code = login.read_callback(&callback).map_err(said)?;
        if operation == Operation::Exchange {
            return Ok(Self { code: Some(code), ..Self::unknown() });
        }
        let tokens = Transport::new().send(client.exchange(&code)).await.map_err(said)?;
        let refresh_token = tokens.refresh_token().ok_or("no refresh token")?.clone();
        Ok(Self { code: None, access_token: tokens.access_token().clone(), refresh_token })
    }

    async fn send(&self, transport: &Transport, operation: Operation, client: &Client) -> (Outcome, Option<Tokens>) {
        match operation {
            Operation::Exchange => with_tokens(transport.send(client.exchange(self.code.as_ref().unwrap())).await),
            Operation::Refresh => with_tokens(transport.send(client.refresh(&self.refresh_token)).await),
            Operation::RefreshTwice => match transport.send(client.refresh(&self.refresh_token)).await {
                Ok(tokens) => with_tokens(transport.send(client.refresh(tokens.refresh_token().unwrap())).await),
                failed => with_tokens(failed),
            },
            Operation::Revoke => (Outcome::of(&transport.send(client.revoke(&self.refresh_token)).await), None),
            Operation::Profile => {
                (Outcome::of(&transport.send(client.profile(&self.access_token).unwrap()).await), None)
            }
        }
    }
}

fn with_tokens(result: Result<Tokens, Error>) -> (Outcome, Option<Tokens>) {
    (Outcome::of(&result), result.ok())
}

async fn sleep(duration: Duration) {
    let set_timeout: Function = Reflect::get(&js_sys::global(), &"setTimeout".into()).unwrap().unchecked_into();
    let milliseconds = i32::try_from(duration.as_millis()).unwrap();
    let passed = Promise::new(&mut |resolve, _| {
        set_timeout.call2(&js_sys::global(), &resolve, &milliseconds.into()).unwrap();
    });
    JsFuture::from(passed).await.unwrap();
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
