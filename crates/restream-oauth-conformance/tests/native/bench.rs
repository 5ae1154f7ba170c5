//! Runs scenarios over one stack: starts the servers, gets a grant for each case, sends the call, and compares the
//! outcome and the ledger with the table.

use std::collections::HashMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_conformance::{Case, Certificate, LedgerShows, Operation, Outcome, Scenario, Server};
use restream_oauth_core::{
    AccessToken, AuthorizationCode, Call, Client, Endpoints, Entropy, Error, RefreshToken, Tokens,
};
use restream_oauth_sandbox::rules::{BasicCredentials, Rules};
use restream_oauth_sandbox::{Fault, Ledger, Sandbox};
use rustls::pki_types::CertificateDer;

use crate::canary::{self, WORD};
use crate::stacks::Stack;

/// How long to wait for the ledger to show what happened: the server may act after the client gave up.
const LEDGER_LIMIT: Duration = Duration::from_secs(5);

/// Runs scenarios over the stack `S`, and keeps the sandboxes that they need.
pub(crate) struct Bench<S> {
    sandboxes: HashMap<Server, Sandbox>,
    reading: Reading,
    stack: PhantomData<S>,
}

/// From which answer a call's outcome is read.
#[derive(Clone, Copy)]
pub(crate) enum Reading {
    /// From the answer that the stack returns.
    Received,
    /// From the same answer, saved and then restored by a call that is built anew. Both must give the same.
    Restored,
}

impl<S: Stack> Bench<S> {
    /// Without any server yet: each is started when a scenario needs it.
    pub(crate) fn new(reading: Reading) -> Self {
        Self { sandboxes: HashMap::new(), reading, stack: PhantomData }
    }

    /// Runs the cases in order, up to the first that fails. Cases send the client secret in the header and in the form
    /// by turns; `row` decides where the first one sends it.
    pub(crate) fn try_scenario(&mut self, row: usize, scenario: &Scenario) -> Result<(), String> {
        if scenario.is_not_for(S::NAME).is_some() {
            return Ok(());
        }
        let reading = self.reading;
        let sandbox = self.sandbox(scenario.server);
        let sender = Sender { stack: S::new(scenario.limit.given(), sandbox), reading };
        for (number, case) in (row..).zip(&scenario.cases) {
            let client = client(scenario.server, sandbox, number % 2 == 1);
            let tried = try_case(&sender, sandbox, &client, scenario, case);
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
            // The strict rule: the special characters must arrive form-encoded (RFC 6749 §2.3.1).
            let mut rules = Rules::default();
            rules.basic = BasicCredentials::Decoded;
            let builder = Sandbox::builder().rules(rules).client_secret(WORD.to_owned() + "-:+&%").token_prefix(WORD);
            let builder = match certificate {
                None => builder,
                Some(certificate) => builder.tls(sandbox_certificate(certificate)),
            };
            builder.start().unwrap()
        };
        Some(self.sandboxes.entry(server).or_insert_with(start))
    }
}

fn sandbox_certificate(certificate: Certificate) -> restream_oauth_sandbox::Certificate {
    match certificate {
        Certificate::Good => restream_oauth_sandbox::Certificate::Good,
        Certificate::SelfSigned => restream_oauth_sandbox::Certificate::SelfSigned,
        Certificate::Expired => restream_oauth_sandbox::Certificate::Expired,
        Certificate::WrongHost => restream_oauth_sandbox::Certificate::WrongHost,
    }
}

fn try_case<S: Stack>(
    sender: &Sender<S>,
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
    let (outcome, tokens) = grant.send(sender, scenario.operation, client);
    let elapsed = started.elapsed();
    canary::check_log()?;

    if !scenario.limit.is_kept_by(elapsed) {
        return Err(format!("it took {elapsed:?}"));
    }
    let expected = scenario.expected_of(S::NAME, case);
    if !expected.contains(&outcome) {
        return Err(format!("the outcome is {outcome:?}, expected {expected:?}"));
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
            // A profile call changes nothing at the server, so only the request is counted.
            Operation::Profile => u64::from(wanted.acted && requests(ledger) > requests(before)),
        };
        // Without a request, the ledger does not show whether the call or the test opened a connection.
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
            "the ledger shows (requests, acts, connections, canary hits) {:?}, expected {expected:?}",
            shows(&ledger)
        ));
    }
    if ledger.dead_refresh_tokens_used + ledger.dead_access_tokens_used + ledger.codes_replayed > 0 {
        return Err(format!("a dead credential was used: {ledger:?}"));
    }
    // The sandbox accepts some requests that no client should send. It notes them as oddities.
    let odd: Vec<_> = ledger.requests.iter().filter(|request| !request.oddities.is_empty()).collect();
    if odd.is_empty() { Ok(()) } else { Err(format!("the sandbox found a request odd: {odd:?}")) }
}

