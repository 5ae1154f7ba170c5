//! Canaries: logins, refreshes, revocations and errors with secrets that can be recognised. Everything that the broker
//! says is searched for each of them. An answer holds the secrets that it is for, and no other one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use restream_oauth_sandbox::{Endpoint, Fault, What, spellings};

use crate::program::Program;
use crate::support::{Answer, SECRET, VERIFIER, World, generous};

/// The beginning of every token and code of the sandbox.
const WORD: &str = "c4nary7Qx2Vb";
const DEVICE_STATE: &str = "c4naryOfTheDevice";

/// What was said, and which secrets it is for.
struct Said {
    what: String,
    text: String,
    holds: Vec<String>,
}

/// What was heard so far, and the secrets that are known so far.
struct Watch<'a> {
    world: &'a World,
    secrets: BTreeMap<String, String>,
    said: Vec<Said>,
}

impl<'a> Watch<'a> {
    fn new(world: &'a World) -> Self {
        let mut watch = Self { world, secrets: BTreeMap::new(), said: Vec::new() };
        watch.secret("client secret", SECRET);
        watch.secret("verifier", VERIFIER);
        watch.secret("state of the device", DEVICE_STATE);
        watch
    }

    fn secret(&mut self, name: &str, value: &str) {
        assert!(value.len() >= 12, "{name}: {value}");
        self.secrets.insert(name.to_owned(), value.to_owned());
    }

    /// A code or a handle: what comes before its random bits is the name of the device.
    fn key(&mut self, name: &str, key: &str) {
        assert_eq!(key.len(), 96, "{name}");
        self.secret(name, &key[32..]);
    }

    fn text(&mut self, what: &str, text: impl Into<String>, holds: &[&str]) {
        let holds = holds.iter().map(|&name| name.to_owned()).collect();
        self.said.push(Said { what: what.to_owned(), text: text.into(), holds });
    }

    fn answer(&mut self, what: &str, answer: &Answer, holds: &[&str]) {
        self.text(what, format!("{} {:?} {}", answer.status, answer.headers, answer.body), holds);
    }

    /// The tokens of Restream that are stored now. What no device was given is a refresh token.
    fn stored_tokens(&mut self) {
        for token in words_in(WORD, &self.world.folder) {
            if !self.secrets.values().any(|known| *known == token) {
                let name = format!("refresh token {}", self.secrets.len());
                self.secret(&name, &token);
            }
        }
    }

    /// Searches everything.
    fn check(&self) {
        let refresh_tokens = self.secrets.keys().filter(|name| name.starts_with("refresh token")).count();
        assert!(refresh_tokens >= 3, "{:?}", self.secrets.keys());
        for (name, secret) in &self.secrets {
            // A half of it would be found too.
            let halves = spellings(secret).into_iter().flat_map(|spelling| {
                let (first, second) = spelling.split_at(spelling.len() / 2);
                [first.to_owned(), second.to_owned()]
            });
            let halves: BTreeSet<_> = halves.filter(|half| half.len() >= 8 && half != WORD).collect();
            for Said { what, text, holds } in &self.said {
                if holds.contains(name) {
                    assert!(text.contains(secret), "{what}: it is for the {name}, which is not found: {text}");
                } else if let Some(half) = halves.iter().find(|half| text.contains(*half)) {
                    panic!("{what}: a part of the {name}, {half:?}, is in {text}");
                }
            }
        }
    }

    /// A login through the plain door. Returns the code.
    fn log_in(&mut self, number: u32) -> String {
        let world = self.world;
        let query = format!(
            "client_id=overlay&redirect_uri={}&response_type=code&code_challenge={}&code_challenge_method=S256\
             &state={DEVICE_STATE}",
            crate::support::CALLBACK,
            crate::support::CHALLENGE
        );
        let page = world.get(&format!("/authorize?{query}"));
        let cookie = page.cookie().unwrap();
        let [cookie_name, state_name, code_name, own_name] =
            ["cookie", "state at Restream", "code of Restream", "code"].map(|name| format!("{name} {number}"));
        self.secret(&cookie_name, cookie.split_once('=').unwrap().1);
        self.answer("the page", &page, &[&cookie_name, "state of the device"]);
        let link = page.body.split_once("href=\"").unwrap().1.split_once('"').unwrap().0.replace("&amp;", "&");
        let away = world.browse(&link, Some(&cookie));
        self.secret(&state_name, &away.parameter("state"));
        self.answer("the way to Restream", &away, &[&state_name]);
        let callback = world.sandbox.approve(away.location()).unwrap();
        self.secret(&code_name, &after(&callback, "code="));
        self.answer("a forged callback", &world.browse(&callback, Some("restream-oauth-broker=x")), &[]);
        let back = world.browse(&callback, Some(&cookie));
        let code = back.parameter("code");
        self.key(&own_name, &code);
        self.answer("the way back", &back, &[&own_name, "state of the device"]);
        self.answer("the way back once more", &world.browse(&callback, Some(&cookie)), &[]);
        code
    }

