#!/usr/bin/env bash
# Software: the Rust crate twitch_oauth2 0.17.1 (crates.io), with an HTTP client of the script's own.
#
# What was run: a bot holds a `UserToken` and calls `refresh_token` when it is due. The first call fails: the network is
# away and nothing was sent, the server answers 503, or the caller's time is over and it drops the future. A moment later
# everything is well, and the bot calls `refresh_token` again.
#
# A good engineer would guess: a call that failed has changed nothing. The error is returned, and the next call tries again.
#
# What happens: the token is taken out of the value before the request is made, and put back only by a success. After any failure
# the `UserToken` has none, although the server would still accept it. The next call returns `NoRefreshToken`, without a
# request. The access token is still in it, so the value looks whole and works for as long as that lives.
#
# What follows: one bad second of the network logs a user out, at the first refresh after it. A program that saves the value
# after each call, failed ones too, writes the loss to its file.
#
# How to avoid: keep a copy of `refresh_token` from before the call, and put it back after an error; save nothing
# after an error. Let the call run in a task of its own that nobody drops.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat > Cargo.toml <<'X'
[package]
name = "probe"
version = "0.1.0"
edition = "2021"
[dependencies]
twitch_oauth2 = { version = "=0.17.1", default-features = false, features = ["client"] }
http = "1"
X
cat > src/main.rs <<'X'
use std::task::{Context, Poll, Waker};
use std::{future::Future, io, pin::pin, sync::Mutex};
use twitch_oauth2::{client::Client, ClientSecret, RefreshToken, TwitchToken as _, UserToken};

/// The first request meets with `trouble`; Twitch answers the others.
struct Network {
    trouble: Mutex<Option<&'static str>>,
    requests: Mutex<usize>,
}

impl Client for Network {
    type Error = io::Error;

    fn req(&self, _: http::Request<Vec<u8>>) -> impl Future<Output = Result<http::Response<Vec<u8>>, io::Error>> + Send + use<> {
        *self.requests.lock().unwrap() += 1;
        let trouble = self.trouble.lock().unwrap().take();
        async move {
            let (status, body) = match trouble {
                Some("away") => return Err(io::ErrorKind::NetworkUnreachable.into()),
                Some("503") => (503, r#"{"status":503,"message":"service unavailable"}"#),
                Some(_) => std::future::pending().await,
                None => (200, r#"{"access_token":"A2","expires_in":14400,"refresh_token":"R2","scope":[],"token_type":"bearer"}"#),
            };
            Ok(http::Response::builder().status(status).body(body.into()).unwrap())
        }
    }
}

fn main() {
    for trouble in ["none", "away", "503", "dropped"] {
        let network = Network { trouble: Mutex::new(Some(trouble).filter(|it| *it != "none")), requests: Mutex::new(0) };
        let mut token = UserToken::from_existing_unchecked(
            "A1", RefreshToken::from("R1"), "id", ClientSecret::from("secret"), "login".into(), "1".into(), None, None,
        );
        // One poll: the dropped one waits for an answer then.
        let failed = {
            let mut call = pin!(token.refresh_token(&network));
            match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => result.is_err(),
                Poll::Pending => true,
            }
        };
        let held = token.refresh_token.as_ref().map(|it| it.secret().to_owned());
        let sent = *network.requests.lock().unwrap();
        let again = match pin!(token.refresh_token(&network)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => "works".to_owned(),
            Poll::Ready(Err(error)) => format!("{error:?}"),
            Poll::Pending => "waits".to_owned(),
        };
        let requests = *network.requests.lock().unwrap() - sent;
        println!("{trouble:8} failed: {failed:5}  refresh token then: {held:?}  next call: {again}, requests: {requests}");
    }
}
X
CARGO_TARGET_DIR="$dir/target" cargo run --quiet | tee seen
grep -qx 'none  *failed: false  refresh token then: Some("R2")  next call: works, requests: 1' seen
for trouble in away 503 dropped; do
  grep -qx "$trouble  *failed: true   refresh token then: None  next call: NoRefreshToken, requests: 0" seen
done
