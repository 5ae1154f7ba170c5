//! `login`: the browser comes back to the port, and so do strays and forgers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use restream_oauth_core::Tokens;
use restream_oauth_sandbox::{Endpoint, Fault, Point, What};

use crate::support::{Outcome, RunningLogin, Setup, come_back, get, mode, raw};

/// CVE-2020-7692, RFC 8252 §6.
#[test]
fn a_login_prints_its_tokens_when_the_browser_comes_back() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &["--scope", "chat.read", "--param", "prompt=consent"]);
    assert!(login.url.contains("&scope=chat.read&prompt=consent"), "{}", login.url);
    assert!(login.url.contains("&code_challenge_method=S256"), "{}", login.url);
    let page = come_back(&setup.sandbox.approve(&login.url).unwrap());
    assert!(page.starts_with("HTTP/1.1 303"), "{page}");
    let outcome = login.finish().expect(0);
    let tokens = Tokens::from_saved(&outcome.stdout).unwrap();
    assert!(tokens.refresh_token().is_some());
    assert_eq!(setup.sandbox.ledger().exchanges, 1);
}

#[test]
fn a_login_with_a_file_prints_its_status_and_the_file_is_private() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let status = login.finish().json();
    assert_eq!((&status["file"], &status["account"]), (&"tokens.json".into(), &serde_json::Value::Null));
    assert_eq!(mode(&setup.folder.0.join("tokens.json")), 0o600);
    setup.run(&["profile", "--tokens", "tokens.json"]).expect(0);
}

#[test]
fn scopes_with_spaces_between_them_are_several_scopes() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &["--scope", "chat.read  stream.read", "--scope", "profile.read"]);
    assert!(login.url.contains("&scope=chat.read%20stream.read%20profile.read"), "{}", login.url);
    login.interrupt();
    for wrong in ["", " ", "chat.read,\"x\"", "a\tb"] {
        setup.run(&["login", "--no-browser", "--redirect-uri", &setup.redirect_uri, "--scope", wrong]).expect(2);
    }
}

/// Requests the last page, as a browser that follows the redirect does. The response comes when the login has ended.
fn last_page(setup: &Setup) -> std::thread::JoinHandle<String> {
    let address = setup.address;
    std::thread::spawn(move || get(address, "/restream-oauth/done", ""))
}

/// openclaw #127268.
#[test]
fn the_page_says_that_the_login_worked_only_when_the_tokens_are_stored() {
    let setup = Setup::new();
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(600))).on(Endpoint::Token));
    let login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
    let early = get(setup.address, "/restream-oauth/done", "");
    assert!(early.starts_with("HTTP/1.1 404"), "nobody has logged in yet: {early}");
    let redirect = come_back(&setup.sandbox.approve(&login.url).unwrap());
    assert!(!redirect.contains("Logged in"), "{redirect}");
    let begun = Instant::now();
    let page = last_page(&setup).join().unwrap();
    assert!(begun.elapsed() > Duration::from_millis(400), "the page waits for the exchange");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<h1>Logged in</h1>"), "{page}");
    assert!(setup.folder.0.join("tokens.json").exists());
    login.finish().expect(0);
}

/// openclaw #127268.
#[test]
fn the_page_says_that_the_login_failed_but_not_why() {
    for refused in [true, false] {
        let setup = Setup::new();
        if !refused {
            setup.sandbox.inject(Fault::new(What::html(500)).on(Endpoint::Token));
        }
        let secret: &Path = if refused { "wrong" } else { setup.sandbox.client_secret().unwrap() }.as_ref();
        let login = RunningLogin::start_with(&setup, &[], &[("RESTREAM_CLIENT_SECRET", secret)]);
        come_back(&setup.sandbox.approve(&login.url).unwrap());
        let page = last_page(&setup).join().unwrap();
        assert!(page.contains("<h1>Not logged in</h1>"), "{page}");
        assert!(!page.contains("Logged in") && !page.contains("invalid_client"), "{page}");
        login.finish().expect(if refused { 2 } else { 3 });
    }
    // The login has not worked either if the tokens cannot be stored.
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
    std::fs::create_dir(setup.folder.0.join("tokens.json")).unwrap();
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    assert!(last_page(&setup).join().unwrap().contains("<h1>Not logged in</h1>"));
    login.finish().expect(1);
}

