//! Drivers: one list of scenarios, which every way to drive a keeper passes, and what is particular to each.

mod deadlines;
#[cfg(feature = "file")]
mod files;
mod hand;
mod programs;
mod running;
mod scenarios;
mod world;

/// Makes a test of each scenario, for each kind of program.
macro_rules! every_program_passes {
    ($($scenario:ident)*) => {
        mod tasks_with_hyper {
            $(#[test] fn $scenario() { crate::scenarios::$scenario(&crate::programs::Tasks::new()); })*
        }
        mod threads_with_ureq {
            $(#[test] fn $scenario() { crate::scenarios::$scenario(&crate::programs::Threads::new()); })*
        }
        mod polled_by_hand {
            $(#[test] fn $scenario() { crate::scenarios::$scenario(&crate::programs::ByHand::new()); })*
        }
    };
}

every_program_passes! {
    a_login_gives_the_first_token_and_refreshes_nothing
    an_expired_token_is_refreshed_before_it_is_given_out
    more_life_than_any_token_has_makes_one_refresh
    two_hundred_callers_at_expiry_make_one_refresh
    a_caller_who_drops_its_future_changes_nothing
    a_panic_in_a_caller_changes_nothing
    a_panic_in_the_closure_leaves_a_doubt_that_ends_by_itself
    a_lost_answer_is_recovered_if_the_server_had_not_acted
    a_lost_answer_is_told_as_such_if_the_server_had_rotated
    a_late_refusal_of_an_old_token_refreshes_nothing
    a_refusal_of_the_newest_token_refreshes_it_once
    logging_out_during_a_refresh_revokes_the_pair_that_it_brings
    shutting_down_waits_for_a_refresh_that_runs
    two_keepers_of_one_store_refresh_once
    a_pair_that_the_store_refuses_is_served_and_stored_later
    a_store_that_panics_is_asked_again
    a_watcher_sees_the_next_token
    many_grants_are_kept_by_one_keeper
}
