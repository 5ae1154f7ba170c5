//! The line that a probe prints.
#![allow(dead_code)]

use std::time::Duration;

pub fn environment(name: &str) -> String {
    std::env::var(name).unwrap()
}

pub fn token_url() -> String {
    environment("BASE_URL") + "/oauth/token"
}

/// One API call more if the scenario asks for it.
pub fn calls() -> usize {
    if matches!(scenario().as_str(), "rotate" | "omitted" | "unavailable") { 2 } else { 1 }
}

pub fn scenario() -> String {
    std::env::args().nth(1).unwrap()
}

pub const PAUSE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub struct Report {
    pub access_token: Option<String>,
    pub refresh_token: Option<String>,
    /// The OAuth error code that the library documents.
    pub error: Option<String>,
    pub kind: Option<String>,
    /// An expression that gave `invalid_grant`.
    pub reach: Option<&'static str>,
    /// The library asked for a new login.
    pub login: bool,
}

impl Report {
    pub fn print(self) {
        println!(
            "{}",
            serde_json::json!({
                "access_token": self.access_token,
                "refresh_token": self.refresh_token,
                "error": self.error,
                "kind": self.kind,
                "reach": self.reach,
                "login": self.login,
            })
        );
    }
}