#[test]
fn the_page_stops_waiting_for_a_slow_exchange() {
    let setup = Setup::new();
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(8))).on(Endpoint::Token));
    let login = RunningLogin::start(&setup, &[]);
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let begun = Instant::now();
    let page = last_page(&setup).join().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(page.contains("<h1>Not finished yet</h1>"), "{page}");
    login.finish().expect(0);
}

/// Sends a signal while the exchange of a login runs.
fn interrupt_the_exchange(setup: &Setup, child: u32, signal: &str) {
    let seen =
        setup.sandbox.wait_until(Duration::from_secs(10), |ledger| ledger.requests_to("/oauth/token").count() == 1);
    assert!(seen, "the exchange was not sent");
    assert!(Command::new("kill").args([signal, &child.to_string()]).status().unwrap().success());
}

fn slow() -> Setup {
    let setup = Setup::new();
    setup.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(600))).on(Endpoint::Token));
    setup
}

/// codex #41133.
#[test]
fn one_signal_during_the_exchange_of_a_login_does_not_lose_the_tokens() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let setup = slow();
        let login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
        come_back(&setup.sandbox.approve(&login.url).unwrap());
        interrupt_the_exchange(&setup, login.id(), signal);
        let outcome = login.finish().expect(0);
        assert!(outcome.stderr.contains("waiting for the answer"), "{signal}: {}", outcome.stderr);
        setup.run(&["profile", "--tokens", "tokens.json"]).expect(0);

        // The same for `exchange`, where another program received the redirect.
        let setup = slow();
        let redirect_uri = &setup.redirect_uri;
        let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", redirect_uri]).json();
        let callback = setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap();
        std::fs::write(setup.folder.0.join("callback"), callback).unwrap();
        let input = std::fs::File::open(setup.folder.0.join("callback")).unwrap();
        let exchange = ["exchange", "--login", "login.json"];
        let child = setup.command(&exchange).stdin(input).spawn().unwrap();
        interrupt_the_exchange(&setup, child.id(), signal);
        let tokens = Outcome::of(child.wait_with_output().unwrap()).expect(0).stdout;
        setup.run_with_input(&["profile"], &tokens).expect(0);
    }
}

#[test]
fn a_second_signal_during_the_exchange_of_a_login_gives_up() {
    let setup = Setup::new();
    setup.sandbox.inject(Fault::new(What::Hang(Point::BeforeHead)).on(Endpoint::Token));
    let mut login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    interrupt_the_exchange(&setup, login.id(), "-TERM");
    login.wait_for_words("interrupt again");
    std::thread::sleep(Duration::from_millis(300));
    interrupt_the_exchange(&setup, login.id(), "-TERM");
    let outcome = login.finish().expect(130);
    assert!(outcome.stderr.contains("log in again"), "{}", outcome.stderr);
    assert_eq!(setup.folder.names(), ["tokens.json.lock"]);

    // The code may be used up, so the saved login is removed.
    let setup = Setup::new();
    setup.sandbox.inject(Fault::new(What::Hang(Point::BeforeHead)).on(Endpoint::Token));
    let redirect_uri = &setup.redirect_uri;
    let url = setup.run(&["authorize-url", "--save", "login.json", "--redirect-uri", redirect_uri]).json();
    std::fs::write(setup.folder.0.join("callback"), setup.sandbox.approve(url["url"].as_str().unwrap()).unwrap())
        .unwrap();
    let input = std::fs::File::open(setup.folder.0.join("callback")).unwrap();
    let mut child = setup.command(&["exchange", "--login", "login.json"]).stdin(input).spawn().unwrap();
    interrupt_the_exchange(&setup, child.id(), "-INT");
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut String::new()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    interrupt_the_exchange(&setup, child.id(), "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(setup.folder.names(), ["callback"]);
}

/// streamlit #15568. These are the headers of prefetches by Chromium, Safari and Firefox.
#[test]
fn a_callback_that_a_browser_prefetches_does_not_use_up_the_code() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &[]);
    let callback = setup.sandbox.approve(&login.url).unwrap();
    let target = format!("/callback{}", callback.split_once("/callback").unwrap().1);
    let navigation = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    for ahead in [
        "Sec-Purpose: prefetch",
        "Sec-Purpose: prefetch;prerender",
        "Sec-Purpose: prefetch; prerender",
        "Sec-Purpose: prefetch;anonymous-client-ip",
        "Sec-Purpose: prerender",
        "Purpose: prefetch",
        "Purpose: Prefetch",
        "X-Purpose: preview",
        "X-Moz: prefetch",
        "Purpose: other\r\nPurpose: prefetch",
    ] {
        for more in ["", navigation] {
            let page = get(setup.address, &target, &format!("{ahead}\r\n{more}"));
            assert!(page.starts_with("HTTP/1.1 503"), "{ahead}: {page}");
            assert!(page.contains("cache-control: no-store"), "{ahead}: {page}");
        }
    }
    for method in ["HEAD", "OPTIONS", "POST"] {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{navigation}\r\n", setup.address);
        let page = raw(setup.address, &request);
        assert!(page.starts_with("HTTP/1.1 405"), "{method}: {page}");
    }
    assert_eq!(setup.token_requests(), 0);
    assert!(get(setup.address, &target, navigation).starts_with("HTTP/1.1 303"));
    login.finish().expect(0);
    assert_eq!(setup.sandbox.ledger().exchanges, 1);
}

