//! A web application on axum: each browser has its own saved login while its user is away at Restream.
//!
//!     cargo run -p restream-oauth-hyper --example web_application
//!
//! starts a local Restream and serves <http://127.0.0.1:8976/login>. Open it in a browser.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum::{Router, routing::get};
use restream_oauth_core::login::state_of;
use restream_oauth_core::{AuthorizationCode, Client, Endpoints, Saved};
use restream_oauth_hyper::{Transport, entropy};
use restream_oauth_sandbox::Sandbox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::start()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8976").await?;
    let client = Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap_or_default())
        .redirect_uri(&sandbox.redirect_uris()[0])
        .endpoints(Endpoints::at(sandbox.base_url())) // leave this out for the real Restream
        .build()?;
    println!("Open http://127.0.0.1:8976/login in your browser.");
    axum::serve(listener, application(client, Transport::new()?)).await?;
    Ok(())
}

pub(crate) fn application(client: Client, transport: Transport) -> Router {
    let application = Application { client, transport, logins: Mutex::default(), tokens: Mutex::default() };
    Router::new().route("/login", get(login)).route("/callback", get(callback)).with_state(Arc::new(application))
}

struct Application {
    client: Client,
    transport: Transport,
    /// Logins under way, by browser and `state`. With several machines: in their database.
    logins: Mutex<HashMap<(String, String), (Instant, Saved)>>,
    /// Saved tokens, by user. In your program: in its database, encrypted.
    tokens: Mutex<HashMap<String, Saved>>,
}

/// Steps 1 and 2: saves a login for this browser, and sends the browser to Restream.
async fn login(State(application): State<Arc<Application>>, headers: HeaderMap) -> Result<Response, Failed> {
    let browser = match browser_of(&headers) {
        Some(browser) => browser,
        None => random_text()?,
    };
    let login = application.client.login(entropy()?);
    let key = (browser.clone(), login.state().expose_secret().to_owned());
    let mut logins = application.logins.lock().unwrap_or_else(PoisonError::into_inner);
    // A login that takes longer than ten minutes was abandoned. Your program also limits how many one address may begin.
    logins.retain(|_, (begun, _)| begun.elapsed() < Duration::from_secs(600));
    logins.insert(key, (Instant::now(), login.to_saved()));
    // With https, which every public server has, add `; Secure` and call the cookie `__Host-browser`.
    let cookie = format!("browser={browser}; Path=/; HttpOnly; SameSite=Lax; Max-Age=600");
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(login.url().as_str())).into_response())
}

/// Step 2 ends, and step 3: checks that the callback belongs to this browser, and gets the tokens.
async fn callback(
    State(application): State<Arc<Application>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    // A browser that fetches ahead comes again when its user does. A code works once, so it is not read now.
    let says_prefetch = |name| headers.get(name).and_then(|value| value.to_str().ok()?.find("prefetch")).is_some();
    if says_prefetch("sec-purpose") || says_prefetch("purpose") {
        return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
    }
    let code = application.accept(&headers, &uri.to_string())?;
    // In a task of its own: axum drops this function when the browser goes away, and the tokens must be kept even then.
    let user = tokio::spawn(async move { application.exchange(&code).await }).await??;
    Ok(format!("Logged in as user {user}.").into_response())
}

impl Application {
    /// Finds the saved login, and deletes it once its callback was accepted. All under one lock, so that of two callbacks
    /// with the same code only one is accepted. A wrong callback leaves the login as it was.
    fn accept(&self, headers: &HeaderMap, uri: &str) -> Result<AuthorizationCode, Failed> {
        let browser = browser_of(headers).ok_or("this browser has begun no login")?;
        let key = (browser, state_of(uri)?.expose_secret().to_owned());
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, saved) = logins.get(&key).ok_or("this browser has not begun this login")?;
        let code = self.client.restore_login(saved.expose_secret())?.read_callback(uri)?;
        logins.remove(&key);
        Ok(code)
    }

    async fn exchange(&self, code: &AuthorizationCode) -> Result<String, Failed> {
        let tokens = self.transport.send(self.client.exchange(code)).await?;
        let profile = self.transport.send(self.client.profile(tokens.access_token())?).await?;
        let user = profile.id().to_owned();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(user.clone(), tokens.to_saved());
        Ok(user)
    }
}

fn browser_of(headers: &HeaderMap) -> Option<String> {
    let mut cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.find_map(|line| line.split("; ").find_map(|cookie| cookie.strip_prefix("browser="))).map(str::to_owned)
}

fn random_text() -> Result<String, getrandom::Error> {
    Ok(format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?))
}

/// A page that says what went wrong. No message of the core holds a secret.
struct Failed(Box<dyn Error + Send + Sync>);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("Not logged in: {}.", self.0)).into_response()
    }
}
