//! HTTP by hand: requests and replies are bytes, so that the tests see what is on the wire.
#![allow(dead_code)] // Each test file uses its part.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use restream_oauth_sandbox::Sandbox;

/// The state of a connection when reading stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Closed,
    Reset,
    StillOpen,
}

pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ended: Ended,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn status(&self) -> u16 {
        self.text().get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn head(&self) -> String {
        self.text().split_once("\r\n\r\n").map(|(head, _)| head.to_owned()).unwrap_or_default()
    }

    pub(crate) fn body(&self) -> String {
        self.text().split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.head();
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

pub(crate) fn connect(sandbox: &Sandbox) -> TcpStream {
    TcpStream::connect(authority(sandbox)).unwrap()
}

pub(crate) fn authority(sandbox: &Sandbox) -> &str {
    sandbox.base_url().split_once("://").unwrap().1
}

/// Reads until the server ends the connection, or sends nothing for `patience`.
pub(crate) fn read(mut stream: &TcpStream, patience: Duration) -> Reply {
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut bytes = Vec::new();
    let ended = match stream.read_to_end(&mut bytes) {
        Ok(_) => Ended::Closed,
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ended::Reset,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ended::StillOpen,
        Err(error) => panic!("{error}"),
    };
    Reply { bytes, ended }
}

/// The bytes of a request. It has `Connection: close`, so that the connection ends with the answer.
pub(crate) fn request(sandbox: &Sandbox, line: &str, headers: &str, body: &str) -> String {
    let (host, length) = (authority(sandbox), body.len());
    format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

pub(crate) fn send(sandbox: &Sandbox, line: &str, headers: &str, body: &str) -> Reply {
    let mut stream = connect(sandbox);
    stream.write_all(request(sandbox, line, headers, body).as_bytes()).unwrap();
    read(&stream, Duration::from_secs(5))
}

pub(crate) const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

pub(crate) fn post(sandbox: &Sandbox, path: &str, body: &str) -> Reply {
    send(sandbox, &format!("POST {path}"), FORM, body)
}

/// `client_id` and `client_secret`, to append to a form.
pub(crate) fn credentials(sandbox: &Sandbox) -> String {
    let (id, secret) = (sandbox.client_id(), sandbox.client_secret().unwrap());
    format!("&client_id={id}&client_secret={secret}")
}

pub(crate) fn login_path(sandbox: &Sandbox) -> String {
    let (id, uri) = (sandbox.client_id(), &sandbox.redirect_uris()[0]);
    format!("/login?response_type=code&client_id={id}&redirect_uri={uri}&state=xyz")
}

/// Approves, and returns the new code.
pub(crate) fn code(sandbox: &Sandbox) -> String {
    code_for(sandbox, sandbox.client_id())
}

/// Approves for a client whose id is given in its URL-encoded form.
pub(crate) fn code_for(sandbox: &Sandbox, encoded_id: &str) -> String {
    let path = login_path(sandbox).replace(sandbox.client_id(), encoded_id);
    let callback = sandbox.approve(&format!("{}{path}", sandbox.base_url())).unwrap();
    callback.split(['=', '&']).nth(1).unwrap().to_owned()
}

pub(crate) fn exchange_form(sandbox: &Sandbox) -> String {
    let (code, uri) = (code(sandbox), &sandbox.redirect_uris()[0]);
    format!("grant_type=authorization_code&redirect_uri={uri}&code={code}{}", credentials(sandbox))
}

/// Exchanges a new code.
pub(crate) fn exchange(sandbox: &Sandbox) -> Reply {
    let form = exchange_form(sandbox);
    post(sandbox, "/oauth/token", &form)
}

pub(crate) fn refresh(sandbox: &Sandbox, refresh_token: &str) -> Reply {
    let form = format!("grant_type=refresh_token&refresh_token={refresh_token}{}", credentials(sandbox));
    post(sandbox, "/oauth/token", &form)
}

pub(crate) fn profile(sandbox: &Sandbox, access_token: &str) -> Reply {
    send(sandbox, "GET /v2/user/profile", &format!("Authorization: Bearer {access_token}\r\n"), "")
}

/// Returns the access token and the refresh token of a new grant.
pub(crate) fn pair(sandbox: &Sandbox) -> (String, String) {
    let answer = exchange(sandbox).json();
    let member = |name: &str| answer[name].as_str().unwrap().to_owned();
    (member("access_token"), member("refresh_token"))
}
