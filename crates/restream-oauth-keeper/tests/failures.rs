//! The table of failures: what the keeper does in each of them, and the tests that prove it.
//!
//! `UPDATE=1 cargo test -p restream-oauth-keeper --test failures` writes `FAILURES.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A row: the failure, what the keeper does, and the `file::name` of each test. Files are those of `tests`.
struct Row(&'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    Row(
        "No connection: name resolution, TCP or TLS fails",
        "Nothing was sent, so nothing is in doubt. The old token goes on. The next attempt comes within a minute of the \
        network's return.",
        &[
            "machine/doubt::what_was_never_sent_leaves_no_doubt",
            "machine/answers::a_request_that_breaks_off_is_in_doubt_and_one_that_never_began_is_not",
            "machine/trouble::a_network_that_comes_back_after_an_hour_is_used_within_minutes",
        ],
    ),
    Row(
        "The connection breaks while the request is written",
        "The server may have acted: in doubt.",
        &["machine/answers::a_request_that_breaks_off_is_in_doubt_and_one_that_never_began_is_not"],
    ),
    Row(
        "The request was sent, and no answer comes",
        "The doubt is on disk before the request is sent. The old token goes on while it lives. The refresh token is \
        sent again by a schedule, after the first connection is dead.",
        &[
            "machine/doubt::a_lost_answer_leaves_a_doubt_on_disk_and_the_old_token_is_served_while_it_lives",
            "machine/doubt::replays_come_by_the_schedule_and_the_first_whole_answer_ends_the_doubt",
            "machine/doubt::a_driver_that_hangs_up_leaves_a_doubt",
        ],
    ),
    Row(
        "The answer breaks off, or its length or framing is wrong",
        "A pair whose two strings are closed is committed. A refresh token alone is kept and sent next. An access token \
        alone is served, and the doubt stays.",
        &[
            "machine/doubt::a_pair_in_an_answer_that_breaks_off_is_committed",
            "machine/doubt::a_refresh_token_that_came_alone_is_kept_and_sent_next",
            "machine/doubt::an_access_token_that_came_alone_is_served_while_the_doubt_stays",
            "machine/properties::whatever_happens_every_grant_that_can_live_lives_in_the_end",
        ],
    ),
    Row(
        "The process dies between the answer and the commit",
        "The raw answer was synced before anything read it. The next process commits it, and sends nothing.",
        &[
            "machine/rotation::the_answer_is_on_disk_before_anything_interprets_it",
            "machine/doubt::an_answer_that_a_dead_process_spooled_is_read_and_nothing_is_sent",
            "file_store/crashes::a_rotation_killed_anywhere_and_a_recovery_killed_anywhere_lose_nothing",
        ],
    ),
    Row(
        "The process dies between the commit and its use",
        "The next process reads the new pair, and sends nothing.",
        &["machine/answers::a_process_that_dies_after_the_commit_leaves_nothing_to_do"],
    ),
    Row(
        "The process dies while the request flies",
        "The next process finds the mark, and sends the refresh token again once the claim is free.",
        &["machine/doubt::a_process_that_dies_in_flight_leaves_a_doubt_that_the_next_one_finds"],
    ),
    Row(
        "The disk is full, read-only, or over its quota",
        "This is found before the refresh token is spent. If it happens later, the pair is held in memory, served, \
        offered to the program, and stored as soon as that works.",
        &[
            "machine/rotation::a_full_disk_is_found_before_the_refresh_token_is_spent",
            "machine/rotation::a_pair_that_the_store_refuses_is_held_tried_again_served_and_offered",
            "machine/trouble::a_store_that_cannot_be_used_is_told_at_once_when_no_token_is_left",
            "file_store/places::a_disk_that_is_too_small_spends_no_token",
            "file_store/places::a_disk_that_fills_while_the_request_flies_keeps_the_answer",
            "file_store/places::a_quota_is_no_room",
            "file_store/places::a_read_only_file_system_is_read_and_not_claimed",
        ],
    ),
    Row(
        "A sync fails",
        "The content is written to a new file. The failed one is never synced again.",
        &[
            "file_store/order::a_failed_sync_is_never_tried_again_on_the_same_file",
            "machine/nth_operation::a_refresh_loses_nothing_whichever_operation_fails",
        ],
    ),
    Row(
        "The server is silent, or fails often, while many grants are due",
        "A breaker holds planned refreshes back, so that few grants are left in doubt. Tokens that are about to expire \
        get a tenth of the pace.",
        &[
            "machine/many::an_outage_leaves_few_grants_in_doubt_and_all_are_fresh_soon_after_it",
            "machine/many::a_server_that_fails_two_times_in_five_costs_nobody_a_living_token",
        ],
    ),
    Row(
        "Many grants are due at once, or the server asks for fewer requests",
        "A pace for the whole process, which shrinks and grows back. Nobody starves.",
        &[
            "machine/many::a_thousand_grants_that_are_due_at_once_are_refreshed_at_the_pace_and_none_starves",
            "machine/many::a_server_that_is_busy_is_asked_less_often",
        ],
    ),
    Row(
        "The store takes fewer operations than the pace allows",
        "Planned refreshes begin only while fewer operations wait for the store than refreshes begin in a second. So \
        those under way end in time.",
        &["machine/many::a_store_that_cannot_follow_is_not_buried_under_operations"],
    ),
    Row(
        "All requests of many grants fail",
        "Retries share a quota: 100 at once, a tenth of the pace from then on, and one more for each success. First \
        requests do not wait for it, and few grants do not notice it.",
        &[
            "machine/many::retries_of_many_grants_share_a_quota_and_all_are_fresh_soon_after_the_outage",
            "machine/many::few_grants_are_tried_again_as_if_there_were_no_quota",
        ],
    ),
    Row(
        "Two tasks want a token",
        "One refresh, and both get its token. A caller that gives up changes nothing for the other.",
        &[
            "machine/rotation::two_hundred_tasks_make_one_refresh_and_all_get_its_token",
            "machine/rotation::a_waiter_that_gives_up_changes_nothing_for_the_others",
        ],
    ),
    Row(
        "Two processes want a token",
        "The claim is held over the whole refresh, and the record is read after it. The second process adopts the new \
        pair.",
        &[
            "machine/rotation::a_second_process_waits_for_the_claim_and_adopts_the_new_pair",
            "machine/properties::whatever_happens_every_grant_that_can_live_lives_in_the_end",
            "file_store/locks::a_claim_of_another_process_is_busy_until_that_process_ends",
        ],
    ),
    Row(
        "The process that has the claim hangs",
        "The claim is never taken away. Callers of other processes end by their limit, and are told why.",
        &["machine/answers::a_claim_that_is_held_for_long_is_never_taken_away"],
    ),
    Row(
        "The file system has no locks",
        "The store is refused with an error of its own.",
        &[
            "file_store/locks::a_file_system_without_locks_is_refused",
            "machine/trouble::a_store_that_cannot_be_used_is_told_at_once_when_no_token_is_left",
        ],
    ),
    Row(
        "The wall clock is wrong, or jumps",
        "The running process counts on a clock that no one sets. A new process makes no storm of requests, and no wait \
        becomes endless.",
        &[
            "machine/clocks::three_hours_take_three_refreshes_by_every_clock",
            "machine/clocks::a_clock_that_jumps_by_a_day_while_the_process_runs_makes_no_refresh",
            "machine/clocks::a_clock_that_was_set_back_keeps_replays_on_their_times",
            "machine/clocks::tokens_from_the_future_are_used_until_the_api_refuses_them",
        ],
    ),
    Row(
        "The machine sleeps",
        "Nothing is sent with a claim that is too old. An answer that comes after the sleep is taken all the same.",
        &[
            "machine/clocks::a_machine_that_sleeps_after_preparing_does_not_send",
            "machine/clocks::a_machine_that_sleeps_two_hours_in_the_middle_of_a_request_takes_the_answer_all_the_same",
        ],
    ),
    Row(
        "`invalid_grant`, and another process has stored a newer pair",
        "The newer pair is adopted. Nobody hears of a death.",
        &["machine/strays::a_refusal_after_which_a_sibling_is_found_to_have_rotated_is_no_death"],
    ),
    Row(
        "`invalid_grant` after a lost answer",
        "The grant is dead, and the cause is called by its name: the answer was lost. The record stays.",
        &["machine/doubt::a_replay_that_is_refused_proves_that_the_answer_was_lost"],
    ),
    Row(
        "`invalid_grant`, and no answer was lost",
        "The grant is dead: the server ended it. The record stays, and nothing more is sent. A new login revives the \
        grant without a restart.",
        &[
            "machine/answers::every_spelling_of_a_dead_grant_is_its_end_and_the_pair_stays",
            "machine/rotation::a_dead_grant_is_told_once_and_read_again_for_a_new_login",
        ],
    ),
    Row(
        "`invalid_client`, and other faults of the configuration",
        "Never a death. Callers are told at once; the next attempt comes after an hour. A login is stored at once.",
        &[
            "machine/doubt::a_wrong_secret_is_told_at_once_and_is_never_death",
            "machine/sessions::a_login_is_not_held_up_by_refreshes_that_failed",
        ],
    ),
    Row(
        "500, 502, 503, 504, 408, 499 or 303",
        "The server may have acted: in doubt. The redirect is not followed.",
        &["machine/answers::what_may_follow_a_rotation_leaves_a_doubt_and_the_old_token_goes_on"],
    ),
    Row(
        "503 with `Retry-After`",
        "In doubt. The replay waits as long as the server asked, in every process.",
        &["machine/answers::a_503_that_asks_to_wait_postpones_the_replay_also_for_other_processes"],
    ),
    Row(
        "429 and 425",
        "Nothing happened. The process slows down, and every process waits as long as the server asked. An older doubt \
        stays.",
        &[
            "machine/answers::what_no_server_says_after_a_rotation_leaves_no_doubt",
            "machine/trouble::a_server_that_asks_to_wait_is_obeyed_by_every_process_and_the_old_token_is_served",
            "machine/doubt::a_429_never_clears_an_older_doubt_and_leaves_no_doubt_of_its_own",
        ],
    ),
    Row(
        "A firewall answers 403 with HTML",
        "Nothing happened. A caller who finds the token expired brings a late attempt forward.",
        &[
            "machine/answers::what_no_server_says_after_a_rotation_leaves_no_doubt",
            "machine/trouble::a_caller_who_finds_the_token_expired_brings_a_late_attempt_forward",
        ],
    ),
    Row(
        "An error in a 200, or in an object inside `error`",
        "It means what it says.",
        &["machine/answers::every_spelling_of_a_dead_grant_is_its_end_and_the_pair_stays"],
    ),
    Row(
        "A 200 that holds no tokens: HTML of a captive portal, a compressed body, damaged JSON",
        "In doubt, never a death. The raw answer is kept.",
        &["machine/answers::what_may_follow_a_rotation_leaves_a_doubt_and_the_old_token_goes_on"],
    ),
    Row(
        "A pair in an odd answer: 201, wrong type or charset, byte order mark, damaged JSON, strange lifetimes, a member \
        twice, an unknown token type",
        "The pair is committed, and the oddity is told.",
        &["machine/answers::odd_answers_that_hold_a_pair_are_committed"],
    ),
    Row(
        "A lifetime of a second, or of ten years",
        "No chain of refreshes, and no overflow.",
        &[
            "machine/lifetimes::no_lifetime_makes_a_planned_refresh_come_within_a_minute_of_the_one_before",
            "machine/lifetimes::a_token_that_is_expired_when_it_arrives_is_given_to_those_who_waited_and_not_replaced_for_them",
            "machine/lifetimes::ten_years_are_as_good_as_an_hour",
        ],
    ),
    Row(
        "The answer has no refresh token, or the old one",
        "The old refresh token is kept, and the new access token is committed.",
        &["machine/strays::an_answer_that_repeats_the_old_refresh_token_is_a_rotation_like_any_other"],
    ),
    Row(
        "The access token is empty",
        "The refresh token is kept and sent next.",
        &["machine/answers::an_answer_with_an_empty_access_token_still_gives_its_refresh_token"],
    ),
    Row(
        "An answer comes when another pair is stored already",
        "It is kept beside the record. The pair whose access token alone is accepted wins, and strays are tried before \
        a grant is buried.",
        &[
            "machine/doubt::a_late_pair_is_parked_and_wins_if_its_access_token_alone_lives",
            "machine/doubt::before_a_grant_is_buried_its_strays_are_tried",
            "machine/strays::a_stray_that_comes_before_the_burial_is_tried_before_anybody_hears_of_a_death",
        ],
    ),
    Row(
        "The API refuses a token",
        "One refresh, unless a newer pair is stored. An API that refuses every token makes no loop: the pauses double, \
        for all processes together.",
        &[
            "machine/rotation::a_401_for_the_newest_token_makes_one_refresh",
            "machine/trouble::a_refusal_of_a_young_token_adopts_a_newer_pair_at_once",
            "machine/rotation::an_api_that_refuses_every_token_does_not_become_a_loop",
            "machine/trouble::pauses_after_refused_young_tokens_double_for_all_processes_together",
            "machine/trouble::an_api_that_refuses_every_token_at_ten_minutes_of_age_does_not_become_a_loop",
        ],
    ),
    Row(
        "The user logs out during a refresh",
        "The logout waits for the claim, revokes the newest pair, and forgets it. A pair that arrives later is revoked.",
        &[
            "machine/rotation::a_logout_revokes_the_newest_pair_and_leaves_a_tombstone",
            "machine/doubt::a_late_pair_that_meets_a_tombstone_is_revoked",
            "machine/strays::a_late_pair_that_meets_a_tombstone_while_it_is_parked_is_revoked",
        ],
    ),
    Row(
        "The answer to a revocation is lost",
        "The wish is on disk. It is finished later, by whichever process comes first.",
        &["machine/rotation::a_logout_whose_answer_is_lost_is_finished_later_also_by_another_process"],
    ),
    Row(
        "Somebody logs in during a refresh",
        "The login is stashed, waits for the claim, and replaces the refreshed pair.",
        &[
            "machine/rotation::a_login_takes_the_claim_like_every_other_writer",
            "machine/sessions::logins_that_a_broken_store_refuses_do_not_pile_up_in_memory_and_the_newest_is_stored_in_the_end",
            "machine/sessions::a_login_that_was_stored_by_another_process_and_replaced_does_not_come_back",
        ],
    ),
    Row(
        "The store holds the tokens of another client or server",
        "They are refused before anything is sent.",
        &["machine/rotation::the_token_of_another_client_is_refused_before_anything_is_sent"],
    ),
    Row(
        "A sealed document does not open: its key is missing, or it is damaged, changed or another grant's",
        "Three errors tell that apart. The document stays as it is, nothing is sent, and nobody is logged out.",
        &[
            "file_store/sealed/keys::a_document_whose_key_is_missing_fails_the_claim_and_stays_where_it_is",
            "file_store/sealed::a_sealed_file_that_is_damaged_anywhere_is_refused_and_left_as_it_is",
            "file_store/sealed::the_files_of_two_grants_cannot_be_swapped",
            "file_store/documents::a_sealed_document_in_a_plain_store_is_an_error_that_names_its_key",
        ],
    ),
    Row(
        "Somebody reads the disk or a backup",
        "A store with keys shows no token. An older file that is put back opens, as a restored backup does.",
        &[
            "file_store/sealed::no_file_shows_a_token_after_any_operation_in_any_spelling",
            "file_store/sealed::an_older_file_of_the_same_grant_that_is_put_back_is_read_like_a_restored_backup",
        ],
    ),
];

