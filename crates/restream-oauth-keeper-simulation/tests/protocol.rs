//! The right protocol violates nothing, and each faulty one is found.
//!
//! In an optimised build every test takes the full number of seeds. Without optimisation it takes fewer, because a
//! thousand seeds take minutes then.

use restream_oauth_keeper_simulation::{Check, Flaw, run, search, trace};

/// How many seeds a faulty protocol has to be found within.
const SEEDS: u64 = 1000;

/// How many seeds the right protocol is tried with.
const TRIED: u64 = if cfg!(debug_assertions) { 150 } else { SEEDS };

#[test]
fn the_right_protocol_violates_nothing() {
    let found = search(0, TRIED, Flaw::None);
    assert!(found.violations.is_empty(), "{found}");
    assert!(found.is_fresh_soon(), "{found}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 14, 159] {
        assert_eq!(trace(seed, Flaw::None, 10), trace(seed, Flaw::None, 10), "seed {seed}");
    }
    assert_ne!(trace(1, Flaw::None, 0).1, trace(2, Flaw::None, 0).1);
}

/// The flaw violates one of these within the seeds, on a seed with which the right protocol violates nothing.
fn is_found(flaw: Flaw, by: &[Check]) {
    let found = (0..SEEDS).find_map(|seed| {
        let violation = run(seed, flaw).violation.filter(|violation| by.contains(&violation.check))?;
        run(seed, Flaw::None).violation.is_none().then_some((seed, violation))
    });
    let (seed, violation) = found.unwrap_or_else(|| panic!("{flaw:?} ({}) was not found", flaw.about()));
    println!("{flaw:?}: seed {seed}, {violation}");
}

macro_rules! found {
    ($($name:ident: $flaw:ident by $($check:ident)+;)+) => {$(
        #[test]
        fn $name() {
            is_found(Flaw::$flaw, &[$(Check::$check),+]);
        }
    )+};
}

found! {
    publishing_before_the_pair_is_durable_is_found: PublishBeforeDurable by I3;
    a_claim_without_a_read_is_found: NoReadAfterClaim by I2 I4 I5;
    a_mark_that_is_not_synced_is_found: MarkIsNotSynced by I2 I6;
    a_folder_that_is_not_synced_is_found: FolderIsNotSynced by I4 I5 I8 I12;
    a_spool_that_is_not_synced_is_found: SpoolIsNotSynced by I8 I12;
    taking_what_is_visible_for_durable_is_found: VisibleIsDurable by I3 I4 I5 I7 I8 I15;
    spooling_after_parsing_is_found: SpoolAfterParse by I8 I12;
    a_fence_that_refuses_a_late_pair_is_found: FenceOnCommit by I4 I8 I12;
    a_replay_while_the_first_request_flies_is_found: ReplayWhileTheFirstFlies by I1;
    deleting_at_invalid_grant_is_found: DeleteAtInvalidGrant by I4 I5;
    a_lease_shorter_than_the_answer_is_found: LeaseShorterThanTheAnswer by I1 I2;
    releasing_a_foreign_claim_is_found: ForeignRelease by I1 I2 I4;
    the_wall_clock_alone_is_found: WallClockOnly by I1 I7 I10 I11;
    a_new_jitter_at_each_look_is_found: NewJitterAtEachLook by I15;
    a_logout_without_the_claim_is_found: LogOutWithoutClaim by I9;
    a_caller_who_owns_the_send_is_found: CallerOwnsTheSend by I8 I10;
    releasing_before_the_commit_is_found: ReleaseBeforeCommit by I2 I4 I8 I15;
    a_login_without_the_claim_is_found: LoginWithoutClaim by I4 I5;
    hanging_up_without_a_last_read_is_found: NoLastRead by I8;
    strays_across_logins_are_found: StraysAcrossLogins by I2 I5;
    a_rate_limit_that_clears_a_doubt_is_found: RateLimitClearsDoubt by I2 I8;
    a_spool_without_the_number_of_its_send_is_found: SpoolWithoutNumber by I2 I8;
    ignoring_the_lock_is_found: LockIsIgnored by I1;
    taking_silence_for_a_refusal_is_found: SilenceIsRefusal by I8;
    dropping_a_late_answer_is_found: LateAnswerIsDropped by I4 I8 I12;
    removing_leftovers_before_the_commit_is_found: LeftoversGoBeforeCommit by I4 I8 I12;
    a_breaker_that_counts_only_what_has_ended_is_found: SilenceIsNotCounted by I10;
    a_witness_that_is_asked_again_and_again_is_found: WitnessAskedAgain by I10;
    replacing_refused_young_tokens_at_one_pace_is_found: YoungRefusalsAtOnePace by I10;
    a_schedule_without_the_last_replay_is_found: NoReplayAt900 by I7;
    hanging_up_at_once_after_a_sleep_is_found: NoTimeAfterSleep by I8;
    a_promise_of_each_process_is_found: PromiseOfEachProcess by I15;
    a_logout_that_a_failover_undoes_is_found: LogoutIsNotHeld by I9;
    retries_without_a_quota_are_found: NoRetryQuota by I10;
    taking_every_doubt_for_an_old_one_is_found: EveryDoubtIsOld by I10;
}
