//! Controls a sandbox in another process.

use std::fmt::Debug;

use js_sys::futures::JsFuture;
use js_sys::{Array, Function, JSON, Promise, Reflect};
use restream_oauth_conformance::Operation;
use restream_oauth_core::{Client, Endpoints};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, RequestInit, Response};

/// A sandbox, or an address without a server.
pub(crate) struct Sandbox {
    base_url: &'static str,
}

impl Sandbox {
    pub(crate) fn at(base_url: &'static str) -> Self {
        Self { base_url }
    }

    pub(crate) fn client(&self) -> Client {
        let builder = Client::builder("conformance").secret("s3cret").redirect_uri("http://127.0.0.1:8976/callback");
        builder.endpoints(Endpoints::at(self.base_url)).build().unwrap()
    }

    pub(crate) async fn reset(&self) -> Result<(), String> {
        self.post("reset", "").await.map(|_| ())
    }

    /// Injects a fault, in the sandbox's JSON.
    pub(crate) async fn inject(&self, fault: &str) -> Result<(), String> {
        self.post("faults", fault).await.map(|_| ())
    }

    /// Approves a login, as the user would. Returns the URL to which the sandbox redirects the browser.
    pub(crate) async fn approve(&self, authorization_url: &str) -> Result<String, String> {
        let answer = self.post("approve", authorization_url).await?;
        member(&answer, "callback").as_string().ok_or_else(|| "no callback".to_owned())
    }

    pub(crate) async fn ledger(&self) -> Result<Ledger, String> {
        self.control(&Request::new_with_str(&self.url("ledger"))).await.map(Ledger)
    }

    async fn post(&self, what: &str, body: &str) -> Result<JsValue, String> {
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&body.into());
        self.control(&Request::new_with_str_and_init(&self.url(what), &init)).await
    }

    async fn control(&self, request: &Result<Request, JsValue>) -> Result<JsValue, String> {
        let fetch: Function = Reflect::get(&js_sys::global(), &"fetch".into()).map_err(said)?.unchecked_into();
        let request = request.as_ref().map_err(said)?;
        let answer: Promise = fetch.call1(&js_sys::global(), request).map_err(said)?.unchecked_into();
        let answer: Response = JsFuture::from(answer).await.map_err(said)?.unchecked_into();
        let text = JsFuture::from(answer.text().map_err(said)?).await.map_err(said)?.as_string().unwrap_or_default();
        if answer.ok() { JSON::parse(&text).map_err(said) } else { Err(text) }
    }

    fn url(&self, what: &str) -> String {
        format!("{}/_sandbox/{what}", self.base_url)
    }
}

/// What a sandbox has seen.
pub(crate) struct Ledger(JsValue);

impl Ledger {
    pub(crate) fn count(&self, name: &str) -> u32 {
        let count = member(&self.0, name).as_f64().unwrap_or(f64::NAN);
        format!("{count}").parse().unwrap_or(u32::MAX)
    }

    /// The number of requests to the step's endpoint, without preflights.
    pub(crate) fn requests(&self, operation: Operation) -> usize {
        let is = |request: &JsValue, name: &str, value: &str| member(request, name) == value;
        let counted = |request: &JsValue| is(request, "path", operation.path()) && !is(request, "method", "OPTIONS");
        self.all_requests().iter().filter(counted).count()
    }

    /// The number of requests that the sandbox accepted although no client should send them.
    pub(crate) fn odd_requests(&self) -> usize {
        let oddities = |request: &JsValue| member(request, "oddities").unchecked_into::<Array>().length();
        self.all_requests().iter().filter(|request| oddities(request) > 0).count()
    }

    fn all_requests(&self) -> Array {
        member(&self.0, "requests").unchecked_into()
    }
}

fn member(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

fn said(thrown: impl Debug) -> String {
    format!("the remote control failed: {thrown:?}")
}
