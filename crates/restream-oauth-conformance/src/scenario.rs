//! The types of a row of the table.

use std::time::Duration;

use crate::outcome::Outcome;
use crate::stack::WITHOUT_TLS;

/// One thing that a server or a network does to a call, and the outcomes that the call must have.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What happens, in words. The name in the table.
    pub name: &'static str,
    /// The server that the call is sent to.
    pub server: Server,
    /// The step of the flow that is sent.
    pub operation: Operation,
    /// The stack's time limit.
    pub limit: Limit,
    /// The variants. All must have their expected outcomes; each runs with a new grant and a new ledger.
    pub cases: Vec<Case>,
    /// The stacks that differ.
    pub differences: Vec<Difference>,
    /// Whether the scenario keeps a browser so busy that it would change the outcome of other calls.
    pub alone: bool,
}

impl Scenario {
    /// Begins a scenario: a refresh against the sandbox over plain http, with an ample time limit.
    pub fn new(name: &'static str) -> Self {
        let (server, operation, limit) = (Server::Http, Operation::Refresh, Limit::Ample);
        Self { name, server, operation, limit, cases: Vec::new(), differences: Vec::new(), alone: false }
    }

    /// Marks a scenario that keeps a whole browser busy. A browser runs it when all others are done.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Sets the step of the flow.
    #[must_use]
    pub fn of(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }

    /// Sets the server.
    #[must_use]
    pub fn against(self, server: Server) -> Self {
        Self { server, ..self }
    }

    /// Sets a short time limit, for a call that ends at it.
    #[must_use]
    pub fn short(self) -> Self {
        Self { limit: Limit::Short, ..self }
    }

    /// Adds a variant.
    #[must_use]
    pub fn case(mut self, case: Case) -> Self {
        self.cases.push(case);
        self
    }

    /// Adds variants.
    #[must_use]
    pub fn cases(mut self, cases: impl IntoIterator<Item = Case>) -> Self {
        self.cases.extend(cases);
        self
    }

    /// Adds a difference: these stacks must have one of these outcomes instead, for this reason. More than one outcome
    /// is for what timing decides.
    #[must_use]
    pub fn but<const N: usize>(
        mut self,
        stacks: &'static [&'static str],
        outcomes: [Outcome; N],
        why: &'static str,
    ) -> Self {
        self.differences.push(Difference { stacks, expected: outcomes.into(), ledger: None, why });
        self
    }

    /// Completes the last difference: the server saw the request and acted.
    #[must_use]
    pub fn which_acts(self) -> Self {
        self.which_shows(LedgerShows { requests: 1, acted: true })
    }

    /// Completes the last difference: the server saw the request twice and acted once.
    #[must_use]
    pub fn which_sends_twice(self) -> Self {
        self.which_shows(LedgerShows { requests: 2, acted: true })
    }

    fn which_shows(mut self, ledger: LedgerShows) -> Self {
        if let Some(difference) = self.differences.last_mut() {
            difference.ledger = Some(ledger);
        }
        self
    }

    /// Returns the difference of a stack, if the scenario has one.
    pub fn difference_of(&self, stack: &str) -> Option<&Difference> {
        self.differences.iter().find(|difference| difference.stacks.contains(&stack))
    }

    /// Returns the outcomes that a stack may have in a case.
    pub fn expected_of<'table>(&'table self, stack: &str, case: &'table Case) -> &'table [Outcome] {
        self.difference_of(stack).map_or(&case.expected, |difference| &difference.expected)
    }

    /// Returns what the ledger must show after a stack's call in a case.
    pub fn ledger_of(&self, stack: &str, case: &Case) -> LedgerShows {
        self.difference_of(stack).and_then(|difference| difference.ledger).unwrap_or(case.ledger)
    }

    /// Returns the reason why a stack cannot run the scenario, if it cannot.
    pub fn is_not_for(&self, stack: &str) -> Option<&'static str> {
        (self.server.needs_tls() && WITHOUT_TLS.contains(&stack)).then_some("no TLS")
    }
}

/// A variant of a scenario: the faults of the sandbox, and what must happen.
#[derive(Clone, Debug)]
pub struct Case {
    /// Bodies for `POST /_sandbox/faults`, in this order.
    pub faults: Vec<String>,
    /// The outcomes that the call may have: more than one where timing decides.
    pub expected: Vec<Outcome>,
    /// What the ledger must show.
    pub ledger: LedgerShows,
}

