//! A stand-in for OBS Studio: it does what OBS does, and nothing else.
//!
//! - It opens the redirect in an embedded browser, looks at every URL that begins with its base, takes what stands between
//!   the first `code=` and the next `&`, and closes the browser. The request for that URL never leaves.
//! - It posts with curl: pieces put together as they are, five seconds in all, and a status of 400 or more is a failure
//!   whose body nobody reads.
//! - It keeps the first refresh token of a login, whatever a refresh brings.

use std::process::{Command, Stdio};

use restream_oauth_sandbox::Sandbox;
use serde_json::Value;

use crate::support::{accepts, open, skipped};

/// One copy of OBS Studio.
#[derive(Clone)]
pub(crate) struct Obs<'a> {
    /// `OAUTH_BASE_URL`, with which it was built. It ends with a slash.
    base: String,
    sandbox: &'a Sandbox,
    refresh_token: String,
    access_token: String,
    /// How often it asked its user to log in again.
    pub(crate) logins_asked_for: u32,
    /// Whether the code that it took last was Restream's own.
    pub(crate) took_restream_s_code: bool,
}

/// What OBS makes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Token,
    /// It asks the user to log in.
    InvalidGrant,
    /// It goes on with what it has, and tries again at its next start.
    Failure,
}

impl<'a> Obs<'a> {
    pub(crate) fn new(base: String, sandbox: &'a Sandbox) -> Self {
        Self {
            base,
            sandbox,
            refresh_token: String::new(),
            access_token: String::new(),
            logins_asked_for: 0,
            took_restream_s_code: false,
        }
    }

    /// The user logs in.
    pub(crate) fn log_in(&mut self) -> Read {
        let code = self.code_of_the_browser();
        self.redeem(&code)
    }

    /// The embedded browser, with cookies of its own.
    pub(crate) fn code_of_the_browser(&mut self) -> String {
        let away = open(&format!("{}v1/restream/redirect", self.base), None).unwrap();
        let callback = self.sandbox.approve(away.location()).unwrap();
        self.took_restream_s_code = callback.starts_with(&self.base);
        let url = if self.took_restream_s_code {
            callback
        } else {
            open(&callback, away.cookie().as_deref()).unwrap().location().to_owned()
        };
        assert!(url.starts_with(&self.base), "{url}");
        url.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
    }

    pub(crate) fn redeem(&mut self, code: &str) -> Read {
        let answer =
            self.post(&format!("action=redirect&client_id=obs client&grant_type=authorization_code&code={code}"));
        let read = self.read(answer.as_ref());
        if let (Read::Token, Some(answer)) = (&read, answer) {
            answer["refresh_token"].as_str().unwrap().clone_into(&mut self.refresh_token);
        }
        read
    }

    pub(crate) fn refresh(&mut self) -> Read {
        let answer = self.post(&format!(
            "action=redirect&client_id=obs client&grant_type=refresh_token&refresh_token={}",
            self.refresh_token
        ));
        let read = self.read(answer.as_ref());
        if read == Read::InvalidGrant {
            self.logins_asked_for += 1;
        }
        read
    }

    /// True if it can stream with the access token that it has.
    pub(crate) fn can_stream(&self) -> bool {
        accepts(self.sandbox, &self.access_token)
    }

    /// True if both keep the same refresh token.
    pub(crate) fn has_the_login_of(&self, other: &Self) -> bool {
        self.refresh_token == other.refresh_token
    }

    /// `None` is what libcurl reports as a failure: a status of 400 or more, no connection, or no answer in time.
    fn post(&self, form: &str) -> Option<Value> {
        let output = Command::new("curl")
            .args(["--silent", "--fail", "--max-time", "5", "--compressed", "--noproxy", "*"])
            .args(["--user-agent", "obs-basic 31.0.0", "--data-binary", form])
            .arg(format!("{}v1/restream/token", self.base))
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
pub(crate) fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok();
    if !found {
        let test = std::thread::current();
        skipped(&format!("curl is missing: {}", test.name().unwrap_or_default()));
    }
    found
}
