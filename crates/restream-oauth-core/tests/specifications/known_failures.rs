//! Failures of this kind of software that became public, each with the test that would catch it here.

use crate::Proof::{NotYet, Tests};
use crate::Row;

const NO_STORE: &str = "no store yet: the library keeps no tokens";
const NO_BROKER: &str = "no broker yet: nothing here holds a secret for others";
const NO_DISCOVERY: &str = "no discovery yet: nothing names another server";

/// Where it was seen, what went wrong, and what catches it.
pub(crate) const ROWS: &[Row] = &[
    Row(
        "CVE-2026-54605",
        "",
        "redirects",
        "A redirect of the token request is followed, with the credentials.",
        Tests(&[
            "core::rfc_9700_4_12_no_redirect_is_ever_followed",
            "hyper::a_redirect_is_reported_and_never_followed",
            "ureq::no_redirect_is_followed",
            "wasm::a_redirected_refresh_ends_there_and_its_target_sees_nothing",
            "conformance::every_stack_comes_to_the_documented_outcome_in_every_scenario",
        ]),
    ),
    Row(
        "CVE-2024-45336",
        "",
        "redirects",
        "Sensitive headers come back on the second hop of a redirect. No second request is ever sent.",
        Tests(&["conformance::every_stack_comes_to_the_documented_outcome_in_every_scenario"]),
    ),
    Row(
        "ureq's default",
        "",
        "transport",
        "The HTTP client turns a 400 into an error of its own, and drops the body that says why.",
        Tests(&["ureq::a_refusal_is_read_from_its_body", "ureq::any_status_is_an_answer_and_none_is_retried"]),
    ),
    Row(
        "RUSTSEC-2023-0125",
        "",
        "logs",
        "A derived Debug prints secrets at TRACE.",
        Tests(&[
            "core::what_holds_a_secret_prints_none",
            "conformance::every_stack_comes_to_the_documented_outcome_in_every_scenario",
        ]),
    ),
    Row(
        "the oauth2 crate's parse error",
        "",
        "errors",
        "An error carries the raw body, printed as decimal bytes.",
        Tests(&[
            "core::an_answer_that_breaks_within_its_tokens_prints_none_of_them",
            "conformance::every_stack_comes_to_the_documented_outcome_in_every_scenario",
        ]),
    ),
    Row(
        "CVE-2017-1000069",
        "",
        "state",
        "`state` is made, and never checked.",
        Tests(&[
            "core::rfc_6749_10_12_a_state_that_is_not_byte_equal_is_refused",
            "core::a_callback_is_accepted_iff_its_state_is_byte_equal_and_it_is_the_first",
            "cli::a_callback_of_another_login_is_refused_before_anything_is_sent",
        ]),
    ),
    Row(
        "CVE-2023-27490",
        "",
        "state",
        "The checks of a login are not bound to it, and can be swapped.",
        Tests(&[
            "core::a_callback_of_one_login_is_refused_by_another",
            "core::rfc_9700_4_4_a_login_is_restored_by_its_own_client_only",
            "core::a_saved_login_sends_nobody_elsewhere",
        ]),
    ),
    Row(
        "CVE-2020-7692",
        "",
        "PKCE",
        "A native client without PKCE.",
        Tests(&[
            "core::rfc_7636_4_2_the_challenge_is_that_of_the_verifier_of_the_exchange",
            "cli::a_login_prints_its_tokens_when_the_browser_comes_back",
        ]),
    ),
    Row(
        "CVE-2025-6514",
        "",
        "browser",
        "A URL that an attacker wrote is handed to a shell, or to an opener that runs programs.",
        Tests(&[
            "cli::only_plain_urls_are_handed_over",
            "cli::the_browser_is_started_with_the_url_as_one_argument_and_without_the_secret",
        ]),
    ),
    Row(
        "RUSTSEC-2026-0257",
        "",
        "browser",
        "A template in BROWSER is filled in before it is split into words.",
        Tests(&["cli::a_browser_variable_that_is_a_template_or_a_list_is_not_used"]),
    ),
    Row("CVE-2026-104850", "", "mix-up", "Credentials go to a server that the resource names.", NotYet(NO_DISCOVERY)),
    Row(
        "RUSTSEC-2026-0189",
        "",
        "loopback",
        "A web page reaches the listener under another name (DNS rebinding), or by a request without CORS.",
        Tests(&[
            "cli::strays_forgeries_and_idle_connections_do_not_disturb",
            "sandbox::a_name_that_was_made_to_point_here_does_not_reach_it",
        ]),
    ),
    Row(
        "toolhive #6238",
        "",
        "loopback",
        "Anyone ends the login by an error without `state`.",
        Tests(&["cli::a_refusal_with_the_right_state_ends_the_login_and_one_without_does_not"]),
    ),
    Row(
        "openpubkey #375",
        "",
        "loopback",
        "A host that only begins like loopback counts as loopback.",
        Tests(&[
            "core::plain_http_is_accepted_on_loopback_addresses_only",
            "core::a_redirect_uri_is_the_same_in_both_steps_and_what_is_no_such_uri_is_refused",
        ]),
    ),
    Row(
        "cleared-cli 0.2.1",
        "",
        "loopback",
        "A port that is taken, or a connection that says nothing, breaks the login.",
        Tests(&[
            "cli::a_port_in_use_is_found_out_before_the_browser_leaves",
            "cli::strays_forgeries_and_idle_connections_do_not_disturb",
        ]),
    ),
    Row(
        "CVE-2025-62800",
        "",
        "page",
        "The callback's page shows what the request said.",
        Tests(&[
            "cli::the_pages_are_constants_without_scripts_or_anything_from_elsewhere",
            "sandbox::nothing_of_a_request_becomes_markup",
        ]),
    ),
    Row(
        "terminal escapes",
        "",
        "terminal",
        "An error description moves the cursor, or rings, or links.",
        Tests(&[
            "core::rfc_6749_5_2_what_the_server_says_is_escaped_and_cut",
            "cli::what_the_server_writes_reaches_the_terminal_escaped",
        ]),
    ),
    Row(
        "CVE-2026-48790",
        "",
        "files",
        "A token file that others can read, if only for a moment.",
        Tests(&[
            "cli::every_file_is_private_whatever_the_umask",
            "cli::a_file_that_others_can_read_is_warned_about_and_repaired",
        ]),
    ),
    Row(
        "RUSTSEC-2023-0018",
        "",
        "files",
        "A symbolic link in the place of a file leads elsewhere.",
        Tests(&[
            "cli::a_folder_that_cannot_be_written_spends_no_token",
            "cli::a_folder_behind_another_users_link_spends_no_token",
            "cli::what_an_interrupted_run_left_is_trusted_only_if_it_is_private",
        ]),
    ),
    Row(
        "claude-code #76561",
        "",
        "files",
        "A link that the user made on purpose is replaced by a file.",
        NotYet("a token file that is a link is refused, and the file that it leads to can be named"),
    ),
    Row(
        "gemini-cli #29054",
        "",
        "files",
        "A crash leaves half a token file.",
        Tests(&["cli::a_refresh_killed_anywhere_leaves_a_whole_pair_and_a_free_lock"]),
    ),
    Row(
        "gitmoot #1856",
        "",
        "files",
        "A refresh that failed blanks a good file.",
        Tests(&["cli::a_failed_refresh_leaves_the_file_as_it_was_and_keeps_the_answer"]),
    ),
    Row(
        "deepchat #2304",
        "",
        "files",
        "Missing, damaged and unreadable are told as one.",
        Tests(&["cli::missing_and_damaged_files_are_told_apart", "core::a_missing_or_damaged_member_is_named"]),
    ),
    Row(
        "gemini-cli #21691",
        "",
        "rotation",
        "An answer without a refresh token erases the one that was there.",
        Tests(&["core::a_refresh_that_gives_no_refresh_token_keeps_the_one_that_was_sent"]),
    ),
    Row(
        "opencode #49439",
        "",
        "rotation",
        "Two processes refresh at once, and the grant dies.",
        Tests(&["cli::eight_processes_refresh_one_file_in_turn_and_nobody_uses_a_dead_token"]),
    ),
    Row(
        "a lock that is removed",
        "",
        "locks",
        "The lock is the data file, or is removed while others wait: two hold it.",
        Tests(&[
            "cli::eight_processes_refresh_one_file_in_turn_and_nobody_uses_a_dead_token",
            "cli::a_refresh_killed_anywhere_leaves_a_whole_pair_and_a_free_lock",
        ]),
    ),
    Row(
        "x/oauth2's probing",
        "",
        "rotation",
        "The way of client authentication is found by sending a one-time credential twice.",
        Tests(&["conformance::every_stack_comes_to_the_documented_outcome_in_every_scenario"]),
    ),
    Row(
        "the oauth2 crate's adapters",
        "",
        "memory",
        "A body is read to its end, however long.",
        Tests(&[
            "core::an_endless_answer_stops_at_the_limit_whatever_its_chunks",
            "hyper::an_endless_body_ends_at_the_limit",
            "ureq::memory_is_bounded_whatever_comes",
            "wasm::an_endless_answer_is_cut_at_the_limit_of_its_length",
        ]),
    ),
    Row(
        "CVE-2025-66418",
        "",
        "memory",
        "A compressed answer grows without bound. None is asked for, and the limit counts what comes out.",
        Tests(&[
            "conformance::every_stack_comes_to_the_documented_outcome_in_every_scenario",
            "conformance::what_unpacks_without_end_ends_at_the_limit_and_is_never_held_whole",
            "hyper::a_request_gains_only_what_http_needs_and_a_user_agent",
        ]),
    ),
    Row(
        "RUSTSEC-2024-0012",
        "",
        "JSON",
        "Deep nesting ends the process, or the reading.",
        Tests(&[
            "core::deep_nesting_and_lone_surrogates_cost_nothing",
            "core::deep_nesting_in_a_member_that_is_read_costs_only_that_member",
        ]),
    ),
    Row(
        "RUSTSEC-2017-0005",
        "",
        "time",
        "A lifetime overflows the arithmetic of time.",
        Tests(&[
            "core::lifetimes_are_total",
            "core::a_time_of_sending_at_the_edge_of_the_clock_is_expired_and_no_panic",
        ]),
    ),
    Row(
        "RUSTSEC-2024-0008",
        "",
        "headers",
        "Line breaks in a credential become headers, or a panic.",
        Tests(&[
            "core::rfc_6750_2_1_a_token_that_cannot_stand_in_a_header_is_an_error_and_no_panic",
            "core::wrong_identifiers_and_secrets_are_refused_with_the_reason",
        ]),
    ),
    Row(
        "CVE-2021-21240",
        "",
        "headers",
        "A challenge header is read in quadratic time.",
        Tests(&["core::a_hostile_challenge_takes_linear_time"]),
    ),
    Row(
        "CVE-2025-22868",
        "",
        "memory",
        "Splitting a token allocates many times its size.",
        Tests(&["core::memory_is_bounded_and_allocations_are_few"]),
    ),
    Row(
        "RUSTSEC-2024-0343",
        "",
        "randomness",
        "Only a part of the alphabet is ever drawn.",
        Tests(&[
            "core::rfc_6749_10_10_state_and_verifier_are_256_bits_of_the_given_entropy",
            "core::entropy_is_used_whole",
            "wasm::each_login_has_entropy_of_its_own",
        ]),
    ),
    Row(
        "RUSTSEC-2022-0018",
        "",
        "timing",
        "Secrets are compared in a time that tells how much is right.",
        Tests(&["core::state_is_compared_in_constant_time"]),
    ),
    Row("pup #352", "", "keyring", "A keyring that forgets, or takes half.", NotYet(NO_STORE)),
    Row("CVE-2026-40575", "", "proxy", "A spoofed header is trusted.", NotYet(NO_BROKER)),
    Row(
        "xagent #1988",
        "",
        "classification",
        "A failure that passes is taken for a dead grant, or a dead grant for one that passes.",
        Tests(&[
            "core::a_gateway_that_borrows_an_error_code_kills_no_grant",
            "core::the_two_answers_that_were_seen_from_the_token_endpoint_are_a_dead_grant",
            "core::a_gateway_error_leaves_everything_in_doubt",
        ]),
    ),
    Row(
        "Varnish 7.1",
        "",
        "classification",
        "A 503 with `Retry-After` counts as proof that nothing happened. It was sent after the backend had the request.",
        Tests(&["core::rfc_9110_10_2_3_a_503_that_names_a_time_may_have_acted_all_the_same"]),
    ),
    Row(
        "tower-http",
        "",
        "classification",
        "A 408 counts as proof that nothing happened. Its timeout layer sends it when a handler was slow.",
        Tests(&["core::a_handler_that_was_slow_or_was_cancelled_may_have_acted"]),
    ),
    Row(
        "toolhive #6559",
        "",
        "rotation",
        "Something that fails after the answer throws the new pair away.",
        Tests(&[
            "core::a_stack_that_fails_after_the_whole_answer_does_not_lose_it",
            "cli::tokens_that_standard_output_does_not_take_are_saved_elsewhere",
        ]),
    ),
    Row(
        "TLS 1.3 early data",
        "",
        "transport",
        "A request that is sent as early data can be replayed. ureq never asks for it; the adapter for hyper sets up TLS itself.",
        Tests(&["hyper::no_early_data_is_sent"]),
    ),
    Row(
        "Chromium's ShouldResendRequest",
        "",
        "transport",
        "A browser sends a request again on a connection that it reused. No page can forbid it: the adapter's page says so.",
        NotYet("only a broker that answers the same twice can help"),
    ),
    Row(
        "crates of 2025 and 2026 that stole keys",
        "",
        "supply chain",
        "A dependency is malicious. Licences, sources and advisories are checked, and the tree is small.",
        Tests(&["core::the_tree_of_dependencies_is_small_and_runs_no_code_of_others_at_compile_time"]),
    ),
];
