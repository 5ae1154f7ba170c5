//! The shape of a row.

use std::time::Duration;

use crate::outcome::Outcome;
use crate::stack::WITHOUT_TLS;

/// One thing that goes wrong, or right, and what must come of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What happens, in words.
    pub name: &'static str,
    /// Who answers.
    pub server: Server,
    /// The step of the flow that is sent.
    pub operation: Operation,
    /// The time that the stack is given.
    pub limit: Limit,
    /// The variants that must all come out as they say, each with a grant and a ledger of its own.
    pub cases: Vec<Case>,
    /// The stacks that differ.
    pub differences: Vec<Difference>,
    /// Whether a browser is so busy with it that calls beside it would come to another outcome.
    pub alone: bool,
}

impl Scenario {
    /// A refresh against the sandbox over plain http, with all the time it needs.
    pub fn new(name: &'static str) -> Self {
        let (server, operation, limit) = (Server::Http, Operation::Refresh, Limit::Ample);
        Self { name, server, operation, limit, cases: Vec::new(), differences: Vec::new(), alone: false }
    }

    /// Keeps a whole browser busy, which tries it when everything else is done.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Another step of the flow.
    #[must_use]
    pub fn of(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }

    /// Another server.
    #[must_use]
    pub fn against(self, server: Server) -> Self {
        Self { server, ..self }
    }

    /// Ends by its limit of time.
    #[must_use]
    pub fn short(self) -> Self {
        Self { limit: Limit::Short, ..self }
    }

    /// One more variant.
    #[must_use]
    pub fn case(mut self, case: Case) -> Self {
        self.cases.push(case);
        self
    }

    /// One more variant each.
    #[must_use]
    pub fn cases(mut self, cases: impl IntoIterator<Item = Case>) -> Self {
        self.cases.extend(cases);
        self
    }

    /// These stacks come to another outcome, and this is why. The network decides which if there are several.
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

    /// With the last difference, the server saw the request and did what was asked.
    #[must_use]
    pub fn which_acts(self) -> Self {
        self.which_shows(LedgerShows { requests: 1, acted: true })
    }

    /// With the last difference, the server saw the request twice and did what was asked once.
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

    /// The difference of a stack, if it has one here.
    pub fn difference_of(&self, stack: &str) -> Option<&Difference> {
        self.differences.iter().find(|difference| difference.stacks.contains(&stack))
    }

    /// What a stack must come to in one of the cases: one of these.
    pub fn expected_of<'table>(&'table self, stack: &str, case: &'table Case) -> &'table [Outcome] {
        self.difference_of(stack).map_or(&case.expected, |difference| &difference.expected)
    }

    /// What the server must have seen of a stack in one of the cases.
    pub fn ledger_of(&self, stack: &str, case: &Case) -> LedgerShows {
        self.difference_of(stack).and_then(|difference| difference.ledger).unwrap_or(case.ledger)
    }

    /// Why a stack cannot be asked at all, if it cannot.
    pub fn is_not_for(&self, stack: &str) -> Option<&'static str> {
        (self.server.needs_tls() && WITHOUT_TLS.contains(&stack)).then_some("no TLS")
    }
}

/// What the sandbox is told, and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Bodies for `POST /_sandbox/faults`, in this order.
    pub faults: Vec<String>,
    /// One of these; more than one where the network decides.
    pub expected: Vec<Outcome>,
    /// What the server must have seen.
    pub ledger: LedgerShows,
}

impl Case {
    /// With one fault. The server saw the request, and did what was asked.
    pub fn new(fault: impl Into<String>, expected: Outcome) -> Self {
        let ledger = LedgerShows { requests: 1, acted: true };
        Self { faults: vec![fault.into()], expected: vec![expected], ledger }
    }

    /// Without a fault.
    pub fn faultless(expected: Outcome) -> Self {
        Self { faults: Vec::new(), ..Self::new("", expected) }
    }

