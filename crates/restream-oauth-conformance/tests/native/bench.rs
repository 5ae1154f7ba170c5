//! One stack on the bench: a sandbox of each kind, a grant for each case, and what the ledger says afterwards.

use std::collections::HashMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use restream_oauth_conformance::{Case, Certificate, LedgerShows, Operation, Outcome, Scenario, Server};
use restream_oauth_core::{AccessToken, AuthorizationCode, Client, Endpoints, Entropy, Error, RefreshToken, Tokens};
use restream_oauth_sandbox::{Fault, Ledger, Sandbox};
use rustls::pki_types::CertificateDer;

use crate::canary::{self, WORD};
use crate::stacks::Stack;

/// How long the ledger may take to show what happened: the server may act after the client gave up.
const LEDGER_LIMIT: Duration = Duration::from_secs(5);

pub(crate) struct Bench<S> {
    sandboxes: HashMap<Server, Sandbox>,
    stack: PhantomData<S>,
}

impl<S> Default for Bench<S> {
    fn default() -> Self {
        Self { sandboxes: HashMap::new(), stack: PhantomData }
    }
}

impl<S: Stack> Bench<S> {
    /// Tries all cases, up to the first that fails. The secret goes in the header and in the form by turns, by `row`.
    pub(crate) fn try_scenario(&mut self, row: usize, scenario: &Scenario) -> Result<(), String> {
        if scenario.is_not_for(S::NAME).is_some() {
            return Ok(());
        }
        let sandbox = self.sandbox(scenario.server);
        let stack = S::new(scenario.limit.given(), sandbox);
        for (number, case) in (row..).zip(&scenario.cases) {
            let client = client(scenario.server, sandbox, number % 2 == 1);
            let tried = try_case(&stack, sandbox, &client, scenario, case);
            tried.map_err(|why| format!("{:?}: {why}", case.faults))?;
        }
        Ok(())
    }

    fn sandbox(&mut self, server: Server) -> Option<&Sandbox> {
        let certificate = match server {
            Server::Http => None,
            Server::Https(certificate) => Some(certificate),
            Server::Nobody | Server::Nowhere => return None,
        };
        let start = || {
            let builder = Sandbox::builder().client_secret(WORD.to_owned() + "-secret").token_prefix(WORD);
            let builder = match certificate {
                None => builder,
                Some(certificate) => builder.tls(shown(certificate)),
            };
            builder.start().unwrap()
        };
        Some(self.sandboxes.entry(server).or_insert_with(start))
    }
}

fn shown(certificate: Certificate) -> restream_oauth_sandbox::Certificate {
    match certificate {
        Certificate::Good => restream_oauth_sandbox::Certificate::Good,
        Certificate::SelfSigned => restream_oauth_sandbox::Certificate::SelfSigned,
        Certificate::Expired => restream_oauth_sandbox::Certificate::Expired,
        Certificate::WrongHost => restream_oauth_sandbox::Certificate::WrongHost,
    }
}

fn try_case<S: Stack>(
    stack: &S,
    sandbox: Option<&Sandbox>,
    client: &Client,
    scenario: &Scenario,
    case: &Case,
) -> Result<(), String> {
    let grant = Grant::new(scenario, client, sandbox);
    let before = sandbox.map(Sandbox::ledger).unwrap_or_default();
    for fault in &case.faults {
        sandbox.unwrap().inject(Fault::from_json(fault).unwrap());
    }

    let started = Instant::now();
    let (outcome, tokens) = grant.send(stack, scenario.operation, client);
    let elapsed = started.elapsed();
    canary::check_log()?;

    if !scenario.limit.is_kept_by(elapsed) {
        return Err(format!("it took {elapsed:?}"));
    }
    let expected = scenario.expected_of(S::NAME, case);
    if !expected.contains(&outcome) {
        return Err(format!("it came to {outcome:?}, not to {expected:?}"));
    }
    let Some(sandbox) = sandbox else { return Ok(()) };
    let wanted = scenario.ledger_of(S::NAME, case);
    check_ledger(sandbox, &before, scenario.operation, wanted)?;
    match tokens {
        Some(tokens) if wanted.acted => check_tokens(sandbox, client, &tokens),
        _ => Ok(()),
    }
}

