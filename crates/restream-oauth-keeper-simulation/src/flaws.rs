//! Faulty versions of the protocol. Each must be found, or the simulation proves nothing.
//!
//! The machine is the same in all of them. What is faulty is the store or the driver (they look at the flaw), or an
//! [`Interceptor`](crate::interceptor::Interceptor) changes what passes between the machine and the world.

/// One mistake that a keeper could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "`about` says what each one is")]
pub enum Flaw {
    None,
    PublishBeforeDurable,
    NoReadAfterClaim,
    MarkIsNotSynced,
    FolderIsNotSynced,
    SpoolIsNotSynced,
    VisibleIsDurable,
    SpoolAfterParse,
    FenceOnCommit,
    ReplayWhileTheFirstFlies,
    DeleteAtInvalidGrant,
    LeaseShorterThanTheAnswer,
    ForeignRelease,
    WallClockOnly,
    NewJitterAtEachLook,
    LogOutWithoutClaim,
    CallerOwnsTheSend,
    ReleaseBeforeCommit,
    LoginWithoutClaim,
    NoLastRead,
    StraysAcrossLogins,
    RateLimitClearsDoubt,
    SpoolWithoutNumber,
    LockIsIgnored,
    SilenceIsRefusal,
    LateAnswerIsDropped,
    LeftoversGoBeforeCommit,
    SilenceIsNotCounted,
    WitnessAskedAgain,
    YoungRefusalsAtOnePace,
    NoReplayAt900,
    NoTimeAfterSleep,
    PromiseOfEachProcess,
    NoRetryQuota,
    EveryDoubtIsOld,
    LogoutIsNotHeld,
}

impl Flaw {
    /// All flaws.
    pub const ALL: [Self; 35] = [
        Self::PublishBeforeDurable,
        Self::NoReadAfterClaim,
        Self::MarkIsNotSynced,
        Self::FolderIsNotSynced,
        Self::SpoolIsNotSynced,
        Self::VisibleIsDurable,
        Self::SpoolAfterParse,
        Self::FenceOnCommit,
        Self::ReplayWhileTheFirstFlies,
        Self::DeleteAtInvalidGrant,
        Self::LeaseShorterThanTheAnswer,
        Self::ForeignRelease,
        Self::WallClockOnly,
        Self::NewJitterAtEachLook,
        Self::LogOutWithoutClaim,
        Self::CallerOwnsTheSend,
        Self::ReleaseBeforeCommit,
        Self::LoginWithoutClaim,
        Self::NoLastRead,
        Self::StraysAcrossLogins,
        Self::RateLimitClearsDoubt,
        Self::SpoolWithoutNumber,
        Self::LockIsIgnored,
        Self::SilenceIsRefusal,
        Self::LateAnswerIsDropped,
        Self::LeftoversGoBeforeCommit,
        Self::SilenceIsNotCounted,
        Self::WitnessAskedAgain,
        Self::YoungRefusalsAtOnePace,
        Self::NoReplayAt900,
        Self::NoTimeAfterSleep,
        Self::PromiseOfEachProcess,
        Self::NoRetryQuota,
        Self::EveryDoubtIsOld,
        Self::LogoutIsNotHeld,
    ];

    /// What the mistake is.
    pub fn about(self) -> &'static str {
        match self {
            Self::None => "the right protocol",
            Self::PublishBeforeDurable => "the new access token is given out before the pair is stored",
            Self::NoReadAfterClaim => "the record is not read again after the claim",
            Self::MarkIsNotSynced => "the mark \"in doubt\" is written and not synced",
            Self::FolderIsNotSynced => "a record is renamed, and the folder is not synced",
            Self::SpoolIsNotSynced => "the raw answer is written and not synced",
            Self::VisibleIsDurable => "what another process wrote is taken for durable",
            Self::SpoolAfterParse => "the answer is not spooled before it is read",
            Self::FenceOnCommit => "a pair whose claim has run out is refused",
            Self::ReplayWhileTheFirstFlies => {
                "after ten seconds of silence the token is sent again, on a second connection"
            }
            Self::DeleteAtInvalidGrant => "a refusal deletes the stored record",
            Self::LeaseShorterThanTheAnswer => "the lease is ten seconds",
            Self::ForeignRelease => "a claim that has run out releases the next one",
            Self::WallClockOnly => "waits and deadlines count on the wall clock",
            Self::NewJitterAtEachLook => "the time of the next refresh is drawn anew at each look",
            Self::LogOutWithoutClaim => "a logout does not wait for the claim",
            Self::CallerOwnsTheSend => "a caller who gives up ends the request",
            Self::ReleaseBeforeCommit => "the claim is released before the pair is stored",
            Self::LoginWithoutClaim => "a login is stored without a claim",
            Self::NoLastRead => "after a sleep the driver hangs up without reading what has arrived",
            Self::StraysAcrossLogins => "late pairs of an earlier login are kept and tried",
            Self::RateLimitClearsDoubt => "a 429 clears a doubt that is older than it",
            Self::SpoolWithoutNumber => "an answer that was spooled for an earlier request is taken for the last one's",
            Self::LockIsIgnored => "nobody waits for a claim",
            Self::SilenceIsRefusal => "an answer that does not come is taken for a refusal",
            Self::LateAnswerIsDropped => "a pair that cannot be committed is not parked",
            Self::LeftoversGoBeforeCommit => "the spooled answer is removed before the pair is committed",
            Self::SilenceIsNotCounted => "the breaker counts only requests that have ended, and none that is silent",
            Self::WitnessAskedAgain => {
                "the old access token is asked after each replay, and each time it brings the next one forward"
            }
            Self::YoungRefusalsAtOnePace => {
                "a young token that the API refuses is replaced after a minute, again and again"
            }
            Self::NoReplayAt900 => "there is no replay after 15 minutes of doubt",
            Self::NoTimeAfterSleep => {
                "after a sleep the driver reads what has arrived, and waits no longer for an answer"
            }
            Self::PromiseOfEachProcess => "each process draws a `usable_until` of its own",
            Self::NoRetryQuota => "each grant is tried again by its own schedule, and no quota bounds all of them",
            Self::EveryDoubtIsOld => {
                "callers bring replays forward as if a doubt were old, however many requests it has had"
            }
            Self::LogoutIsNotHeld => "a logout that a failover loses is not written again",
        }
    }
}
