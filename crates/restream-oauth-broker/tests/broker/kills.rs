//! `kill -9` of the program before each system call that changes a file of its store: in a login, in a refresh that
//! rotates and in a revocation. Then it starts again.
//!
//! - A device that has a handle keeps it, and a code that a device has can be redeemed.
//! - A grant that no device can reach is revoked at Restream.
//! - Tokens are lost in one case only: Restream has answered, and nothing of its answer is written yet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::canary::words_in;
use crate::program::{Program, Running};
use crate::support::{Answer, Tokens, names, skipped};

/// The beginning of every token and code of the sandbox.
const WORD: &str = "c4nary7Qx2Vb";

/// The library that kills the program; `None`, loudly, without a C compiler.
fn library() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broker/kill_at.c");
    // One for each test, because tests run at the same time.
    let name = std::thread::current().name().unwrap().replace("::", "-");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.so"));
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").output();
    let Ok(built) = built else {
        skipped("cc is missing, so the broker was not killed (Debian: apt-get install gcc)");
        return None;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(library)
}

/// The program, and what kills it.
struct Victim {
    program: Program,
    library: PathBuf,
}

impl Victim {
    fn new() -> Option<Self> {
        let library = library()?;
        Some(Self { program: Program::with(|sandbox| sandbox.token_prefix(WORD)), library })
    }

    fn store(&self) -> PathBuf {
        self.program.world.folder.join("store")
    }

    fn forget_everything(&self) {
        let _ = std::fs::remove_dir_all(self.store());
        self.program.world.sandbox.end_grants();
    }

    /// Starts the program, which is killed before the given call; `None` if that happened before it was ready.
    fn start(&self, occurrence: u32) -> Option<Running> {
        let _ = std::fs::remove_file(self.trace());
        let mut command = self.program.command(&[]);
        command
            .env("LD_PRELOAD", &self.library)
            .env("KILL_AT", occurrence.to_string())
            .env("KILL_BELOW", self.store())
            .env("KILL_TRACE", self.trace());
        let running = Running::start(command);
        if let Some(running) = &running {
            self.program.world.reach_at(&running.ready);
        }
        running
    }

    fn trace(&self) -> PathBuf {
        self.program.world.folder.join("trace")
    }

    /// The name of the call before which the program was killed.
    fn last_call(&self) -> String {
        let calls = std::fs::read_to_string(self.trace()).unwrap();
        calls.lines().last().unwrap_or_default().to_owned()
    }

    /// A device logs in, and the program ends.
    fn logged_in(&self) -> Tokens {
        self.forget_everything();
        let running = self.program.start();
        let tokens = self.program.world.log_in();
        assert_eq!(running.end("-TERM").0, Some(0));
        tokens
    }

    /// True if tokens of Restream are in the store.
    fn has_tokens(&self) -> bool {
        let grants = self.store().join("grants");
        grants.is_dir() && !words_in(WORD, &grants).is_empty()
    }

    /// Restream's tokens that live. They are dead from now on.
    fn living_grants(&self) -> u64 {
        self.program.world.sandbox.end_grants()
    }

    /// Waits until nothing is left of any device.
    fn nothing_is_left(&self, place: &str) {
        self.program.world.wait_for(&format!("{place}: devices are left"), |world| {
            names(&world.folder.join("store/devices")).is_empty()
        });
    }
}

/// Ends a program that was not killed. Returns true if it was killed.
fn was_killed(running: Running) -> bool {
    let (code, log) = running.end_unless_ended("-TERM");
    assert!(matches!(code, None | Some(0)), "{log}");
    code.is_none()
}

/// Makes the devices whose code nobody has redeemed older than a minute.
fn let_codes_expire(store: &Path) {
    for entry in std::fs::read_dir(store.join("devices")).into_iter().flatten() {
        let path = entry.unwrap().path();
        let Ok(mut device) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()) else { continue };
        let created_at = device["created_at"].as_u64().unwrap();
        device["created_at"] = json!(created_at - 61);
        std::fs::write(&path, device.to_string()).unwrap();
    }
}

/// What a device got before the program was killed.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Nothing,
    Code(String),
    Tokens(Tokens),
}

/// A login as far as it comes.
fn log_in(victim: &Victim) -> Got {
    let world = &victim.program.world;
    let login = || {
        let away = world.try_get("/obs/v1/restream/redirect", None)?;
        let callback = world.sandbox.approve(away.location()).unwrap();
        let back = world.try_get(&callback, away.cookie().as_deref())?;
        Some(back.location().split_once("code=")?.1.to_owned())
    };
    let Some(code) = login() else { return Got::Nothing };
    match redeem(victim, &code) {
        Some(answer) => Got::Tokens(answer.tokens()),
        None => Got::Code(code),
    }
}

fn redeem(victim: &Victim, code: &str) -> Option<Answer> {
    let form = [("grant_type", "authorization_code"), ("code", code)];
    victim.program.world.try_post("/obs/v1/restream/token", &form)
}

fn obs_refresh(victim: &Victim, handle: &str) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", handle)];
    victim.program.world.post("/obs/v1/restream/token", &form)
}

/// How often a login came to what.
#[derive(Debug, Default)]
struct Outcomes {
    /// The device had its tokens.
    kept: u32,
    /// The device had its code, and redeemed it.
    redeemed: u32,
    /// The device redeemed its code, and the answer was lost.
    ended: u32,
    /// Restream had answered, and the tokens were not written yet.
    in_memory_alone: u32,
}