/// Checks that the call returned the server's newest pair.
fn check_tokens(sandbox: &Sandbox, client: &Client, tokens: &Tokens) -> Result<(), String> {
    sandbox.clear_faults();
    let alive = trusted(sandbox).send(client.profile(tokens.access_token()).unwrap());
    alive.map(|_| ()).map_err(|error| format!("the tokens are not the server's newest: {error}"))
}

/// The credentials that one case sends.
struct Grant {
    code: Option<AuthorizationCode>,
    access_token: AccessToken,
    refresh_token: RefreshToken,
}

impl Grant {
    /// Resets the sandbox and gets a new grant from it. For a server that issues none, returns made-up credentials.
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

    fn send<S: Stack>(&self, sender: &Sender<S>, operation: Operation, client: &Client) -> (Outcome, Option<Tokens>) {
        let refresh = |token: &RefreshToken| sender.send(|| client.refresh(token));
        match operation {
            Operation::Exchange => with_tokens(sender.send(|| client.exchange(self.code.as_ref().unwrap()))),
            Operation::Refresh => with_tokens(refresh(&self.refresh_token)),
            Operation::RefreshTwice => {
                let first = refresh(&self.refresh_token);
                with_tokens(first.and_then(|tokens| refresh(tokens.refresh_token().unwrap())))
            }
            Operation::Revoke => (outcome(&sender.send(|| client.revoke(&self.refresh_token))), None),
            Operation::Profile => (outcome(&sender.send(|| client.profile(&self.access_token).unwrap())), None),
        }
    }
}

struct Sender<S> {
    stack: S,
    reading: Reading,
}

impl<S: Stack> Sender<S> {
    /// Sends one call. `call` builds it, and builds it anew to restore the saved answer.
    fn send<T: Debug + PartialEq>(&self, call: impl Fn() -> Call<T>) -> Result<T, Error> {
        if let Reading::Received = self.reading {
            return self.stack.send(call());
        }
        let answer = self.stack.receive(call());
        let saved = answer.to_saved();
        let received = answer.interpret();
        // The time of sending is in the saved answer, so this one must not count.
        let (_, reader) = call().into_parts(SystemTime::UNIX_EPOCH);
        let restored = reader.restore_answer(saved.expose_secret()).unwrap().interpret();
        assert_eq!(all_of(&received), all_of(&restored), "{}", S::NAME);
        restored
    }
}

/// Everything that a program can read from a result, except the source of an error, which is not saved.
fn all_of<T>(result: &Result<T, Error>) -> Result<&T, impl Debug + PartialEq> {
    result.as_ref().map_err(|error| {
        let decided = (error.kind(), error.delivery(), error.advice(), error.operation(), error.salvaged());
        (decided, error.status(), error.retry_after(), error.server_message(), error.to_string())
    })
}

fn with_tokens(result: Result<Tokens, Error>) -> (Outcome, Option<Tokens>) {
    (outcome(&result), result.ok())
}

/// Reduces a result to its outcome, and logs all of the result for the canary.
fn outcome<T: Debug>(result: &Result<T, Error>) -> Outcome {
    canary::log_all(result);
    Outcome::of(result)
}

fn client(server: Server, sandbox: Option<&Sandbox>, secret_in_body: bool) -> Client {
    let endpoints = match (server, sandbox) {
        (Server::Nowhere, _) => Endpoints::at("https://nowhere.invalid"),
        (_, Some(sandbox)) => Endpoints::at(sandbox.base_url()),
        // Port 1 is reserved (tcpmux). It refuses connections.
        (_, None) => Endpoints::at("http://127.0.0.1:1"),
    };
    let (id, secret) =
        sandbox.map_or(("id", "secret"), |sandbox| (sandbox.client_id(), sandbox.client_secret().unwrap()));
    let redirect_uri = sandbox.map_or("http://127.0.0.1:8976/callback", |sandbox| sandbox.redirect_uris()[0].as_str());
    let builder = Client::builder(id);
    let builder = if secret_in_body { builder.secret_in_body(secret) } else { builder.secret(secret) };
    builder.redirect_uri(redirect_uri).endpoints(endpoints).build().unwrap()
}

/// The transport that prepares and checks a case, whichever stack sends the call.
fn trusted(sandbox: &Sandbox) -> restream_oauth_ureq::Transport {
    let root = sandbox.ca_certificate_der().map(|der| CertificateDer::from(der.to_vec()));
    restream_oauth_ureq::Transport::builder().only_root_certificates(root).build().unwrap()
}
