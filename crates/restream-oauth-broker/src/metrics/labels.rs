//! The values of labels. Each is one of a few words that are known beforehand, so no request can add one.

use crate::limits::Limit;
use restream_oauth_core::{Delivery, Error};

/// A label whose values are known beforehand.
pub(super) trait Label: Copy + 'static {
    /// All values and their texts, each at the place that [`index`](Self::index) says.
    const VALUES: &'static [(Self, &'static str)];

    /// The place in [`VALUES`](Self::VALUES).
    fn index(self) -> usize;
}

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Door {
    /// Plain OAuth: metadata, `/authorize`, `/token`, `/revoke`.
    Plain,
    /// The door for OBS.
    Obs,
    /// `/callback`, where browsers come back from Restream.
    Callback,
    /// Metrics and health.
    Admin,
    /// No door: a path that the broker does not have.
    None,
}

impl Label for Door {
    const VALUES: &'static [(Self, &'static str)] = &[
        (Self::Plain, "plain"),
        (Self::Obs, "obs"),
        (Self::Callback, "callback"),
        (Self::Admin, "admin"),
        (Self::None, "none"),
    ];

    fn index(self) -> usize {
        self as usize
    }
}

/// How a request ended. The word is the same for all doors, whatever status a door gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// As the device wanted.
    Ok,
    /// The request is malformed, or names what is not registered.
    BadRequest,
    /// The code or the handle is not valid any more: the user has to log in.
    InvalidGrant,
    /// The user denied the login.
    AccessDenied,
    /// The page that asks is not allowed to.
    Forbidden,
    /// There is no such path, or not with this method.
    NotFound,
    /// Over a limit.
    Limited,
    /// Restream or the store cannot be reached now, or the broker stops.
    Unavailable,
    /// The device hung up before it was answered.
    Aborted,
    /// A fault of the broker.
    Failed,
}

impl Label for Outcome {
    const VALUES: &'static [(Self, &'static str)] = &[
        (Self::Ok, "ok"),
        (Self::BadRequest, "bad_request"),
        (Self::InvalidGrant, "invalid_grant"),
        (Self::AccessDenied, "access_denied"),
        (Self::Forbidden, "forbidden"),
        (Self::NotFound, "not_found"),
        (Self::Limited, "limited"),
        (Self::Unavailable, "unavailable"),
        (Self::Aborted, "aborted"),
        (Self::Failed, "failed"),
    ];

    fn index(self) -> usize {
        self as usize
    }
}

/// What was asked of Restream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpstreamCall {
    /// The exchange of a code.
    Exchange,
    /// A refresh.
    Refresh,
    /// A revocation.
    Revoke,
    /// Whether an access token still lives.
    Profile,
}

impl Label for UpstreamCall {
    const VALUES: &'static [(Self, &'static str)] = &[
        (Self::Exchange, "exchange"),
        (Self::Refresh, "refresh"),
        (Self::Revoke, "revoke"),
        (Self::Profile, "profile"),
    ];

    fn index(self) -> usize {
        self as usize
    }
}

/// What came of a call to Restream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpstreamOutcome {
    /// It worked.
    Success,
    /// Restream refused it.
    Refused,
    /// Restream may have acted, and no whole answer came.
    InDoubt,
    /// Nothing was sent.
    NotSent,
}

impl UpstreamOutcome {
    /// The outcome of a call.
    ///
    /// ```
    /// use restream_oauth_broker::metrics::UpstreamOutcome;
    ///
    /// assert_eq!(UpstreamOutcome::of(&Ok(())), UpstreamOutcome::Success);
    /// ```
    pub fn of<T>(result: &Result<T, Error>) -> Self {
        match result.as_ref().map_err(Error::delivery) {
            Ok(_) => Self::Success,
            Err(Delivery::NotSent) => Self::NotSent,
            Err(Delivery::Refused) => Self::Refused,
            // Unknown, or completed with a token that is missing.
            Err(_) => Self::InDoubt,
        }
    }
}

impl Label for UpstreamOutcome {
    const VALUES: &'static [(Self, &'static str)] = &[
        (Self::Success, "success"),
        (Self::Refused, "refused"),
        (Self::InDoubt, "in_doubt"),
        (Self::NotSent, "not_sent"),
    ];

    fn index(self) -> usize {
        self as usize
    }
}

/// A step of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginStep {
    /// A browser was sent to Restream.
    Begun,
    /// It came back, and the code was exchanged.
    Granted,
    /// It came back with a denial.
    Denied,
    /// It came back with a `state` or a cookie that does not belong to a login.
    Forged,
    /// The exchange of the code failed.
    Failed,
    /// The device fetched what the login gave.
    Redeemed,
    /// The device did not fetch it in time, and the grant was revoked.
    Abandoned,
}

impl Label for LoginStep {
    const VALUES: &'static [(Self, &'static str)] = &[
        (Self::Begun, "begun"),
        (Self::Granted, "granted"),
        (Self::Denied, "denied"),
        (Self::Forged, "forged"),
        (Self::Failed, "failed"),
        (Self::Redeemed, "redeemed"),
        (Self::Abandoned, "abandoned"),
    ];

    fn index(self) -> usize {
        self as usize
    }
}

/// Why a handle ended. `devices end` works in another process, which counts nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandleEnd {
    /// The device revoked it.
    Revoked,
    /// Nobody used it for 90 days.
    Idle,
    /// Its code came twice.
    CodeReused,
    /// Its grant is dead at Restream.
    GrantDead,
}

impl Label for HandleEnd {
    const VALUES: &'static [(Self, &'static str)] = &[
        (Self::Revoked, "revoked"),
        (Self::Idle, "idle"),
        (Self::CodeReused, "code_reused"),
        (Self::GrantDead, "grant_dead"),
    ];

    fn index(self) -> usize {
        self as usize
    }
}

/// Which bound turned a request or a connection away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// The requests of a device.
    Device,
    /// The requests of an address.
    Address,
    /// The number of connections.
    Connections,
    /// The length of a header or a body.
    Size,
    /// The time of a body or of a whole request. A head that is too slow is not told from a connection that is idle.
    Time,
    /// What a relay remembers.
    RelayMemory,
}

impl From<Limit> for Bound {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Device => Self::Device,
            Limit::Address => Self::Address,
        }
    }
}

impl Label for Bound {
    const VALUES: &'static [(Self, &'static str)] = &[
        (Self::Device, "device"),
        (Self::Address, "address"),
        (Self::Connections, "connections"),
        (Self::Size, "size"),
        (Self::Time, "time"),
        (Self::RelayMemory, "relay_memory"),
    ];

    fn index(self) -> usize {
        self as usize
    }
}
