//! The examples do what they say, against a sandbox.

#[path = "../examples/desktop_login.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod desktop_login;
#[path = "../examples/web_application.rs"]
#[expect(dead_code, reason = "`main` starts what is started here")]
mod web_application;

use std::fs;
use std::path::PathBuf;

use restream_oauth_core::{Client, Endpoints};
use restream_oauth_hyper::Transport;
use restream_oauth_sandbox::Sandbox;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn the_desktop_example_waits_for_its_own_callback_and_saves_tokens_for_its_user_alone() {
    let (listener, sandbox, client) = setup().await;
    let folder = Folder::new("desktop");
    let file = folder.0.join("tokens.json");
    fs::write(&file, "old").unwrap();
    let browser = |url: &str| {
        let (callback, denial) = (sandbox.approve(url).unwrap(), sandbox.deny(url).unwrap());
        let forged = format!("{}?code=mine&state=mine", sandbox.redirect_uris()[0]);
        tokio::spawn(async move {
            // A connection without a request, a forged callback, a denial, and a change of mind.
            drop(TcpStream::connect(place_of(&callback)).await.unwrap());
            assert!(get(&forged, "").await.ends_with("This page is not part of the login."));
            assert!(get(&denial, "").await.ends_with("Denied. Go back to change your mind."));
            assert!(get(&callback, "").await.ends_with("Thank you. You can close this page."));
        });
    };
    let tokens = desktop_login::log_in(&client, &listener, &file, browser).await.unwrap();
    assert_eq!(client.restore_tokens(fs::read(&file).unwrap()).unwrap(), tokens);
    // Nothing else is left in the folder.
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions()) & 0o777, 0o600);
    // What a crash left behind is in nobody's way.
    fs::write(file.with_extension("new"), "a part").unwrap();
    desktop_login::save(&file, &tokens).unwrap();
    assert_eq!(client.restore_tokens(fs::read(&file).unwrap()).unwrap(), tokens);
    assert_eq!(sandbox.ledger().exchanges, 1);
}

#[tokio::test]
async fn the_desktop_example_ends_when_the_server_refuses_with_the_right_state() {
    let (listener, sandbox, client) = setup().await;
    let folder = Folder::new("refused");
    let browser = |url: &str| {
        let callback = sandbox.approve(url).unwrap();
        let (_, state) = callback.rsplit_once("&state=").unwrap();
        let refused = format!("{}?error=server_error&state={state}", sandbox.redirect_uris()[0]);
        tokio::spawn(async move { get(&refused, "").await });
    };
    let error = desktop_login::log_in(&client, &listener, &folder.0.join("tokens.json"), browser).await.unwrap_err();
    assert_eq!(error.to_string(), "the server refused the login with server_error");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[tokio::test]
async fn the_web_example_logs_in_the_browser_that_asked_and_no_other_and_once() {
    let (listener, sandbox, client) = setup().await;
    let login_page = format!("http://{}/login", listener.local_addr().unwrap());
    let application = web_application::application(client, Transport::new().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, application).await });

    let (cookie, callback) = begin(&sandbox, &login_page, "").await;
    // The same browser begins a second login in another tab, and another browser one of its own.
    let (same_cookie, second_callback) = begin(&sandbox, &login_page, &cookie).await;
    let (other_cookie, _) = begin(&sandbox, &login_page, "").await;
    assert_eq!(cookie, same_cookie);
    assert_ne!(cookie, other_cookie);

    for (headers, status) in [
        (format!("{cookie}Sec-Purpose: prefetch;prerender\r\n"), "503"),
        (format!("{cookie}Purpose: prefetch\r\n"), "503"),
        (String::new(), "400"),
        (other_cookie, "400"),
    ] {
        assert!(get(&callback, &headers).await.starts_with(&format!("HTTP/1.1 {status}")), "{headers}");
    }
    assert_eq!(sandbox.ledger().exchanges, 0);
    for callback in [&second_callback, &callback] {
        assert!(get(callback, &cookie).await.contains("Logged in as user "));
        assert!(get(callback, &cookie).await.starts_with("HTTP/1.1 400"), "a second time");
    }
    assert_eq!(sandbox.ledger().exchanges, 2);
    server.abort();
}

/// Begins a login: the `Cookie` header of the browser, and where Restream sends it when its user approves.
async fn begin(sandbox: &Sandbox, login_page: &str, cookie: &str) -> (String, String) {
    let response = get(login_page, cookie).await;
    let header = |name: &str| {
        let line = response.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {response}")).to_owned()
    };
    let cookie = header("set-cookie: ").split_once(';').unwrap().0.to_owned();
    (format!("Cookie: {cookie}\r\n"), sandbox.approve(&header("location: ")).unwrap())
}

async fn setup() -> (TcpListener, Sandbox, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redirect_uri = format!("http://{}/callback", listener.local_addr().unwrap());
    let sandbox = Sandbox::builder().redirect_uri(&redirect_uri).start().unwrap();
    let client = Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap())
        .redirect_uri(redirect_uri)
        .endpoints(Endpoints::at(sandbox.base_url()));
    (listener, sandbox, client.build().unwrap())
}

/// What a browser does: a GET, whose whole answer is returned.
async fn get(url: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(place_of(url)).await.unwrap();
    let path = url.splitn(4, '/').nth(3).unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", place_of(url));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

fn place_of(url: &str) -> &str {
    url.split('/').nth(2).unwrap()
}

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("restream-oauth-examples-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
