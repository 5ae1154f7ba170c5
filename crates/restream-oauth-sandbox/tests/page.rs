//! The page `/_sandbox/`: what a person reads while testing a client, and the forms on it.

mod raw;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use raw::{FORM, Reply, credentials, exchange, pair, post, profile, refresh, send};
use restream_oauth_sandbox::rules::{Rotation, Rules};
use restream_oauth_sandbox::{Sandbox, spellings};

fn page(sandbox: &Sandbox) -> String {
    let reply = send(sandbox, "GET /_sandbox/", "", "");
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply.body()
}

/// Posts a form as a browser does that shows the page.
fn submit(sandbox: &Sandbox, form: &str, body: &str) -> Reply {
    let origin = format!("{FORM}Origin: {}\r\nSec-Fetch-Site: same-origin\r\n", sandbox.base_url());
    send(sandbox, &format!("POST /_sandbox/page/{form}"), &origin, body)
}

#[test]
fn the_page_lists_each_request_with_its_notes() {
    let sandbox = Sandbox::start().unwrap();
    assert!(page(&sandbox).contains("No request yet"));
    let (_, token) = pair(&sandbox);
    refresh(&sandbox, &token);
    refresh(&sandbox, &token);
    let html = page(&sandbox);
    assert_eq!(html.matches("<tr id=\"request-").count(), 3, "{html}");
    assert!(html.contains("This refresh token is used for the 2nd time, "), "{html}");
    assert!(html.contains("This is the old refresh token: a rotation has replaced it."), "{html}");
    let newest = html.find("id=\"request-3\"").unwrap();
    assert!(newest < html.find("id=\"request-1\"").unwrap(), "the newest request is on top");
    let row = html[newest..].split("</tr>").next().unwrap();
    assert!(row.contains("/oauth/token") && row.contains("grant_type"), "{row}");
    assert!(row.contains("<span class=\"bad\">400</span>"), "{row}");
    assert_eq!(html.matches("<span class=\"good\">200</span>").count(), 2);
}

#[test]
fn the_page_works_without_scripts_and_has_no_inline_code() {
    let sandbox = Sandbox::start().unwrap();
    pair(&sandbox);
    let reply = send(&sandbox, "GET /_sandbox/", "", "");
    let policy = reply.header("content-security-policy").unwrap();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"));
    let html = reply.body();
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("<script src=\"/_sandbox/page.js\" defer></script>"), "{html}");
    assert!(!html.contains("<style") && !html.contains(" style="), "{html}");
    let handler = |rest: &str| rest.trim_start_matches(|letter: char| letter.is_ascii_alphabetic()).starts_with('=');
    assert!(!html.split(" on").skip(1).any(handler), "{html}");
    for form in ["fault", "clear-faults", "end-grants"] {
        assert!(html.contains(&format!("method=\"post\" action=\"/_sandbox/page/{form}\"")), "{form}: {html}");
    }
    for (file, content_type) in [("page.js", "text/javascript"), ("page.css", "text/css")] {
        let reply = send(&sandbox, &format!("GET /_sandbox/{file}"), "", "");
        assert_eq!(reply.status(), 200);
        assert!(reply.header("content-type").unwrap().starts_with(content_type));
        assert_eq!(reply.header("x-content-type-options").as_deref(), Some("nosniff"));
    }
}

/// CVE-2025-62800.
#[test]
fn no_part_of_a_request_becomes_markup_on_the_page_or_in_its_events() {
    let sandbox = Sandbox::builder().client_id("<script>\"'&").scopes(["<i>"]).start().unwrap();
    post(&sandbox, "/oauth/token?%3Cb%3E=1", "%3Cscript%3E=1&%22%27=2");
    send(&sandbox, "GET /<script>", "", "");
    let events = Events::open(&sandbox, "", "").until("event: now");
    for html in [page(&sandbox), events] {
        for markup in ["<script>", "<b>", "<i>", "\"'"] {
            assert!(!html.contains(markup), "{markup}: {html}");
        }
        assert!(html.contains("&lt;script&gt;"));
    }
}

#[test]
fn neither_the_page_nor_the_events_have_a_token_a_secret_or_a_value_of_a_form() {
    const SECRET: &str = "s3cretOfTheClient";
    const TOKEN: &str = "t0kenOfTheGrant";
    let sandbox = Sandbox::builder().client_secret(SECRET).token_prefix(TOKEN).start().unwrap();
    let (access, token) = pair(&sandbox);
    refresh(&sandbox, &token);
    refresh(&sandbox, &token);
    profile(&sandbox, &access);
    let form = format!("grant_type=refresh_token&refresh_token={token}&scope={SECRET}{}", credentials(&sandbox));
    post(&sandbox, &format!("/oauth/token?access_token={access}"), &form);
    let events = Events::open(&sandbox, "", "").until("event: now");
    assert!(events.contains("request-5"), "{events}");
    for said in [page(&sandbox), events] {
        for word in [SECRET, TOKEN] {
            assert!(!spellings(word).iter().any(|spelling| said.contains(spelling)), "{said}");
        }
    }
}