/// RFC 6749 §4.1.2.1.
#[test]
fn a_denied_login_keeps_waiting_for_the_real_callback() {
    let setup = Setup::new();
    let mut login = RunningLogin::start(&setup, &[]);
    let denial = setup.sandbox.deny(&login.url).unwrap();
    assert_eq!(denial, setup.redirect_uri, "Restream denies without any parameter");
    come_back(&denial);
    login.wait_for_words("denied");
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    login.finish().expect(0);
}

#[test]
fn forged_callbacks_do_not_hide_the_first_denial() {
    let setup = Setup::new();
    let mut login = RunningLogin::start(&setup, &["--wait", "30"]);
    for _ in 0..40 {
        get(setup.address, "/callback?code=stolen&state=forged", "");
    }
    for _ in 0..40 {
        come_back(&setup.sandbox.deny(&login.url).unwrap());
    }
    login.wait_for_words("Restream says that the login was denied");
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let said = login.finish().expect(0).stderr;
    assert!(said.lines().count() < 30, "forged callbacks flood the terminal: {said}");
}

#[test]
fn a_denied_login_exits_with_5_when_its_time_is_over() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &["--wait", "0.6"]);
    come_back(&setup.sandbox.deny(&login.url).unwrap());
    let outcome = login.finish().expect(5);
    assert!(outcome.stderr.contains("the login was denied"), "{}", outcome.stderr);
    assert_eq!(setup.token_requests(), 0);
}

/// RFC 8252 §8.3.
#[test]
fn a_login_without_a_callback_exits_with_5_and_closes_its_port() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &["--wait", "0.3"]);
    login.finish().expect(5);
    assert!(TcpStream::connect(setup.address).is_err());
}

/// toolhive #6238.
#[test]
fn an_oauth_error_ends_the_login_only_with_the_right_state() {
    let setup = Setup::new();
    let mut login = RunningLogin::start(&setup, &[]);
    let state = login.url.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
    get(setup.address, "/callback?error=access_denied", "");
    login.wait_for_words("ignored");
    get(setup.address, "/callback?error=access_denied&state=forged", "");
    login.wait_for_words("ignored");
    let page = get(setup.address, &format!("/callback?error=access_denied&state={state}"), "");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    login.finish().expect(5);
}

