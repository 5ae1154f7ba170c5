#!/usr/bin/env bash
# Software: the Rust crate rspotify 0.16.1 (crates.io) with ureq, against a token service on loopback that rotates.
#
# What was run: `refresh_token` twice in a row, by each of the crate's two clients of a user: `AuthCodeSpotify`, which has a
# client secret, and `AuthCodePkceSpotify`, which has none. The service answers with a new refresh token (RFC 6749,
# section 6). A callback, as the crate offers it for saving, notes what it is given.
#
# A good engineer would guess: both clients keep the refresh token of the answer, and the old one only if the answer has none.
#
# What happens: `AuthCodeSpotify` writes the refresh token that it has just sent over the one that came, whatever came.
# Memory, cache file and callback all get the spent one; the new one is nowhere. The first refresh succeeds, and the second is
# refused with "status code 400", without the reason. The client with PKCE keeps the new one.
#
# What follows: at a server that rotates for confidential clients the grant is lost one hour after the first refresh, although no
# call has failed, and reuse detection ends it. Which of two clients of one crate is used decides.
#
# How to avoid: use the client with PKCE, or refresh with an OAuth crate and hand the crate only access tokens.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat > Cargo.toml <<'X'
[package]
name = "probe"
version = "0.1.0"
edition = "2021"
[dependencies]
rspotify = { version = "=0.16.1", default-features = false, features = ["client-ureq"] }
X
cat > src/main.rs <<'X'
use rspotify::{prelude::*, AuthCodePkceSpotify, AuthCodeSpotify, CallbackError, Config, Credentials, OAuth, Token, TokenCallback};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::sync::{Arc, Mutex};

static POSTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Rotates: R1 gives R2, R2 gives R3. A token that is spent is refused.
fn serve(listener: std::net::TcpListener) {
    for stream in listener.incoming() {
        let mut reader = BufReader::new(stream.unwrap());
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let sent: u32 = body.split('&').find_map(|it| it.strip_prefix("refresh_token=R")).unwrap().parse().unwrap();
        let mut posts = POSTS.lock().unwrap();
        let spent = posts.contains(&format!("R{sent}"));
        posts.push(format!("R{sent}"));
        let (status, answer) = if spent {
            ("400 Bad Request", r#"{"error":"invalid_grant","error_description":"Refresh token revoked"}"#.to_owned())
        } else {
            let next = sent + 1;
            ("200 OK", format!(r#"{{"access_token":"A{next}","token_type":"Bearer","expires_in":3600,"refresh_token":"R{next}","scope":""}}"#))
        };
        write!(reader.get_mut(), "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}", answer.len()).unwrap();
    }
}

fn main() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let auth_base_url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(|| serve(listener));
    let told = Arc::new(Mutex::new(None));
    let config = || {
        let told = Arc::clone(&told);
        let callback = TokenCallback(Box::new(move |token: Token| { *told.lock().unwrap() = token.refresh_token; Ok::<(), CallbackError>(()) }));
        Config { auth_base_url: auth_base_url.clone(), token_callback_fn: Arc::new(Some(callback)), ..Config::default() }
    };
    let token = Token { access_token: "A1".into(), refresh_token: Some("R1".into()), ..Token::default() };
    let code = AuthCodeSpotify::from_token_with_config(token.clone(), Credentials::new("id", "secret"), OAuth::default(), config());
    let pkce = AuthCodePkceSpotify::from_token_with_config(token, Credentials::new_pkce("id"), OAuth::default(), config());
    fn run(name: &str, client: &impl BaseClient, told: &Mutex<Option<String>>) {
        POSTS.lock().unwrap().clear();
        for _ in 0..2 {
            let result = client.refresh_token().map_err(|error| error.to_string());
            let held = client.get_token().lock().unwrap().as_ref().and_then(|it| it.refresh_token.clone());
            println!("{name} {}, holds {}, callback got {}, sent so far {}", result.err().unwrap_or("works".into()), held.unwrap(), told.lock().unwrap().as_deref().unwrap(), POSTS.lock().unwrap().join(" "));
        }
    }
    run("code", &code, &told);
    run("pkce", &pkce, &told);
}
X
CARGO_TARGET_DIR="$dir/target" cargo run --quiet | tee seen
diff seen - <<'X'
code works, holds R1, callback got R1, sent so far R1
code http error: status code 400, holds R1, callback got R1, sent so far R1 R1
pkce works, holds R2, callback got R2, sent so far R1
pkce works, holds R3, callback got R3, sent so far R1 R2
X