#[test]
fn the_table_of_failures_is_current_and_every_test_in_it_exists() {
    let tests = Tests::of_this_crate();
    let mut text = "# What can go wrong, and what the keeper does\n\n\
        What a keeper meets sooner or later. A test checks this table, so no test in it can disappear \
        unnoticed. Written by `UPDATE=1 cargo test -p restream-oauth-keeper --test failures`.\n\n\
        | failure | what the keeper does | tested by |\n|---|---|---|\n"
        .to_owned();
    let mut problems = Vec::new();
    for Row(failure, what, names) in ROWS {
        let links = names.iter().filter_map(|name| tests.link(name).map_err(|problem| problems.push(problem)).ok());
        let links: Vec<_> = links.collect();
        writeln!(text, "| {failure} | {what} | {} |", links.join(", ")).unwrap();
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("FAILURES.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    } else {
        let current = fs::read_to_string(&path).unwrap_or_default();
        assert!(current == text, "FAILURES.md is not current: run this test with UPDATE=1");
    }
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    let tests = Tests::of_this_crate();
    assert!(tests.link("machine/doubt::no_such_test").is_err());
    assert!(tests.link("machine/scenario::client").is_err(), "it is no test");
}

/// Every test in the folder `tests`, by `file::name`, and whether it is ignored.
struct Tests(BTreeMap<String, bool>);

impl Tests {
    fn of_this_crate() -> Self {
        let mut tests = Self(BTreeMap::new());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        tests.search(&folder, &folder);
        assert!(tests.0.len() > 100, "{} tests are not all", tests.0.len());
        tests
    }

    fn search(&mut self, folder: &Path, root: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.search(&path, root);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file: PathBuf = path.strip_prefix(root).unwrap().with_extension("");
                self.read(&path, file.to_str().unwrap());
            }
        }
    }

    fn read(&mut self, path: &Path, file: &str) {
        let source = fs::read_to_string(path).unwrap();
        let mut attributes = Vec::new();
        for line in source.lines().map(str::trim) {
            if line.starts_with("#[") {
                attributes.push(line);
            } else if let Some(head) = line.split_once("fn ").map(|(_, head)| head) {
                if attributes.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
                    let name = head.split('(').next().unwrap();
                    let ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
                    self.0.insert(format!("{file}::{name}"), ignored);
                }
                attributes.clear();
            }
        }
    }

    /// A link to the test, if it is there and runs.
    fn link(&self, test: &str) -> Result<String, String> {
        match self.0.get(test) {
            None => Err(format!("{test}: there is no such test")),
            Some(true) => Err(format!("{test}: it is ignored")),
            Some(false) => {
                let (file, name) = test.split_once("::").unwrap();
                Ok(format!("[{name}](tests/{file}.rs)"))
            }
        }
    }
}