/// RFC 6749 §10.12, RFC 8252 §8.9, RUSTSEC-2026-0189, cleared-cli 0.2.1.
#[test]
fn stray_and_forged_requests_and_idle_connections_do_not_disturb_a_login() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &[]);
    let callback = setup.sandbox.approve(&login.url).unwrap();
    let target = callback.split_once("/callback").unwrap().1;
    let genuine = format!("/callback{target}");

    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(setup.address).unwrap()).collect();
    let mut slow = TcpStream::connect(setup.address).unwrap();
    slow.write_all(b"GET /callb").unwrap();
    drop(TcpStream::connect(setup.address).unwrap());
    raw(setup.address, "\0\x01garbage\r\n\r\n");
    raw(setup.address, &format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)));

    let status = |answer: String| answer.get(9..12).unwrap_or_default().to_owned();
    assert_eq!(status(get(setup.address, "/favicon.ico", "")), "404");
    assert_eq!(status(get(setup.address, "/other?code=x&state=y", "")), "404");
    assert_eq!(status(get(setup.address, "/callback?code=stolen&state=forged", "")), "400");
    assert_eq!(status(get(setup.address, "/callback?code=stolen", "")), "400");
    // No browser that follows our redirect sends these, so even the genuine parameters do not count.
    assert_eq!(status(get(setup.address, &genuine, "Origin: http://evil.example\r\n")), "403");
    assert_eq!(status(get(setup.address, &genuine, "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n")), "403");
    assert_eq!(status(get(setup.address, &genuine, "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n")), "403");
    assert_eq!(status(raw(setup.address, &format!("GET {genuine} HTTP/1.1\r\nHost: evil.example\r\n\r\n"))), "421");
    let post = format!("POST {genuine} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", setup.address);
    assert_eq!(status(raw(setup.address, &post)), "405");
    assert_eq!(setup.token_requests(), 0);

    assert_eq!(status(get(setup.address, &genuine, "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n")), "303");
    login.finish().expect(0);
    drop((idle, slow));
    assert_eq!(setup.sandbox.ledger().exchanges, 1);
}

/// CVE-2025-62800, RFC 6749 §10.15, RFC 6749 §3.1.2.5, RFC 6750 §5.3, RFC 9700 §2.1, RFC 9700 §4.2.4.
#[test]
fn the_pages_are_constants_without_scripts_or_external_resources() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &[]);
    let callback = setup.sandbox.approve(&login.url).unwrap();
    let hostile = "/callback?error=%3Cscript%3Ealert(1)%3C/script%3E&error_description=%3Cb%3E&state=x";
    let pages = [get(setup.address, hostile, ""), come_back(&callback), get(setup.address, "/restream-oauth/done", "")];
    for page in &pages {
        let lower = page.to_lowercase();
        assert!(!lower.contains("<script"), "{page}");
        assert!(!lower.contains("src="), "{page}");
        assert!(!lower.contains("http://") && !lower.contains("https://"), "{page}");
        for header in [
            "content-security-policy: default-src 'none'",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
        ] {
            assert!(lower.contains(header), "{header}: {page}");
        }
    }
    assert!(pages[1].contains("location: /restream-oauth/done"), "the code does not stay in the address bar");
    login.finish().expect(0);
}

/// OAuth 2.1 draft §8.5.4, RFC 8252 §8.3.
#[test]
fn the_port_is_closed_within_a_second_of_the_end() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &[]);
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let begun = Instant::now();
    while TcpStream::connect(setup.address).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(1), "the port is still open");
        std::thread::sleep(Duration::from_millis(20));
    }
    login.finish().expect(0);
}

#[test]
fn the_port_is_closed_within_a_second_of_an_interruption() {
    let setup = Setup::new();
    let login = RunningLogin::start(&setup, &[]);
    let _idle = TcpStream::connect(setup.address).unwrap();
    login.interrupt();
    let begun = Instant::now();
    while TcpStream::connect(setup.address).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(1), "the port is still open");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn text_of_a_callback_reaches_the_terminal_escaped() {
    for (refusal, exit) in [
        ("error=access_denied&error_description=%1B%5D8;;http://evil%07%E2%80%AE%0D%1B%5B2J", 5),
        ("error=%1B%5B31m%E2%80%AE%0D", 1),
    ] {
        let setup = Setup::new();
        let login = RunningLogin::start(&setup, &[]);
        let state = login.url.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
        get(setup.address, &format!("/callback?{refusal}&state={state}"), "");
        let said = login.finish().expect(exit).stderr;
        assert!(said.contains("\\u{1b}"), "{said}");
        assert!(!said.contains(['\u{1B}', '\u{7}', '\u{202E}', '\r']), "{said:?}");
    }
}