#[test]
fn a_login_killed_anywhere_is_kept_or_revoked() {
    let Some(victim) = Victim::new() else { return };
    let world = &victim.program.world;
    let (mut calls, mut outcomes) = (BTreeSet::new(), Outcomes::default());
    for occurrence in 1.. {
        victim.forget_everything();
        let before = world.sandbox.ledger();
        let mut got = Got::Nothing;
        if let Some(running) = victim.start(occurrence) {
            got = log_in(&victim);
            if !was_killed(running) {
                break;
            }
        }
        let place = format!("killed before call {occurrence}, {}: {got:?}", victim.last_call());
        calls.insert(victim.last_call());
        let was_exchanged = world.sandbox.ledger().exchanges > before.exchanges;
        let is_kept = victim.has_tokens();
        if got == Got::Nothing {
            let_codes_expire(&victim.store());
        }
        let running = victim.program.start();
        match got {
            Got::Tokens(tokens) => {
                assert!(world.accepts(&obs_refresh(&victim, &tokens.refresh_token).tokens().access_token), "{place}");
                outcomes.kept += 1;
            }
            Got::Code(code) => {
                let answer = redeem(&victim, &code).unwrap();
                if answer.json()["error"].is_null() {
                    assert!(world.accepts(&answer.tokens().access_token), "{place}");
                    outcomes.redeemed += 1;
                } else {
                    // It was redeemed, and the answer was lost. A code that comes twice ends the grant.
                    assert_eq!(answer.refusal(), (200, "invalid_grant".into()), "{place}");
                    victim.nothing_is_left(&place);
                    assert_eq!(victim.living_grants(), 0, "{place}");
                    outcomes.ended += 1;
                }
            }
            Got::Nothing => {
                victim.nothing_is_left(&place);
                let living = victim.living_grants();
                if was_exchanged && !is_kept {
                    assert!(living <= 1, "{place}");
                    outcomes.in_memory_alone += 1;
                } else {
                    assert_eq!(living, 0, "{place}: a grant that nobody can use lives on");
                }
            }
        }
        let (code, log) = running.end("-TERM");
        assert_eq!(code, Some(0), "{place}: {log}");
    }
    // So that the list of calls stays complete.
    for call in ["create", "write", "fsync", "rename", "unlink", "mkdir"] {
        assert!(calls.contains(call), "{call} is missing: {calls:?}");
    }
    assert!(outcomes.redeemed >= 5, "{outcomes:?}");
    // The device is written before the tokens, which are in memory alone meanwhile.
    assert!(outcomes.in_memory_alone <= 16, "{outcomes:?}");
}

#[test]
fn a_rotation_killed_anywhere_loses_no_login() {
    let Some(victim) = Victim::new() else { return };
    let world = &victim.program.world;
    let (mut kills, mut lost) = (0, Vec::new());
    for occurrence in 1.. {
        let tokens = victim.logged_in();
        victim.program.let_tokens_expire();
        let before = world.sandbox.ledger().refreshes;
        let form =
            [("grant_type", "refresh_token"), ("client_id", "overlay"), ("refresh_token", &tokens.refresh_token)];
        if let Some(running) = victim.start(occurrence) {
            let answer = world.try_post("/token", &form);
            if !was_killed(running) {
                assert_ne!(answer.unwrap().tokens().access_token, tokens.access_token, "it is a rotation");
                break;
            }
            if let Some(answer) = answer {
                answer.tokens();
            }
        }
        kills += 1;
        let place = format!("killed before call {occurrence}, {}", victim.last_call());
        let was_rotated = world.sandbox.ledger().refreshes > before;
        let running = victim.program.start();
        let answer = world.refresh(&tokens.refresh_token);
        if answer.status == 200 {
            assert!(world.accepts(&answer.tokens().access_token), "{place}");
        } else {
            assert_eq!(answer.refusal(), (400, "invalid_grant".into()), "{place}");
            assert!(was_rotated, "{place}: the login is lost, although Restream has rotated nothing");
            lost.push(place.clone());
        }
        assert_eq!(running.end("-TERM").0, Some(0), "{place}");
    }
    // A process that dies after Restream has answered, and before it has written the answer, loses the pair.
    assert!(kills >= 20 && lost.len() <= 1, "{kills} kills, lost: {lost:?}");
}

#[test]
fn a_revocation_killed_anywhere_ends_the_grant_in_the_end() {
    let Some(victim) = Victim::new() else { return };
    let world = &victim.program.world;
    let mut kills = 0;
    for occurrence in 1.. {
        let tokens = victim.logged_in();
        let form = [("client_id", "overlay"), ("token", tokens.refresh_token.as_str())];
        let mut was_answered = false;
        if let Some(mut running) = victim.start(occurrence) {
            was_answered = world.try_post("/revoke", &form).is_some_and(|answer| answer.status == 200);
            if was_answered {
                // The grant is revoked in the background.
                let running = std::cell::RefCell::new(&mut running);
                world.wait_for("the end", |world| {
                    running.borrow_mut().has_ended() || names(&world.folder.join("store/devices")).is_empty()
                });
            }
            if !was_killed(running) {
                break;
            }
        }
        kills += 1;
        let place = format!("killed before call {occurrence}, {}", victim.last_call());
        let running = victim.program.start();
        if !was_answered {
            // The device is told nothing, and so it sends the revocation again.
            let refreshed = world.refresh(&tokens.refresh_token);
            assert!(refreshed.status == 200 || refreshed.refusal().1 == "invalid_grant", "{place}: {refreshed:?}");
            assert_eq!(world.post("/revoke", &form).status, 200, "{place}");
        }
        assert_eq!(world.refresh(&tokens.refresh_token).refusal(), (400, "invalid_grant".into()), "{place}");
        victim.nothing_is_left(&place);
        assert_eq!(victim.living_grants(), 0, "{place}");
        assert_eq!(running.end("-TERM").0, Some(0), "{place}");
    }
    assert!(kills >= 20, "{kills} kills");
}