fn check_ledger(sandbox: &Sandbox, before: &Ledger, operation: Operation, wanted: LedgerShows) -> Result<(), String> {
    let shows = |ledger: &Ledger| {
        let requests = |ledger: &Ledger| ledger.requests_to(operation.path()).count();
        let acts = |ledger: &Ledger| match operation {
            Operation::Exchange => ledger.exchanges,
            Operation::Refresh | Operation::RefreshTwice => ledger.refreshes,
            Operation::Revoke => ledger.revocations,
            // Reading changes nothing, so there is nothing to count.
            Operation::Profile => u64::from(wanted.acted && requests(ledger) > requests(before)),
        };
        // What struck a connection before its request came tells nothing about who opened it.
        let connections = if wanted.requests == 0 { 0 } else { ledger.connections - before.connections };
        (requests(ledger) - requests(before), acts(ledger) - acts(before), connections, ledger.canary_hits)
    };
    let calls = operation.calls();
    let acts = if wanted.acted { calls } else { 0 } as u64;
    let expected = (wanted.requests * calls, acts, (wanted.requests * calls) as u64, 0);
    sandbox.wait_until(LEDGER_LIMIT, |ledger| shows(ledger) == expected);
    let ledger = sandbox.ledger();
    if shows(&ledger) != expected {
        return Err(format!(
            "the ledger shows (requests, acts, connections, canary) {:?}, not {expected:?}",
            shows(&ledger)
        ));
    }
    if ledger.dead_refresh_tokens_used + ledger.dead_access_tokens_used + ledger.codes_replayed > 0 {
        return Err(format!("a dead credential was used: {ledger:?}"));
    }
    Ok(())
}

/// A success must be the server's newest pair.
fn check_tokens(sandbox: &Sandbox, client: &Client, tokens: &Tokens) -> Result<(), String> {
    sandbox.clear_faults();
    let alive = trusted(sandbox).send(client.profile(tokens.access_token()).unwrap());
    alive.map(|_| ()).map_err(|error| format!("the tokens are not the server's newest: {error}"))
}

/// What one case sends.
struct Grant {
    code: Option<AuthorizationCode>,
    access_token: AccessToken,
    refresh_token: RefreshToken,
}

impl Grant {
    /// A new one, on a sandbox that has forgotten everything. Where nobody serves, it does not matter which.
    fn new(scenario: &Scenario, client: &Client, sandbox: Option<&Sandbox>) -> Self {
        let unknown = Self { code: None, access_token: AccessToken::new("a1"), refresh_token: RefreshToken::new("r1") };
        let Some(sandbox) = sandbox else { return unknown };
        sandbox.reset();
        if !scenario.server.serves() {
            return unknown;
        }
        let mut login = client.login(Entropy::from(canary::ENTROPY));
        let callback = sandbox.approve(login.url().as_str()).unwrap();
        let code = login.read_callback(&callback).unwrap();
        if scenario.operation == Operation::Exchange {
            return Self { code: Some(code), ..unknown };
        }
        let tokens = trusted(sandbox).send(client.exchange(&code)).unwrap();
        let refresh_token = tokens.refresh_token().unwrap().clone();
        Self { code: None, access_token: tokens.access_token().clone(), refresh_token }
    }

    fn send<S: Stack>(&self, stack: &S, operation: Operation, client: &Client) -> (Outcome, Option<Tokens>) {
        match operation {
            Operation::Exchange => with_tokens(stack.send(client.exchange(self.code.as_ref().unwrap()))),
            Operation::Refresh => with_tokens(stack.send(client.refresh(&self.refresh_token))),
            Operation::RefreshTwice => {
                let once = stack.send(client.refresh(&self.refresh_token));
                with_tokens(once.and_then(|tokens| stack.send(client.refresh(tokens.refresh_token().unwrap()))))
            }
            Operation::Revoke => (outcome(&stack.send(client.revoke(&self.refresh_token))), None),
            Operation::Profile => (outcome(&stack.send(client.profile(&self.access_token).unwrap())), None),
        }
    }
}

fn with_tokens(result: Result<Tokens, Error>) -> (Outcome, Option<Tokens>) {
    (outcome(&result), result.ok())
}

/// Whatever it is, it can be logged.
fn outcome<T: Debug>(result: &Result<T, Error>) -> Outcome {
    canary::log_all(result);
    Outcome::of(result)
}

fn client(server: Server, sandbox: Option<&Sandbox>, secret_in_body: bool) -> Client {
    let endpoints = match (server, sandbox) {
        (Server::Nowhere, _) => Endpoints::at("https://nowhere.invalid"),
        (_, Some(sandbox)) => Endpoints::at(sandbox.base_url()),
        // Port 1 is reserved (tcpmux), and nobody listens there.
        (_, None) => Endpoints::at("http://127.0.0.1:1"),
    };
    let (id, secret) =
        sandbox.map_or(("id", "secret"), |sandbox| (sandbox.client_id(), sandbox.client_secret().unwrap()));
    let redirect_uri = sandbox.map_or("http://127.0.0.1:8976/callback", |sandbox| sandbox.redirect_uris()[0].as_str());
    let builder = Client::builder(id);
    let builder = if secret_in_body { builder.secret_in_body(secret) } else { builder.secret(secret) };
    builder.redirect_uri(redirect_uri).endpoints(endpoints).build().unwrap()
}

/// What prepares a case and looks after it, whatever stack is on the bench.
fn trusted(sandbox: &Sandbox) -> restream_oauth_ureq::Transport {
    let root = sandbox.ca_certificate_der().map(|der| CertificateDer::from(der.to_vec()));
    restream_oauth_ureq::Transport::builder().only_root_certificates(root).build().unwrap()
}