/// RFC 8252 §7.3.
#[test]
fn a_port_in_use_is_found_before_the_url_is_shown() {
    let setup = Setup::new();
    let _taken = std::net::TcpListener::bind(setup.address).unwrap();
    let outcome = setup.run(&["login", "--no-browser", "--redirect-uri", &setup.redirect_uri]).expect(1);
    assert!(outcome.stderr.contains("cannot listen"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("state="), "no URL was shown");
}

/// CVE-2025-6514, RFC 8252 §8.12.
#[test]
fn the_browser_is_started_with_the_url_as_one_argument_and_without_the_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let setup = Setup::new();
    let browser = setup.folder.0.join("browser");
    std::fs::write(
        &browser,
        "#!/bin/sh\nprintf '%s|%s|%s' \"$#\" \"$1\" \"$RESTREAM_CLIENT_SECRET$PGPASSWORD$RESTREAM_DATABASE_KEYS\" > seen.tmp\n\
         mv seen.tmp seen\n",
    )
    .unwrap();
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).unwrap();
    let arguments = ["login", "--redirect-uri", &setup.redirect_uri, "--wait", "20"];
    let mut login = setup.command(&arguments);
    login.env("BROWSER", &browser).env("PATH", "/usr/bin:/bin");
    let child = login.env("PGPASSWORD", "s3cret").env("RESTREAM_DATABASE_KEYS", "s3cret").spawn().unwrap();
    let seen = setup.folder.0.join("seen");
    let begun = Instant::now();
    while !seen.exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the browser was not started");
        std::thread::sleep(Duration::from_millis(10));
    }
    let seen = std::fs::read_to_string(seen).unwrap();
    let (count, rest) = seen.split_once('|').unwrap();
    let (url, secret) = rest.split_once('|').unwrap();
    assert_eq!((count, secret), ("1", ""));
    come_back(&setup.sandbox.approve(url).unwrap());
    Outcome::of(child.wait_with_output().unwrap()).expect(0);
}

#[test]
fn new_tokens_survive_an_interruption_while_the_file_is_locked() {
    let setup = Setup::new();
    let mut login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
    let lock = std::fs::File::open(setup.folder.0.join("tokens.json.lock")).unwrap();
    lock.lock().unwrap();
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    let words = login.wait_for_words("in use");
    assert!(words.contains("the new tokens are in tokens.json.logins"), "{words}");
    let begun = Instant::now();
    login.interrupt();
    assert!(begun.elapsed() < Duration::from_secs(20), "the tokens are safe, so the login ends at once");
    let waiting: Vec<_> = std::fs::read_dir(setup.folder.0.join("tokens.json.logins")).unwrap().collect();
    assert_eq!(waiting.len(), 1);
    let waiting = waiting.into_iter().next().unwrap().unwrap().path();
    assert_eq!(mode(&waiting), 0o600);
    setup.run_with_input(&["profile"], &std::fs::read_to_string(waiting).unwrap()).expect(0);
    // The next refresh puts them in place.
    drop(lock);
    let outcome = setup.run(&["refresh", "--tokens", "tokens.json"]).expect(0);
    assert!(outcome.stderr.contains("found tokens of a login"), "{}", outcome.stderr);
    assert_eq!(setup.folder.names(), ["tokens.json", "tokens.json.lock"]);
    assert!(setup.elsewhere.names().is_empty(), "{:?}", setup.elsewhere.names());
}

#[test]
fn a_login_that_waited_for_its_file_leaves_no_copy_elsewhere() {
    let setup = Setup::new();
    let mut login = RunningLogin::start(&setup, &["--tokens", "tokens.json"]);
    let lock = std::fs::File::open(setup.folder.0.join("tokens.json.lock")).unwrap();
    lock.lock().unwrap();
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    login.wait_for_words("in use");
    drop(lock);
    login.finish().expect(0);
    assert!(setup.elsewhere.names().is_empty(), "{:?}", setup.elsewhere.names());
    setup.run(&["profile", "--tokens", "tokens.json"]).expect(0);
}
