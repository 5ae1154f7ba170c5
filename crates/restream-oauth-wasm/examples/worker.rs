//! An endpoint at the edge, in Rust. It has the client secret, so pages and devices do not need it.
//!
//! The router accepts the same handlers as axum: functions whose futures are `Send`. The future of a call is not
//! `Send`, because it awaits a promise (`js_sys::futures::JsFuture`), which stays on its thread. A worker has only one
//! thread, so a wrapper that checks the thread can make the future `Send`. This example uses
//! `send_wrapper::SendWrapper`. Cloudflare's `worker` crate has `worker::send::SendFuture`, and `#[worker::send]` for
//! handlers.
//!
//! To use axum itself, keep the handlers, make `App` the state, and begin with this entry point:
//!
//! ```text
//! #[worker::event(fetch)]
//! async fn fetch(request: HttpRequest, env: Env, _: Context) -> worker::Result<http::Response<axum::body::Body>> {
//!     Ok(router(env)?.call(request).await?)
//! }
//! ```
//!
//! The example does not authenticate its callers: that is up to the application. The tests in `tests/fetch` run the
//! example over `fetch`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use restream_oauth_core::{Advice, Call, Client, Error, RefreshToken};
use restream_oauth_wasm::Transport;
use send_wrapper::SendWrapper;

/// What the handlers share.
pub(crate) struct App {
    pub(crate) client: Client,
    pub(crate) transport: Transport,
}

impl App {
    /// Sends a call, with a future that is `Send`. The future panics on another thread, which a worker does not have.
    fn send<T>(&self, call: Call<T>) -> impl Future<Output = Result<T, Error>> + Send {
        SendWrapper::new(self.transport.send(call))
    }
}

pub(crate) fn router(app: App) -> Router {
    Router::new(app).route("/refresh", refresh).route("/revoke", revoke)
}

/// Takes a refresh token, and returns the new pair in its saved form.
async fn refresh(app: Arc<App>, request: Request<String>) -> Response<String> {
    let call = app.client.refresh(&RefreshToken::new(request.into_body()));
    match app.send(call).await {
        Ok(tokens) => answer(StatusCode::OK, tokens.to_saved().expose_secret()),
        Err(error) => failed(&error),
    }
}

async fn revoke(app: Arc<App>, request: Request<String>) -> Response<String> {
    match app.send(app.client.revoke(&RefreshToken::new(request.into_body()))).await {
        Ok(_) => answer(StatusCode::NO_CONTENT, ""),
        Err(error) => failed(&error),
    }
}

/// Tells the user's device what to do now. The error itself belongs in the worker's log.
fn failed(error: &Error) -> Response<String> {
    let (status, words) = match error.advice() {
        Advice::Reauthorize => (StatusCode::UNAUTHORIZED, "log in again"),
        Advice::Replay => (StatusCode::BAD_GATEWAY, "send the same refresh token again"),
        Advice::Retry { .. } => (StatusCode::SERVICE_UNAVAILABLE, "try again later"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "this does not work now"),
    };
    answer(status, words)
}

fn answer(status: StatusCode, body: &str) -> Response<String> {
    let mut answer = Response::new(body.to_owned());
    *answer.status_mut() = status;
    answer
}

type Handler = Box<dyn Fn(Arc<App>, Request<String>) -> Answering + Send + Sync>;
type Answering = Pin<Box<dyn Future<Output = Response<String>> + Send>>;

/// Requires of its handlers what axum's router requires.
pub(crate) struct Router {
    app: Arc<App>,
    routes: Vec<(&'static str, Handler)>,
}

impl Router {
    fn new(app: App) -> Self {
        Self { app: Arc::new(app), routes: Vec::new() }
    }

    fn route<H, F>(mut self, path: &'static str, handler: H) -> Self
    where
        H: Fn(Arc<App>, Request<String>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<String>> + Send + 'static,
    {
        self.routes.push((path, Box::new(move |app, request| Box::pin(handler(app, request)))));
        self
    }

    pub(crate) async fn call(&self, request: Request<String>) -> Response<String> {
        match self.routes.iter().find(|(path, _)| *path == request.uri().path()) {
            Some((_, handler)) => handler(Arc::clone(&self.app), request).await,
            None => answer(StatusCode::NOT_FOUND, "no such path"),
        }
    }
}

/// A worker is a library and has no `main`. This one shows that the parts fit together.
#[cfg(not(test))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let builder = Client::builder("client-id").secret("client-secret").redirect_uri("https://app.example/callback");
    let router = router(App { client: builder.build()?, transport: Transport::new() });
    let future = router.call(Request::new(String::new()));
    drop(future);
    Ok(())
}
