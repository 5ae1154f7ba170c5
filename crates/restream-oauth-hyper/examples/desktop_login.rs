//! A desktop program logs its user in and saves the tokens: loopback redirect (RFC 8252 §7.3), a file with mode 0600 that
//! is replaced whole.
//!
//!     cargo run -p restream-oauth-hyper --example desktop_login
//!
//! starts a local Restream and prints a URL. Open it and click "Approve" or "Deny".

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use restream_oauth_core::login::CallbackError;
use restream_oauth_core::{AuthorizationCode, Client, Endpoints, Login, Tokens};
use restream_oauth_hyper::{Transport, entropy};
use restream_oauth_sandbox::Sandbox;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::start()?;
    // Restream compares redirect URIs exactly, so the port is a fixed one that is registered there.
    let listener = TcpListener::bind("127.0.0.1:8976").await?;
    let client = Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap_or_default())
        .redirect_uri(&sandbox.redirect_uris()[0])
        .endpoints(Endpoints::at(sandbox.base_url())) // leave this out for the real Restream
        .build()?;
    let file = std::env::temp_dir().join("restream-tokens.json");
    log_in(&client, &listener, &file, |url| println!("Open this page in your browser:\n\n{url}\n")).await?;
    println!("Logged in. The tokens are in {}.", file.display());
    Ok(())
}

/// Logs a user in. `open_browser` shows the URL to the user; a real program starts the browser with it.
pub(crate) async fn log_in(
    client: &Client,
    listener: &TcpListener,
    file: &Path,
    open_browser: impl FnOnce(&str),
) -> Result<Tokens, Box<dyn Error>> {
    let mut login = client.login(entropy()?);
    open_browser(login.url().as_str());
    let code = timeout(Duration::from_secs(600), wait_for_callback(listener, &mut login)).await??;
    let tokens = Transport::new()?.send(client.exchange(&code)).await?;
    save(file, &tokens)?;
    Ok(tokens)
}

/// Answers browsers until one of them brings the code. Anyone on this machine can connect, so only an error with the right
/// `state` ends the wait.
async fn wait_for_callback(listener: &TcpListener, login: &mut Login) -> Result<AuthorizationCode, Box<dyn Error>> {
    loop {
        let (mut browser, _) = listener.accept().await?;
        // A connection that sends nothing must not keep the real callback waiting.
        let Ok(Ok(target)) = timeout(Duration::from_secs(5), read_target(&mut browser)).await else { continue };
        match login.read_callback(&target) {
            Ok(code) => {
                show(&mut browser, "Thank you. You can close this page.").await;
                return Ok(code);
            }
            Err(CallbackError::NoParameters) => show(&mut browser, "Denied. Go back to change your mind.").await,
            Err(error @ CallbackError::Refused { .. }) => {
                show(&mut browser, "Restream did not log you in.").await;
                return Err(error.into());
            }
            Err(_) => show(&mut browser, "This page is not part of the login.").await,
        }
    }
}

/// The target in the request line: `/callback?code=…&state=…`.
async fn read_target(browser: &mut TcpStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(browser.take(16 * 1024)).read_line(&mut line).await?;
    line.split(' ').nth(1).map(str::to_owned).ok_or(io::ErrorKind::InvalidData.into())
}

async fn show(browser: &mut TcpStream, text: &str) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length:";
    // A browser that has gone away does not change what came of the login.
    let _ = browser.write_all(format!("{head} {}\r\n\r\n{text}", text.len()).as_bytes()).await;
    let _ = browser.shutdown().await;
}

/// Writes the tokens to a new file that only its user can read, and renames it over the old one. After a crash, `file`
/// holds the old tokens or the new ones, and never a part of either.
pub(crate) fn save(file: &Path, tokens: &Tokens) -> io::Result<()> {
    let temporary = file.with_extension("new");
    // What a crash left behind.
    let _ = fs::remove_file(&temporary);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut new = options.open(&temporary)?;
    new.write_all(tokens.to_saved().expose_secret().as_bytes())?;
    new.sync_all()?;
    fs::rename(&temporary, file)?;
    // The new name is on the disk only when the folder is.
    if cfg!(unix) { File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all() } else { Ok(()) }
}