    /// This outcome will also do: the network decides which it is.
    #[must_use]
    pub fn or(mut self, outcome: Outcome) -> Self {
        self.expected.push(outcome);
        self
    }

    /// The server saw the request, and did nothing of what was asked.
    #[must_use]
    pub fn not_acted(mut self) -> Self {
        self.ledger.acted = false;
        self
    }

    /// The server saw no request.
    #[must_use]
    pub fn unseen(mut self) -> Self {
        self.ledger = LedgerShows { requests: 0, acted: false };
        self
    }
}

/// What the sandbox's ledger must show of one case. Beside this, always: no visit to the canary, and no dead token used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerShows {
    /// Requests to the step's endpoint, for each call.
    pub requests: usize,
    /// Whether the step took effect: one exchange, rotation or revocation more for each call.
    pub acted: bool,
}

/// Where a stack comes to another outcome than the others.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Which ones: names of [`stack`](crate::stack).
    pub stacks: &'static [&'static str],
    /// One of these instead, in every case of the scenario.
    pub expected: Vec<Outcome>,
    /// What the server sees then, if that differs too.
    pub ledger: Option<LedgerShows>,
    /// Why.
    pub why: &'static str,
}

/// A step of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `POST /oauth/token` with a code.
    Exchange,
    /// `POST /oauth/token` with a refresh token.
    Refresh,
    /// The same, and once more with the refresh token that came of it.
    RefreshTwice,
    /// `POST /oauth/revoke`.
    Revoke,
    /// `GET /v2/user/profile`.
    Profile,
}

impl Operation {
    /// Its path at the sandbox.
    pub fn path(self) -> &'static str {
        match self {
            Self::Exchange | Self::Refresh | Self::RefreshTwice => "/oauth/token",
            Self::Revoke => "/oauth/revoke",
            Self::Profile => "/v2/user/profile",
        }
    }

    /// How many calls it is.
    pub fn calls(self) -> usize {
        if self == Self::RefreshTwice { 2 } else { 1 }
    }
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Server {
    /// The sandbox, over plain http.
    Http,
    /// The sandbox, over https.
    Https(Certificate),
    /// A port of this machine on which nobody listens, over plain http.
    Nobody,
    /// `https://nowhere.invalid`, a name that does not resolve (RFC 6761 §6.4).
    Nowhere,
}

impl Server {
    /// Whether a stack without TLS can be asked at all.
    pub fn needs_tls(self) -> bool {
        matches!(self, Self::Https(_) | Self::Nowhere)
    }

    /// Whether a grant can be had there.
    pub fn serves(self) -> bool {
        matches!(self, Self::Http | Self::Https(Certificate::Good))
    }
}

/// What an https server shows for itself. The stack trusts the sandbox's authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Certificate {
    /// A certificate in order.
    Good,
    /// Signed by itself.
    SelfSigned,
    /// Good until 2001.
    Expired,
    /// For another name.
    WrongHost,
}

/// The time that a stack is given for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So much that it plays no part: half a minute.
    Ample,
    /// One second.
    Short,
}

impl Limit {
    /// What the stack is given.
    pub const fn given(self) -> Duration {
        match self {
            Self::Ample => Duration::from_secs(30),
            Self::Short => Duration::from_secs(1),
        }
    }

    /// Whether a call ended in time: a second after what it was given, at the latest.
    ///
    /// ```
    /// use std::time::Duration;
    /// use restream_oauth_conformance::Limit;
    ///
    /// assert!(Limit::Short.is_kept_by(Duration::from_secs(2)));
    /// assert!(!Limit::Short.is_kept_by(Duration::from_millis(2500)));
    /// ```
    pub fn is_kept_by(self, elapsed: Duration) -> bool {
        /// What a busy machine may add.
        const SLACK: Duration = Duration::from_millis(250);
        elapsed.checked_sub(self.given()).is_none_or(|late| late <= Duration::from_secs(1).saturating_add(SLACK))
    }
}