    /// An answer with tokens.
    fn tokens(&mut self, what: &str, answer: &Answer, number: u32) -> (String, String) {
        let tokens = answer.tokens();
        let names = [format!("access token of {what} {number}"), format!("handle {number}")];
        self.secret(&names[0], &tokens.access_token);
        self.key(&names[1], &tokens.refresh_token);
        self.answer(what, answer, &[&names[0], &names[1]]);
        self.stored_tokens();
        (tokens.access_token, tokens.refresh_token)
    }
}

/// What follows a name in a query.
fn after(url: &str, name: &str) -> String {
    url.split_once(name).unwrap().1.split('&').next().unwrap().to_owned()
}

/// Everything in the files of a folder that begins with a word.
pub(crate) fn words_in(word: &str, folder: &Path) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            words.extend(words_in(word, &path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes);
            let begins = text.match_indices(word).map(|(at, _)| &text[at..]);
            let is_of_a_token = |character: char| character.is_ascii_alphanumeric() || "-_.~".contains(character);
            words.extend(begins.map(|rest| rest.chars().take_while(|it| is_of_a_token(*it)).collect::<String>()));
        }
    }
    words
}

/// Everything that devices, browsers and attackers do.
fn story(world: &World) -> Watch<'_> {
    let mut watch = Watch::new(world);
    let code = watch.log_in(1);
    watch.answer(
        "a code without its verifier",
        &world.post("/token", &[("client_id", "overlay"), ("code", &code)]),
        &[],
    );
    let (access, handle) = watch.tokens("an exchange", &world.redeem(&code), 1);
    world.sandbox.inject(Fault::new(What::status(401)).on(Endpoint::Profile).times(1));
    let withheld = world.refresh(&handle);
    assert_eq!(withheld.status, 503, "{withheld:?}");
    watch.answer("a token that is withheld", &withheld, &[]);
    obs(&mut watch);
    faulty_requests(&mut watch, &access, &handle);
    let revoked = world.post("/revoke", &[("client_id", "overlay"), ("token", &access)]);
    watch.answer("a revocation by the access token", &revoked, &[]);
    let second = watch.log_in(2);
    let (_, handle) = watch.tokens("an exchange", &world.redeem(&second), 2);
    let revoked = world.post("/revoke", &[("client_id", "overlay"), ("token", &handle)]);
    watch.answer("a revocation by the handle", &revoked, &[]);
    watch.answer("a handle that has ended", &world.refresh(&handle), &[]);
    let third = watch.log_in(3);
    watch.tokens("an exchange", &world.redeem(&third), 3);
    watch.answer("a code that comes twice", &world.redeem(&third), &[]);
    faulty_exchanges(&mut watch);
    world.wait_until(|ledger| ledger.revocations >= 3);
    watch
}

fn obs(watch: &mut Watch<'_>) {
    let world = watch.world;
    let away = world.get("/obs/v1/restream/redirect");
    let cookie = away.cookie().unwrap();
    watch.secret("cookie of OBS", cookie.split_once('=').unwrap().1);
    watch.secret("state of OBS at Restream", &away.parameter("state"));
    watch.answer("OBS on the way to Restream", &away, &["cookie of OBS", "state of OBS at Restream"]);
    let callback = world.sandbox.approve(away.location()).unwrap();
    watch.secret("code of Restream for OBS", &after(&callback, "code="));
    let back = world.browse(&callback, Some(&cookie));
    let code = back.parameter("code");
    watch.key("code of OBS", &code);
    watch.answer("OBS on the way back", &back, &["code of OBS"]);
    watch.answer("the last page", &world.get(back.location()), &[]);
    let post = |form: &[(&str, &str)]| world.post("/obs/v1/restream/token", form);
    let (_, handle) = watch.tokens("OBS", &post(&[("grant_type", "authorization_code"), ("code", &code)]), 9);
    watch.answer("a handle for a code", &post(&[("grant_type", "authorization_code"), ("code", &handle)]), &[]);
    watch.answer("the wrong door", &world.refresh(&handle), &[]);
}