#[test]
fn a_form_switches_a_fault_on_and_another_clears_it() {
    let sandbox = Sandbox::start().unwrap();
    let form = "what=unavailable&endpoint=token&times=2&strikes=usual";
    let reply = submit(&sandbox, "fault", form);
    assert_eq!((reply.status(), reply.header("location").as_deref()), (303, Some("/_sandbox/")));
    assert!(page(&sandbox).contains("status 503, on token, 2 times, before acting"), "{}", page(&sandbox));
    assert_eq!(exchange(&sandbox).status(), 503);
    assert!(page(&sandbox).contains("status 503, on token, once, before acting"));
    assert_eq!(submit(&sandbox, "clear-faults", "").status(), 303);
    assert!(page(&sandbox).contains("No fault waits"));
    assert_eq!(exchange(&sandbox).status(), 200);
}

#[test]
fn every_fault_that_the_form_offers_can_be_switched_on() {
    let sandbox = Sandbox::start().unwrap();
    let html = page(&sandbox);
    let select = html.split("name=\"what\"").nth(1).unwrap().split("</select>").next().unwrap();
    let words: Vec<_> = select.split("value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(words.len() >= 10, "{words:?}");
    for word in &words {
        for strikes in ["usual", "before_acting", "after_acting"] {
            let form = format!("what={word}&endpoint=any&times=always&strikes={strikes}");
            assert_eq!(submit(&sandbox, "fault", &form).status(), 303, "{form}");
        }
    }
    assert_eq!(page(&sandbox).matches("<li>").count(), words.len() * 3 + html.matches("<li>").count());
}

#[test]
fn a_form_with_a_wrong_word_changes_nothing_and_says_what_was_expected() {
    let sandbox = Sandbox::start().unwrap();
    for (form, message) in [
        ("", "`what`: expected "),
        ("what=nonsense&endpoint=token&times=1&strikes=usual", "`what`: expected "),
        ("what=hang&endpoint=nonsense&times=1&strikes=usual", "`endpoint`: expected token, revoke, profile, any"),
        ("what=hang&endpoint=token&times=-1&strikes=usual", "`times`: expected 1, 2, 3, always"),
        ("what=hang&endpoint=token&times=1&strikes=maybe", "`strikes`: expected usual, before_acting, after_acting"),
    ] {
        let reply = submit(&sandbox, "fault", form);
        assert_eq!(reply.status(), 400, "{form}");
        assert!(reply.body().contains(message), "{form}: {}", reply.body());
    }
    assert_eq!(submit(&sandbox, "end-grants", "grant=x").status(), 400);
    assert!(page(&sandbox).contains("No fault waits"));
}

#[test]
fn a_button_ends_one_grant_and_another_ends_all() {
    let sandbox = Sandbox::start().unwrap();
    assert!(page(&sandbox).contains("No grant lives"));
    let pairs = [(); 3].map(|()| pair(&sandbox));
    assert_eq!(page(&sandbox).matches("name=\"grant\" value=\"").count(), 3 + 1, "one each, and one for all");
    assert_eq!(page(&sandbox).matches(": 1 access token, 1 refresh token <").count(), 3);
    assert_eq!(submit(&sandbox, "end-grants", "grant=2").status(), 303);
    let alive = || [0, 1, 2].map(|at: usize| profile(&sandbox, &pairs[at].0).status() == 200);
    assert_eq!(alive(), [true, false, true]);
    assert_eq!(refresh(&sandbox, &pairs[1].1).status(), 400);
    assert_eq!(submit(&sandbox, "end-grants", "grant=all").status(), 303);
    assert_eq!(alive(), [false; 3]);
    assert_eq!(sandbox.ledger().grants_ended, 3);
    assert_eq!(sandbox.ledger().revocations, 0, "no client has revoked anything");
    assert_eq!(submit(&sandbox, "end-grants", "grant=all").status(), 303, "nothing to end is no error");
    assert_eq!(sandbox.ledger().grants_ended, 3);
}

#[test]
fn a_grant_has_as_many_living_tokens_as_the_page_says() {
    let mut rules = Rules::default();
    rules.rotation = Rotation::None;
    let sandbox = Sandbox::builder().rules(rules).start().unwrap();
    let (_, token) = pair(&sandbox);
    refresh(&sandbox, &token);
    assert!(page(&sandbox).contains("Grant 1: 2 access tokens, 1 refresh token <"), "{}", page(&sandbox));
    sandbox.advance(Duration::from_secs(3600));
    assert!(page(&sandbox).contains("Grant 1: 0 access tokens, 1 refresh token <"), "{}", page(&sandbox));
    sandbox.advance(Duration::from_secs(31_536_000));
    assert!(page(&sandbox).contains("No grant lives"));
}

#[test]
fn grants_are_also_ended_over_http_and_in_rust() {
    let sandbox = Sandbox::start().unwrap();
    let (access, _) = pair(&sandbox);
    assert_eq!(send(&sandbox, "POST /_sandbox/end_grants", "", "").json()["ended"], 1);
    assert_eq!(profile(&sandbox, &access).status(), 401);
    pair(&sandbox);
    assert_eq!(sandbox.end_grants(), 1);
    assert_eq!(sandbox.end_grants(), 0);
}

#[test]
fn only_the_page_itself_may_post_its_forms() {
    let sandbox = Sandbox::start().unwrap();
    let own = sandbox.base_url();
    for (headers, status) in [
        (format!("Origin: {own}\r\n"), 303),
        (format!("Origin: {own}\r\nSec-Fetch-Site: same-origin\r\n"), 303),
        (String::new(), 303),
        ("Sec-Fetch-Site: none\r\n".to_owned(), 303),
        ("Origin: https://evil.example\r\n".to_owned(), 403),
        ("Origin: null\r\n".to_owned(), 403),
        // Another program of this machine may order faults as JSON, but its pages may not post forms.
        ("Origin: http://127.0.0.1:1\r\n".to_owned(), 403),
        (format!("Origin: {}\r\n", own.replace("http:", "https:")), 403),
        ("Sec-Fetch-Site: cross-site\r\n".to_owned(), 403),
        ("Sec-Fetch-Site: same-site\r\n".to_owned(), 403),
        (format!("Origin: {own}\r\nSec-Fetch-Site: cross-site\r\n"), 403),
    ] {
        let form = "what=unavailable&endpoint=any&times=1&strikes=usual";
        for (path, body) in [("fault", form), ("clear-faults", ""), ("end-grants", "grant=all")] {
            let reply = send(&sandbox, &format!("POST /_sandbox/page/{path}"), &format!("{FORM}{headers}"), body);
            assert_eq!(reply.status(), status, "{path} {headers}");
        }
    }
    assert_eq!(exchange(&sandbox).status(), 200, "no fault of another page was ordered");
}

#[test]
fn the_page_of_a_sandbox_that_other_machines_reach_may_post_its_forms() {
    let sandbox = Sandbox::builder().address("0.0.0.0:0".parse().unwrap()).allow_non_loopback().start().unwrap();
    let port = raw::authority(&sandbox).rsplit_once(':').unwrap().1;
    for (host, origin, status) in
        [("192.0.2.1", "192.0.2.1", 303), ("192.0.2.1", "192.0.2.2", 403), ("sandbox.example", "sandbox.example", 421)]
    {
        let headers = format!("{FORM}Origin: http://{origin}:{port}\r\n");
        let request = raw::request(&sandbox, "POST /_sandbox/page/clear-faults", &headers, "");
        let request =
            request.replacen(&format!("Host: {}", raw::authority(&sandbox)), &format!("Host: {host}:{port}"), 1);
        let mut stream = raw::connect(&sandbox);
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(raw::read(&stream, Duration::from_secs(5)).status(), status, "{host} {origin}");
    }
}

#[test]
fn the_page_shows_a_limited_number_of_requests_faults_and_grants() {
    let sandbox = Sandbox::start().unwrap();
    for _ in 0..201 {
        post(&sandbox, "/oauth/revoke", "");
    }
    let html = page(&sandbox);
    assert_eq!(html.matches("<tr id=\"request-").count(), 200);
    assert!(html.contains("\"request-201\"") && !html.contains("\"request-1\""));
    let events = Events::open(&sandbox, "", "").until("event: now");
    assert_eq!(events.matches("event: request").count(), 200);

    for waiting in 1..=52 {
        submit(&sandbox, "fault", "what=gzip&endpoint=revoke&times=1&strikes=usual");
        pair(&sandbox);
        let more = if waiting > 50 { 2 } else { 0 };
        let words = format!("<p>and {} more</p>", waiting.max(50) - 50);
        assert_eq!(page(&sandbox).matches(&words).count(), more, "{waiting}");
    }
}

#[test]
fn pages_of_other_sites_can_link_to_the_page_but_not_load_from_the_sandbox() {
    let sandbox = Sandbox::start().unwrap();
    let get = |path: &str, headers: &str| send(&sandbox, &format!("GET /_sandbox/{path}"), headers, "").status();
    let link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let image = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
    assert_eq!((get("", link), get("", image)), (200, 403));
    for path in ["ledger", "events", "config"] {
        assert_eq!((get(path, link), get(path, image)), (403, 403), "{path}");
        assert_eq!(get(path, "Origin: https://evil.example\r\n"), 403, "{path}");
    }
    // A page that another program of this machine serves says where it comes from.
    assert_eq!(get("ledger", "Origin: http://localhost:5173\r\nSec-Fetch-Site: cross-site\r\n"), 200);
}

/// A stream of server-sent events.
struct Events {
    stream: TcpStream,
    said: String,
}

impl Events {
    fn open(sandbox: &Sandbox, query: &str, headers: &str) -> Self {
        let mut stream = raw::connect(sandbox);
        let request = raw::request(sandbox, &format!("GET /_sandbox/events{query}"), headers, "");
        stream.write_all(request.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self { stream, said: String::new() }
    }

    /// Reads until the events contain `words`. Returns everything since the last call.
    fn until(&mut self, words: &str) -> String {
        let mut chunk = [0; 4096];
        while !self.said.contains(words) {
            let length = self.stream.read(&mut chunk).unwrap_or_else(|error| panic!("{error}: {}", self.said));
            assert_ne!(length, 0, "the stream ended without {words:?}: {}", self.said);
            self.said.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
        std::mem::take(&mut self.said)
    }
}

#[test]
fn each_request_is_sent_as_it_comes_and_again_with_its_answer() {
    let sandbox = Sandbox::start().unwrap();
    exchange(&sandbox);
    let html = page(&sandbox);
    let seen = html.split("data-seen=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut events = Events::open(&sandbox, &format!("?seen={seen}"), "");
    let head = events.until("event: now");
    assert!(head.to_lowercase().contains("content-type: text/event-stream"), "{head}");
    assert!(!head.contains("request-1\""), "the page has this request already: {head}");

    let slow = r#"{"what":"delay","ms":700,"endpoint":"token","strikes":"before_acting"}"#;
    send(&sandbox, "POST /_sandbox/faults", "", slow);
    std::thread::scope(|scope| {
        scope.spawn(|| exchange(&sandbox));
        let first = events.until("request-2\"");
        assert!(!first.contains(">200<"), "it has no answer yet: {first}");
        events.until(">200<");
    });
    let last = exchange(&sandbox);
    assert_eq!(last.status(), 200);
    let rows = events.until("request-3\"");
    let id = rows.rsplit("id: ").next().unwrap().lines().next().unwrap();

    // A browser that lost the connection names the last event that it has.
    exchange(&sandbox);
    let after =
        Events::open(&sandbox, &format!("?seen={seen}"), &format!("Last-Event-ID: {id}\r\n")).until("request-4\"");
    assert!(!after.contains("request-2\""), "{after}");
}

#[test]
fn counts_faults_and_grants_are_sent_when_they_change() {
    let sandbox = Sandbox::start().unwrap();
    let mut events = Events::open(&sandbox, "", "");
    events.until("No grant lives");
    pair(&sandbox);
    events.until("Grant 1");
    submit(&sandbox, "fault", "what=hang&endpoint=token&times=1&strikes=usual");
    events.until("hang, on token, once");
}

#[test]
fn a_reset_asks_the_page_to_load_again() {
    let sandbox = Sandbox::start().unwrap();
    exchange(&sandbox);
    let mut events = Events::open(&sandbox, "", "");
    events.until("request-1\"");
    sandbox.reset();
    events.until("event: reset");
    // So does a sandbox that has not seen what the page has.
    Events::open(&sandbox, "?seen=7.1", "").until("event: reset");
    Events::open(&sandbox, "?seen=1.99", "").until("event: reset");
}

#[test]
fn a_stream_of_events_does_not_keep_a_sandbox_from_stopping() {
    let sandbox = Sandbox::start().unwrap();
    let mut events = Events::open(&sandbox, "", "");
    events.until("event: now");
    let started = Instant::now();
    drop(sandbox);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let mut rest = Vec::new();
    assert!(events.stream.read_to_end(&mut rest).is_ok() || rest.len() < 4096, "the connection is closed");
}
