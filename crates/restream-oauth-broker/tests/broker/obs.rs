//! A stand-in for OBS Studio: it does what OBS does, and nothing else.
//!
//! - It opens the redirect in an embedded browser, looks at every URL that begins with its base, takes what stands between
//!   the first `code=` and the next `&`, and closes the browser. The request for that URL never leaves.
//! - It posts with curl: pieces put together as they are, five seconds in all, and a status of 400 or more is a failure
//!   whose body nobody reads.
//! - It keeps the first refresh token that it ever got.

use std::process::{Command, Stdio};
use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, What};
use serde_json::Value;

use crate::support::World;

const HOUR: Duration = Duration::from_secs(3600);

struct Obs<'a> {
    world: &'a World,
    refresh_token: String,
    access_token: String,
    logins_asked_for: u32,
}

/// What OBS makes of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Token,
    /// It asks the user to log in.
    InvalidGrant,
    /// It goes on with what it has, and tries again at its next start.
    Failure,
}

impl<'a> Obs<'a> {
    fn log_in(world: &'a World) -> Self {
        let mut obs = Self { world, refresh_token: String::new(), access_token: String::new(), logins_asked_for: 0 };
        let code = obs.code_of_the_browser();
        let form = format!("action=redirect&client_id=obs client&grant_type=authorization_code&code={code}");
        let answer = obs.post(&form).expect("an answer");
        answer["refresh_token"].as_str().unwrap().clone_into(&mut obs.refresh_token);
        assert_eq!(obs.read(Some(&answer)), Read::Token);
        obs
    }

    /// The embedded browser, with cookies of its own.
    fn code_of_the_browser(&self) -> String {
        let away = self.world.get("/obs/v1/restream/redirect");
        let callback = self.world.sandbox.approve(away.location()).unwrap();
        let base = format!("{}/obs/", self.world.base);
        assert!(!callback.starts_with(&base), "OBS would take Restream's code: {callback}");
        let last = self.world.browse(&callback, away.cookie().as_deref());
        let url = last.location();
        assert!(url.starts_with(&base), "{last:?}");
        url.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
    }

    fn refresh(&mut self) -> Read {
        let form = format!(
            "action=redirect&client_id=obs client&grant_type=refresh_token&refresh_token={}",
            self.refresh_token
        );
        let answer = self.post(&form);
        let read = self.read(answer.as_ref());
        if read == Read::InvalidGrant {
            self.logins_asked_for += 1;
        }
        read
    }

    /// `None` is what libcurl reports as a failure: a status of 400 or more, no connection, or no answer in time.
    fn post(&self, form: &str) -> Option<Value> {
        let output = Command::new("curl")
            .args(["--silent", "--fail", "--max-time", "5", "--compressed", "--noproxy", "*"])
            .args(["--user-agent", "obs-basic 31.0.0", "--data-binary", form])
            .arg(format!("{}/obs/v1/restream/token", self.world.base))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    fn read(&mut self, answer: Option<&Value>) -> Read {
        let Some(answer) = answer else { return Read::Failure };
        if let Some(error) = answer["error"].as_str() {
            assert!(answer["error_description"].is_string(), "{answer}");
            return if error == "invalid_grant" { Read::InvalidGrant } else { Read::Failure };
        }
        // Text counts as 0, and the token as expired at once.
        assert!(answer["expires_in"].as_u64().unwrap() > 5, "{answer}");
        answer["access_token"].as_str().unwrap().clone_into(&mut self.access_token);
        Read::Token
    }
}

/// False, loudly, where curl is missing.
fn has_curl(test: &str) -> bool {
    if Command::new("curl").arg("--version").output().is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "curl is missing");
    eprintln!("LEFT OUT, because curl is missing: {test}");
    false
}

#[test]
fn obs_as_it_is_stays_logged_in_for_730_refreshes_with_faults_on() {
    if !has_curl("obs_as_it_is_stays_logged_in_for_730_refreshes_with_faults_on") {
        return;
    }
    let world = World::new();
    let mut obs = Obs::log_in(&world);
    let mut failures = 0;
    for number in 0..730 {
        world.advance(HOUR * 12);
        // OBS waits for four seconds at each of them.
        match number % 146 {
            // Nothing was acted on.
            33 => world.sandbox.inject(Fault::new(What::status(503)).on(Endpoint::Token)),
            // Lost on the way there.
            99 => world.sandbox.inject(Fault::new(What::reset()).on(Endpoint::Token).before_acting()),
            _ => {}
        }
        // A failure passes: OBS tries again at its next start, or when the profile is loaded.
        let mut read = obs.refresh();
        while read == Read::Failure {
            failures += 1;
            assert!(failures < 2000, "OBS never gets a token again");
            world.advance(Duration::from_secs(60));
            read = obs.refresh();
        }
        assert_eq!(read, Read::Token, "refresh {number}");
        assert!(world.accepts(&obs.access_token), "refresh {number}");
    }
    assert_eq!(obs.logins_asked_for, 0);
    let ledger = world.sandbox.ledger();
    assert_eq!((ledger.exchanges, ledger.refreshes), (1, 730));
}

/// A refresh at Restream that takes longer than OBS waits.
#[test]
fn an_answer_that_comes_too_late_for_obs_is_there_at_its_next_try() {
    if !has_curl("an_answer_that_comes_too_late_for_obs_is_there_at_its_next_try") {
        return;
    }
    let world = World::new();
    let mut obs = Obs::log_in(&world);
    world.advance(HOUR);
    world.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(8))).on(Endpoint::Token));
    assert_eq!(obs.refresh(), Read::Failure);
    world.wait_until(|ledger| ledger.refreshes == 1);
    let mut read = obs.refresh();
    for _ in 0..10 {
        if read == Read::Token {
            break;
        }
        read = obs.refresh();
    }
    assert_eq!(read, Read::Token);
    assert!(world.accepts(&obs.access_token));
    assert_eq!((world.sandbox.ledger().refreshes, obs.logins_asked_for), (1, 0));
}

#[test]
fn obs_asks_for_a_login_once_the_user_has_ended_the_grant() {
    if !has_curl("obs_asks_for_a_login_once_the_user_has_ended_the_grant") {
        return;
    }
    let world = World::new();
    let mut obs = Obs::log_in(&world);
    world.sandbox.end_grants();
    world.advance(HOUR);
    assert_eq!(obs.refresh(), Read::InvalidGrant);
    assert_eq!(obs.logins_asked_for, 1);
    // The user logs in again, and has a handle of its own.
    let mut again = Obs::log_in(&world);
    assert_ne!(again.refresh_token, obs.refresh_token);
    world.advance(HOUR);
    assert_eq!(again.refresh(), Read::Token);
}

#[test]
fn a_code_of_obs_that_comes_twice_ends_its_handle() {
    if !has_curl("a_code_of_obs_that_comes_twice_ends_its_handle") {
        return;
    }
    let world = World::new();
    let mut obs = Obs::log_in(&world);
    let code = obs.code_of_the_browser();
    let form = format!("action=redirect&client_id=x&grant_type=authorization_code&code={code}");
    let first = obs.post(&form).unwrap();
    assert_eq!(obs.post(&form).unwrap()["error"], "invalid_grant");
    first["refresh_token"].as_str().unwrap().clone_into(&mut obs.refresh_token);
    assert_eq!(obs.refresh(), Read::InvalidGrant);
    world.wait_until(|ledger| ledger.revocations == 1);
}