impl Case {
    /// A case with one fault. The server sees the request and acts.
    pub fn new(fault: impl Into<String>, expected: Outcome) -> Self {
        let ledger = LedgerShows { requests: 1, acted: true };
        Self { faults: vec![fault.into()], expected: vec![expected], ledger }
    }

    /// A case without a fault.
    pub fn faultless(expected: Outcome) -> Self {
        Self { faults: Vec::new(), ..Self::new("", expected) }
    }

    /// Allows another outcome: timing decides.
    #[must_use]
    pub fn or(mut self, outcome: Outcome) -> Self {
        self.expected.push(outcome);
        self
    }

    /// Expects that the server sees the request and does not act.
    #[must_use]
    pub fn not_acted(mut self) -> Self {
        self.ledger.acted = false;
        self
    }

    /// Expects that the server sees no request.
    #[must_use]
    pub fn unseen(mut self) -> Self {
        self.ledger = LedgerShows { requests: 0, acted: false };
        self
    }
}

/// What the sandbox's ledger must show after one case. It must also show, always, that no redirect was followed to the
/// canary, that no dead token was used, and that no request was odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerShows {
    /// The number of requests to the step's endpoint, for each call.
    pub requests: usize,
    /// Whether the server acted: one exchange, rotation or revocation more for each call.
    pub acted: bool,
}

/// Stacks that must have another outcome than the others.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The stacks: constants of [`stack`](crate::stack).
    pub stacks: &'static [&'static str],
    /// The outcomes that a call may have, in every case of the scenario.
    pub expected: Vec<Outcome>,
    /// What the ledger must show, if that differs too.
    pub ledger: Option<LedgerShows>,
    /// The reason.
    pub why: &'static str,
}

/// A step of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `POST /oauth/token` with a code.
    Exchange,
    /// `POST /oauth/token` with a refresh token.
    Refresh,
    /// `POST /oauth/token` with a refresh token, and again with the new refresh token.
    RefreshTwice,
    /// `POST /oauth/revoke`.
    Revoke,
    /// `GET /v2/user/profile`.
    Profile,
}

impl Operation {
    /// The path of the step's endpoint.
    pub fn path(self) -> &'static str {
        match self {
            Self::Exchange | Self::Refresh | Self::RefreshTwice => "/oauth/token",
            Self::Revoke => "/oauth/revoke",
            Self::Profile => "/v2/user/profile",
        }
    }

    /// The number of calls.
    pub fn calls(self) -> usize {
        if self == Self::RefreshTwice { 2 } else { 1 }
    }
}

/// The server that a call is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Server {
    /// The sandbox, over plain http.
    Http,
    /// The sandbox, over https.
    Https(Certificate),
    /// A port of this machine that refuses connections, over plain http.
    Nobody,
    /// `https://nowhere.invalid`, a name that does not resolve (RFC 6761 §6.4).
    Nowhere,
}

impl Server {
    /// Whether a call to the server needs TLS.
    pub fn needs_tls(self) -> bool {
        matches!(self, Self::Https(_) | Self::Nowhere)
    }

    /// Whether the server issues grants.
    pub fn serves(self) -> bool {
        matches!(self, Self::Http | Self::Https(Certificate::Good))
    }
}

/// The certificate of an https server. The stack trusts the sandbox's certificate authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Certificate {
    /// A valid certificate.
    Good,
    /// A self-signed certificate.
    SelfSigned,
    /// A certificate that expired in 2001.
    Expired,
    /// A certificate for another name.
    WrongHost,
}

/// A stack's time limit for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Half a minute, which no call should need.
    Ample,
    /// One second, for a call that ends at its time limit.
    Short,
}

impl Limit {
    /// The stack's time limit.
    pub const fn given(self) -> Duration {
        match self {
            Self::Ample => Duration::from_secs(30),
            Self::Short => Duration::from_secs(1),
        }
    }

    /// Whether a call ended in time: at most a second after its time limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use restream_oauth_conformance::Limit;
    ///
    /// assert!(Limit::Short.is_kept_by(Duration::from_secs(2)));
    /// assert!(!Limit::Short.is_kept_by(Duration::from_millis(2500)));
    /// ```
    pub fn is_kept_by(self, elapsed: Duration) -> bool {
        /// The time that a busy machine may add.
        const SLACK: Duration = Duration::from_millis(250);
        elapsed.checked_sub(self.given()).is_none_or(|late| late <= Duration::from_secs(1).saturating_add(SLACK))
    }
}
