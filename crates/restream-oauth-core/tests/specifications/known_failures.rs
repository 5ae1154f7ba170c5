//! Public failures of similar software, each with the tests that would catch it here.

use crate::Proof::{NotYet, Tests};
use crate::Row;

const NO_KEYRING: &str = "no keyring: the stores are files and memory";
const NO_DISCOVERY: &str = "no discovery yet: nothing names another server";

/// Where the failure was seen, what went wrong, and which tests would catch it here.
pub(crate) const ROWS: &[Row] = &[
    Row(
        "CVE-2026-54605",
        "",
        "redirects",
        "The client follows a redirect of the token request, and sends the credentials along.",
        Tests(&[
            "core::rfc_9700_4_12_no_redirect_is_ever_followed",
            "hyper::a_redirect_is_reported_and_never_followed",
            "ureq::no_redirect_is_followed",
            "wasm::a_redirected_refresh_is_not_followed",
            "conformance::every_stack_has_the_documented_outcome_in_every_scenario",
        ]),
    ),
    Row(
        "CVE-2024-45336",
        "",
        "redirects",
        "The client sends sensitive headers again on the second hop of a redirect. Here no second request is sent.",
        Tests(&["conformance::every_stack_has_the_documented_outcome_in_every_scenario"]),
    ),
    Row(
        "ureq's default",
        "",
        "transport",
        "The HTTP client turns a 400 into its own error, and drops the body with the reason.",
        Tests(&[
            "ureq::an_error_response_is_read_from_its_body",
            "ureq::no_status_is_an_error_of_ureqs_own_and_none_is_retried",
        ]),
    ),
    Row(
        "RUSTSEC-2023-0125",
        "",
        "logs",
        "A derived `Debug` prints secrets at log level TRACE.",
        Tests(&[
            "core::values_that_hold_a_secret_do_not_print_it",
            "conformance::every_stack_has_the_documented_outcome_in_every_scenario",
        ]),
    ),
    Row(
        "ureq-proto 0.7",
        "",
        "logs",
        "At TRACE, it prints the bytes of requests and answers. The adapter's page names the filter that keeps them out.",
        Tests(&["conformance::every_stack_has_the_documented_outcome_in_every_scenario"]),
    ),
    Row(
        "the oauth2 crate's parse error",
        "",
        "errors",
        "An error contains the raw body, and prints it as decimal bytes.",
        Tests(&[
            "core::a_response_truncated_within_its_tokens_prints_none_of_them",
            "conformance::every_stack_has_the_documented_outcome_in_every_scenario",
        ]),
    ),
    Row(
        "CVE-2017-1000069",
        "",
        "state",
        "The client makes a `state`, but never checks it.",
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
        "The checks of a login are not bound to that login, so an attacker can swap them.",
        Tests(&[
            "core::a_callback_of_one_login_is_refused_by_another",
            "core::rfc_9700_4_4_only_its_own_client_restores_a_login",
            "core::a_saved_login_with_another_url_is_refused",
        ]),
    ),
    Row(
        "CVE-2020-7692",
        "",
        "PKCE",
        "A native client does not use PKCE.",
        Tests(&[
            "core::rfc_7636_4_2_the_challenge_belongs_to_the_verifier_of_the_exchange",
            "cli::a_login_prints_its_tokens_when_the_browser_comes_back",
        ]),
    ),
    Row(
        "CVE-2025-6514",
        "",
        "browser",
        "The client passes an attacker's URL to a shell, or to an opener that runs programs.",
        Tests(&[
            "cli::only_plain_urls_are_opened",
            "cli::the_browser_is_started_with_the_url_as_one_argument_and_without_the_secret",
        ]),
    ),
    Row(
        "RUSTSEC-2026-0257",
        "",
        "browser",
        "The client fills in the template in `BROWSER` before it splits the template into words.",
        Tests(&["cli::a_browser_variable_with_a_template_or_a_list_is_ignored"]),
    ),
    Row(
        "CVE-2026-104850",
        "",
        "mix-up",
        "The client sends credentials to a server that the resource names.",
        NotYet(NO_DISCOVERY),
    ),
    Row(
        "RUSTSEC-2026-0189",
        "",
        "loopback",
        "A web page reaches the listener through another name (DNS rebinding), or with a request that needs no CORS \
        check.",
        Tests(&[
            "cli::stray_and_forged_requests_and_idle_connections_do_not_disturb_a_login",
            "sandbox::a_name_that_was_made_to_point_here_does_not_reach_it",
        ]),
    ),
    Row(
        "toolhive #6238",
        "",
        "loopback",
        "An error without `state`, which anyone can send, ends the login.",
        Tests(&["cli::an_oauth_error_ends_the_login_only_with_the_right_state"]),
    ),
    Row(
        "openpubkey #375",
        "",
        "loopback",
        "A host whose name only begins like a loopback address counts as loopback.",
        Tests(&[
            "core::plain_http_is_accepted_only_on_loopback_addresses",
            "core::a_redirect_uri_is_the_same_in_both_steps_and_an_invalid_one_is_refused",
        ]),
    ),
    Row(
        "cleared-cli 0.2.1",
        "",
        "loopback",
        "A port in use, or a connection that sends nothing, makes the login fail.",
        Tests(&[
            "cli::a_port_in_use_is_found_before_the_browser_opens",
            "cli::stray_and_forged_requests_and_idle_connections_do_not_disturb_a_login",
        ]),
    ),
    Row(
        "CVE-2025-62800",
        "",
        "page",
        "The page of the callback shows text from the request.",
        Tests(&[
            "cli::the_pages_are_constants_without_scripts_or_external_resources",
            "sandbox::nothing_of_a_request_becomes_markup",
        ]),
    ),
    Row(
        "terminal escapes",
        "",
        "terminal",
        "An error description moves the cursor, rings the bell, or shows a link.",
        Tests(&[
            "core::rfc_6749_5_2_the_message_of_the_server_is_escaped_and_truncated",
            "cli::text_of_the_server_reaches_the_terminal_escaped",
        ]),
    ),
    Row(
        "CVE-2026-48790",
        "",
        "files",
        "Other users can read the token file, if only for a moment.",
        Tests(&[
            "cli::every_file_is_private_under_any_umask",
            "cli::a_file_that_others_can_read_is_warned_about_and_repaired",
        ]),
    ),
    Row(
        "RUSTSEC-2023-0018",
        "",
        "files",
        "A symbolic link in place of a file leads to another file.",
        Tests(&[
            "cli::a_folder_that_cannot_be_written_spends_no_token",
            "cli::a_folder_behind_another_users_link_spends_no_token",
            "cli::a_leftover_is_trusted_only_if_it_is_private",
        ]),
    ),
    Row(
        "claude-code #76561",
        "",
        "files",
        "The client replaces a link that the user made on purpose by a file.",
        NotYet("a token file that is a link is refused, and the user can name the target of the link"),
    ),
    Row(
        "gemini-cli #29054",
        "",
        "files",
        "A crash leaves a half-written token file.",
        Tests(&["cli::a_refresh_killed_anywhere_leaves_a_whole_pair_and_a_free_lock"]),
    ),
    Row(
        "gitmoot #1856",
        "",
        "files",
        "A failed refresh empties a good token file.",
        Tests(&["cli::a_failed_refresh_leaves_the_pair_as_it_was_and_keeps_the_answer"]),
    ),
    Row(
        "deepchat #2304",
        "",
        "files",
        "The client reports a missing, a damaged and an unreadable file in the same way.",
        Tests(&["cli::missing_and_damaged_files_are_distinguished", "core::a_missing_or_damaged_member_is_named"]),
    ),
    Row(
        "gemini-cli #21691",
        "",
        "rotation",
        "A response without a refresh token erases the stored one.",
        Tests(&["core::a_refresh_response_without_a_refresh_token_keeps_the_one_that_was_sent"]),
    ),
    Row(
        "opencode #49439",
        "",
        "rotation",
        "Two processes refresh at the same time, and the grant is lost.",
        Tests(&["cli::eight_processes_refresh_one_file_in_turn_without_a_dead_token"]),
    ),
    Row(
        "a lock that is removed",
        "",
        "locks",
        "The lock is the data file, or is removed while others wait. Then two processes hold the lock.",
        Tests(&[
            "cli::eight_processes_refresh_one_file_in_turn_without_a_dead_token",
            "cli::a_refresh_killed_anywhere_leaves_a_whole_pair_and_a_free_lock",
        ]),
    ),
    Row(
        "x/oauth2's probing",
        "",
        "rotation",
        "The client finds the accepted client authentication by sending a one-time credential twice.",
        Tests(&["conformance::every_stack_has_the_documented_outcome_in_every_scenario"]),
    ),
    Row(
        "the oauth2 crate's adapters",
        "",
        "memory",
        "The client reads a body of any length to its end.",
        Tests(&[
            "core::an_endless_response_stops_at_the_limit_for_every_chunk_size",
            "hyper::an_endless_body_ends_at_the_body_limit",
            "ureq::an_answer_of_any_size_takes_bounded_memory",
            "wasm::an_endless_answer_ends_at_the_body_limit",
        ]),
    ),
    Row(
        "CVE-2025-66418",
        "",
        "memory",
        "A compressed response grows without bound. Here no request asks for compression, and the limit counts \
        decompressed bytes.",
        Tests(&[
            "conformance::every_stack_has_the_documented_outcome_in_every_scenario",
            "conformance::decompression_stops_at_the_body_limit_and_holds_little_memory",
            "hyper::a_request_has_only_the_headers_that_http_needs_and_a_user_agent",
        ]),
    ),
    Row(
        "RUSTSEC-2024-0012",
        "",
        "JSON",
        "Deep nesting crashes the process, or ends the reading.",
        Tests(&[
            "core::deep_nesting_and_lone_surrogates_do_not_affect_other_members",
            "core::deep_nesting_in_a_known_member_affects_only_that_member",
        ]),
    ),
    Row(
        "RUSTSEC-2017-0005",
        "",
        "time",
        "A lifetime overflows the time arithmetic.",
        Tests(&[
            "core::lifetimes_have_a_result_for_every_input",
            "core::a_time_of_sending_at_the_edge_of_the_clock_counts_as_expired_and_does_not_panic",
        ]),
    ),
    Row(
        "RUSTSEC-2024-0008",
        "",
        "headers",
        "Line breaks in a credential inject headers, or cause a panic.",
        Tests(&[
            "core::rfc_6750_2_1_an_invalid_bearer_token_is_an_error_and_not_a_panic",
            "core::invalid_identifiers_and_secrets_are_refused_with_the_reason",
        ]),
    ),
    Row(
        "CVE-2021-21240",
        "",
        "headers",
        "Reading a challenge header takes quadratic time.",
        Tests(&["core::a_hostile_challenge_takes_linear_time"]),
    ),
    Row(
        "CVE-2025-22868",
        "",
        "memory",
        "Splitting a token allocates many times the size of the token.",
        Tests(&["core::memory_is_bounded_and_allocations_are_few"]),
    ),
    Row(
        "RUSTSEC-2024-0343",
        "",
        "randomness",
        "The random text uses only a part of its alphabet.",
        Tests(&[
            "core::rfc_6749_10_10_state_and_verifier_are_256_bits_of_the_given_entropy",
            "core::every_byte_of_the_entropy_is_used",
            "wasm::each_login_has_entropy_of_its_own",
        ]),
    ),
    Row(
        "RUSTSEC-2022-0018",
        "",
        "timing",
        "The time of a comparison reveals how much of a guessed secret is right.",
        Tests(&["core::state_is_compared_in_constant_time"]),
    ),
    Row("pup #352", "", "keyring", "The keyring loses tokens, or stores only a part of them.", NotYet(NO_KEYRING)),
    Row(
        "CVE-2026-40575",
        "",
        "proxy",
        "The proxy trusts a spoofed header.",
        Tests(&[
            "broker::only_named_proxies_are_believed",
            "broker::a_flood_from_one_address_is_turned_away_whatever_it_says_of_itself",
        ]),
    ),
    Row(
        "xagent #1988",
        "",
        "classification",
        "The client takes a temporary failure for a dead grant, or a dead grant for a temporary failure.",
        Tests(&[
            "core::a_5xx_status_with_an_error_code_does_not_mean_a_dead_grant",
            "core::the_two_error_responses_seen_from_the_token_endpoint_mean_a_dead_grant",
            "core::a_gateway_error_leaves_everything_in_doubt",
        ]),
    ),
    Row(
        "Varnish 7.1",
        "",
        "classification",
        "The client takes a 503 with `Retry-After` as proof that nothing happened. Varnish sends it after the backend \
        has received the request.",
        Tests(&["core::rfc_9110_10_2_3_a_503_with_retry_after_may_still_have_acted"]),
    ),
    Row(
        "tower-http",
        "",
        "classification",
        "The client takes a 408 as proof that nothing happened. The timeout layer of tower-http sends it if a handler \
        is too slow.",
        Tests(&["core::a_slow_or_cancelled_handler_may_have_acted"]),
    ),
    Row(
        "twitchdev/issues #1042",
        "",
        "classification",
        "The client retries without end, because an error response describes the dead grant only in a text.",
        Tests(&["core::a_dead_grant_is_recognised_in_the_servers_own_words"]),
    ),
    Row(
        "rclone #6656",
        "",
        "files",
        "The token file is itself a mount point, as in a container, so the client cannot rename the new pair over it.",
        Tests(&[
            "cli::a_token_file_that_is_a_mount_point_of_its_own_spends_no_token",
            "cli::no_person_is_asked_to_log_in_for_a_file_that_is_a_mount_point_of_its_own",
        ]),
    ),
    Row(
        "spec-kitty #4755",
        "",
        "mix-up",
        "The client sends the tokens of one server to another server, to refresh or to revoke them.",
        Tests(&[
            "core::only_their_own_client_restores_tokens_at_their_own_server",
            "cli::tokens_of_one_server_are_not_sent_to_another",
            "cli::tokens_of_one_client_are_not_refreshed_by_another",
        ]),
    ),
    Row(
        "pi #7499",
        "",
        "files",
        "A byte order mark before the saved credentials makes the client ignore all of them without a word, and it saves \
        no new ones.",
        Tests(&[
            "core::a_byte_order_mark_before_a_saved_document_is_skipped",
            "keeper::documents_of_a_program_without_a_keeper_are_generation_0",
            "cli::a_byte_order_mark_is_skipped",
        ]),
    ),
    Row(
        "openpilot #36485",
        "",
        "time",
        "A device starts with a wrong clock, sets it, and goes on with the token that it got before, until the API refuses \
        it.",
        Tests(&["core::a_clock_that_jumps_gives_a_result_and_no_panic"]),
    ),
    Row(
        "workers-sdk #3867",
        "",
        "terminal",
        "A command that asks who is logged in reports an expired session as an error of its own, to be filed as a bug.",
        Tests(&["cli::profile_distinguishes_expired_missing_and_damaged_tokens"]),
    ),
    Row(
        "streamlit #15568",
        "",
        "browser",
        "A browser prefetches the callback, which uses up the code.",
        Tests(&["cli::a_callback_that_a_browser_prefetches_does_not_use_up_the_code"]),
    ),
    Row(
        "openclaw #127268",
        "",
        "browser",
        "The page in the browser says that the login worked before the code is exchanged, which may fail.",
        Tests(&[
            "cli::the_page_says_that_the_login_worked_only_when_the_tokens_are_stored",
            "cli::the_page_says_that_the_login_failed_but_not_why",
        ]),
    ),
    Row(
        "openclaw #42176",
        "",
        "transport",
        "The client ignores the proxy of the environment on a network without another way out.",
        Tests(&[
            "cli::another_machine_is_reached_through_the_proxy_of_the_environment",
            "cli::this_machine_and_the_servers_in_no_proxy_are_reached_without_the_proxy",
        ]),
    ),
    Row(
        "mcp-remote #351",
        "",
        "rotation",
        "Several processes that start with the same expired token all send the same refresh token, and those that are \
        refused go on with the token that is spent.",
        Tests(&[
            "keeper::two_hundred_tasks_in_eight_processes_make_one_refresh_at_expiry",
            "keeper::eight_processes_that_each_refresh_two_hundred_times_use_no_dead_token",
        ]),
    ),
    Row(
        "codex #41133",
        "",
        "rotation",
        "The program ends while its refresh is under way, and loses the new refresh token in the cleanup.",
        Tests(&[
            "cli::one_signal_during_a_refresh_does_not_lose_the_grant",
            "cli::one_signal_during_the_exchange_of_a_login_does_not_lose_the_tokens",
        ]),
    ),
    Row(
        "ureq #1083, #1150",
        "",
        "transport",
        "IPv6 is announced and leads nowhere. The client tries it first, and uses up the time before it reaches IPv4.",
        Tests(&["ureq::an_ipv6_address_that_does_not_work_is_not_tried_before_ipv4"]),
    ),
    Row(
        "clap #6421",
        "",
        "terminal",
        "Bash completion offers nothing after a subcommand, because the name of the program has a hyphen.",
        Tests(&["cli::bash_completes_before_and_after_a_subcommand"]),
    ),
    Row(
        "toolhive #6559",
        "",
        "rotation",
        "A failure after the response loses the new pair.",
        Tests(&[
            "core::a_failure_after_the_whole_response_does_not_lose_it",
            "cli::tokens_that_cannot_be_printed_are_saved_elsewhere",
        ]),
    ),
    Row(
        "TLS 1.3 early data",
        "",
        "transport",
        "An attacker can replay a request that is sent as early data. ureq never sends early data; the adapter for \
        hyper configures TLS itself.",
        Tests(&["hyper::no_early_data_is_sent"]),
    ),
    Row(
        "undici's fetch",
        "",
        "transport",
        "undici 6.24 and 7.x send a POST a second time when the answer is 421, unless its body is a stream.",
        Tests(&[
            "wasm::the_body_is_a_stream_only_if_fetch_is_undicis",
            "conformance::fetch_has_the_documented_outcome_in_every_scenario",
        ]),
    ),
    Row(
        "Chromium's ShouldResendRequest",
        "",
        "transport",
        "A browser resends a request if a reused connection fails. No page can prevent that, and the adapter's \
        documentation says so. A broker gives the same response twice.",
        Tests(&[
            "broker::a_device_that_asks_five_times_at_once_gets_one_token_by_one_refresh",
            "broker::the_same_refresh_token_again_gives_the_same_bytes_for_two_minutes_and_nothing_goes_upstream",
        ]),
    ),
    Row(
        "crates of 2025 and 2026 that stole keys",
        "",
        "supply chain",
        "A dependency is malicious. Here licences, sources and advisories are checked, and the dependency tree is \
        small.",
        Tests(&["core::the_dependency_tree_is_small_and_runs_no_foreign_code_at_compile_time"]),
    ),
];
