#!/usr/bin/env bash
# Software: the Rust crate yup-oauth2 12.1.2 (crates.io) with its default HTTP client, against a token service on loopback.
#
# What was run: a program without a person (a service, a job of cron) was once logged in, and its file of tokens holds an expired access
# token and a good refresh token. It asks for a token, and the token service answers 503; in another run nobody listens at
# its port. Then the service is well again, and the program still waits, for five seconds here.
#
# A good engineer would guess: the error is returned, or the refresh is tried again. Only `invalid_grant` says that a person has to
# log in.
#
# What happens: whatever goes wrong with the refresh, the error is dropped and the login begins from the start. The
# program prints "Please direct your browser to ...", opens a port for the browser, and the call does not return: there is no
# limit of time for it. The file still holds the good refresh token, and another call, which finds the service well, succeeds
# with it; the first call goes on waiting.
#
# What follows: one failed request stops a service until somebody starts it again; the log shows a request for
# a login instead of the 503, and somebody who follows it logs in for nothing.
#
# How to avoid: put a time limit around `token`, and treat its end as a failed refresh. A delegate whose `present_user_url`
# returns an error turns the login into an error, except that the reason of the failed refresh is gone.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat > Cargo.toml <<'X'
[package]
name = "probe"
version = "0.1.0"
edition = "2021"
[dependencies]
yup-oauth2 = { version = "=12.1.2", default-features = false, features = ["hyper-rustls", "ring"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread", "time"] }
X
cat > src/main.rs <<'X'
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use yup_oauth2::{ApplicationSecret, InstalledFlowAuthenticator, InstalledFlowReturnMethod};

static REQUESTS: AtomicUsize = AtomicUsize::new(0);

/// Answers 503 once, and then as a token service does.
fn serve(listener: TcpListener) {
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
        reader.read_exact(&mut vec![0; length]).unwrap();
        let (status, body) = match REQUESTS.fetch_add(1, Ordering::SeqCst) {
            0 => ("503 Service Unavailable", r#"{"error":"temporarily_unavailable"}"#),
            _ => ("200 OK", r#"{"access_token":"A2","token_type":"Bearer","expires_in":3600}"#),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        reader.get_mut().write_all((head + body).as_bytes()).unwrap();
    }
}

#[tokio::main]
async fn main() {
    for trouble in ["503", "nobody listens"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let token_uri = format!("http://{}/token", listener.local_addr().unwrap());
        if trouble == "503" {
            std::thread::spawn(|| serve(listener));
        } else {
            drop(listener);
        }
        let tokens = r#"[{"scopes":["scope"],"token":{"access_token":"A1","refresh_token":"R1","expires_at":[2020,1,0,0,0,0,0,0,0],"id_token":null}}]"#;
        std::fs::write("tokens.json", tokens).unwrap();
        let secret = ApplicationSecret {
            client_id: "id".into(),
            client_secret: "secret".into(),
            auth_uri: "https://provider.example/login".into(),
            token_uri,
            ..Default::default()
        };
        let program = InstalledFlowAuthenticator::builder(secret, InstalledFlowReturnMethod::HTTPRedirect)
            .persist_tokens_to_disk("tokens.json")
            .build()
            .await
            .unwrap();
        let outcome = match tokio::time::timeout(Duration::from_secs(5), program.token(&["scope"])).await {
            Ok(Ok(token)) => format!("the token {:?}", token.token()),
            Ok(Err(error)) => format!("the error {error}"),
            Err(_) => "nothing, the call still waits".to_owned(),
        };
        let kept = std::fs::read_to_string("tokens.json").unwrap().contains("R1");
        println!("{trouble}: after 5 s {outcome}; requests: {}; R1 is in the file: {kept}", REQUESTS.swap(0, Ordering::SeqCst));
        if trouble == "503" {
            REQUESTS.store(1, Ordering::SeqCst); // the service is well
            let again = program.token(&["scope"]).await.unwrap();
            println!("{trouble}: another call then: {:?}", again.token().unwrap());
            REQUESTS.store(0, Ordering::SeqCst);
        }
    }
}
X
CARGO_TARGET_DIR="$dir/target" cargo run --quiet | sed 's/browser to [^ ]*/browser to URL/' | tee output
diff output - <<'X'
Please direct your browser to URL and follow the instructions displayed there.
503: after 5 s nothing, the call still waits; requests: 1; R1 is in the file: true
503: another call then: "A2"
Please direct your browser to URL and follow the instructions displayed there.
nobody listens: after 5 s nothing, the call still waits; requests: 0; R1 is in the file: true
X