/// Requests that are refused, with secrets in every place.
fn faulty_requests(watch: &mut Watch<'_>, access: &str, handle: &str) {
    let world = watch.world;
    for (name, value) in [("secret", SECRET), ("handle", handle), ("access token", access), ("verifier", VERIFIER)] {
        for path in ["/token", "/revoke", "/obs/v1/restream/token"] {
            for form in [
                &[("client_id", value)][..],
                &[("client_id", "overlay"), ("client_secret", value)],
                &[("client_id", "overlay"), ("grant_type", value)],
                &[
                    ("client_id", "overlay"),
                    ("grant_type", "refresh_token"),
                    ("refresh_token", value),
                    ("refresh_token", value),
                ],
                &[("client_id", "bot"), ("grant_type", "refresh_token"), ("refresh_token", value)],
                &[
                    ("client_id", "overlay"),
                    ("grant_type", "authorization_code"),
                    ("code", value),
                    ("redirect_uri", value),
                    ("code_verifier", value),
                ],
            ] {
                watch.answer(&format!("{path} with the {name}"), &world.post(path, form), &[]);
            }
        }
        for url in [
            "/.well-known/oauth-authorization-server".to_owned(),
            format!("/{value}"),
            format!("/obs/{value}"),
            format!("/nothing?{value}={value}"),
            format!("/authorize?client_id=overlay&redirect_uri=https://{value}.example/"),
            format!("/authorize?client_id={value}"),
            format!("/callback?code={value}&state={value}"),
            format!("/callback?error={value}&state={value}"),
            format!("/obs/app-auth/restream?action={value}&action=redirect"),
        ] {
            watch.answer(&format!("a URL with the {name}"), &world.browse(&url, Some(&format!("a={value}"))), &[]);
        }
    }
}

/// Restream fails, and repeats what it was sent.
fn faulty_exchanges(watch: &mut Watch<'_>) {
    let world = watch.world;
    let body = format!(r#"{{"error":{{"statusCode":400,"name":"{SECRET}","message":"{SECRET} {VERIFIER}"}}}}"#);
    let header = ("set-cookie".to_owned(), format!("token={SECRET}"));
    let repeats = |status| What::Status { status, headers: vec![header.clone()], body: body.clone().into_bytes() };
    for fault in [repeats(400), repeats(401), repeats(503), repeats(200), What::reset(), What::bad_json()] {
        let (consent, cookie) = world.leave(&[("state", "another")], None);
        let callback = world.sandbox.approve(&consent).unwrap();
        world.sandbox.inject(Fault::new(fault).on(Endpoint::Token).times(3));
        let name = format!("code of Restream {}", watch.said.len());
        watch.secret(&name, &after(&callback, "code="));
        let failed = world.browse(&callback, Some(&cookie));
        world.sandbox.clear_faults();
        assert!(failed.location().contains("error="), "{failed:?}");
        watch.answer("a login that failed", &failed, &[]);
    }
}

/// No cookie holds a token, for example: RFC 6750 §5.3.
#[test]
fn no_output_holds_a_secret_that_it_is_not_for() {
    let world = World::with(|sandbox| sandbox.token_prefix(WORD), generous());
    let mut watch = story(&world);
    // Once an hour has passed, a device gets another token.
    let code = watch.log_in(4);
    let (first, handle) = watch.tokens("an exchange", &world.redeem(&code), 4);
    world.advance(std::time::Duration::from_secs(3600));
    let (second, same) = watch.tokens("a refresh", &world.refresh(&handle), 4);
    assert!(first != second && handle == same);
    // Restream refuses the refresh token, and repeats it.
    let refresh_tokens: Vec<_> = words_in(WORD, &world.folder).into_iter().collect();
    let body = format!(r#"{{"error":"invalid_grant","error_description":"{}"}}"#, refresh_tokens.join(" "));
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    world.sandbox.inject(
        Fault::new(What::Status { status: 400, headers, body: body.into_bytes() }).on(Endpoint::Token).always(),
    );
    world.advance(std::time::Duration::from_secs(3600));
    let refused = world.refresh(&handle);
    assert_eq!(refused.refusal(), (400, "invalid_grant".into()));
    watch.answer("a refresh that Restream refuses", &refused, &[]);
    world.wait_for("the end of the grant is logged", |world| world.log.text().contains("\"what\":\"dead\""));
    for path in ["metrics", "healthz", "nothing"] {
        let answer = world.browse(&format!("{}/{path}", world.admin_url()), None);
        watch.answer(path, &answer, &[]);
    }
    watch.text("Debug of the broker", world.debug(), &[]);
    watch.text("the log", world.log.text(), &[]);
    watch.check();
    assert!(world.log.text().contains("code_reused"));
}

#[test]
fn no_output_of_the_program_holds_a_secret() {
    let program = Program::with(|sandbox| sandbox.token_prefix(WORD));
    program.without_limits();
    let running = program.start();
    let mut watch = story(&program.world);
    for path in ["metrics", "healthz"] {
        watch.answer(path, &program.world.browse(&format!("{}/{path}", running.admin_url()), None), &[]);
    }
    for arguments in [&["devices", "list"][..], &["devices", "end", "00000000000000000000000000000000"], &["--check"]] {
        let output = program.output(arguments);
        watch.text(&arguments.join(" "), format!("{output:?}"), &[]);
    }
    watch.text("the line of a program that is ready", running.ready.to_string(), &[]);
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("code_reused"), "{log}");
    watch.text("standard error", log, &[]);
    watch.check();
}
