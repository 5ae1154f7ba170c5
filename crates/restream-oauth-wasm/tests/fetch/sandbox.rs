//! Controls the example `sandbox`, and gets clients and grants for the tests.

use std::time::Duration;

use js_sys::futures::JsFuture;
use js_sys::{Function, JSON, Promise, Reflect};
use restream_oauth_core::{Client, Endpoints, Error, RefreshToken, Tokens};
use restream_oauth_wasm::{Transport, entropy};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, RequestInit, Response};

const SANDBOX: Option<&str> = option_env!("RESTREAM_SANDBOX");
const GONE: Option<&str> = option_env!("RESTREAM_GONE");

/// The sandbox. Tests run one after the other, and each begins with [`fresh`](Self::fresh).
pub(crate) struct Sandbox {
    base_url: &'static str,
}

impl Sandbox {
    /// Resets the sandbox.
    pub(crate) async fn fresh() -> Self {
        let sandbox = Self { base_url: known(SANDBOX) };
        post(&format!("{}/_sandbox/reset", sandbox.base_url), "").await;
        sandbox
    }

    pub(crate) fn client(&self) -> Client {
        client_at(self.base_url, "s3cret:+&%")
    }

    pub(crate) fn client_with_wrong_secret(&self) -> Client {
        client_at(self.base_url, "wrong")
    }

    /// Injects a fault, in the sandbox's JSON.
    pub(crate) async fn inject(&self, fault: &str) {
        let answer = post(&format!("{}/_sandbox/faults", self.base_url), fault).await;
        assert!(answer.contains("true"), "{fault}: {answer}");
    }

    /// Runs steps 1 to 3.
    pub(crate) async fn grant(&self) -> Tokens {
        let client = self.client();
        let mut login = client.login(entropy().unwrap());
        let code = login.read_callback(&approve(login.url().as_str()).await).unwrap();
        transport().send(client.exchange(&code)).await.unwrap()
    }

    /// Gets a new grant, injects a fault, and sends a refresh.
    pub(crate) async fn refresh_with(&self, fault: &str) -> Result<Tokens, Error> {
        let granted = self.grant().await;
        self.inject(fault).await;
        transport().send(self.client().refresh(refresh_token(&granted))).await
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        let text = fetch(&Request::new_with_str(&format!("{}/_sandbox/ledger", self.base_url)).unwrap()).await;
        Ledger(JSON::parse(&text).unwrap())
    }
}

/// What the sandbox has seen.
pub(crate) struct Ledger(JsValue);

impl Ledger {
    pub(crate) fn count(&self, name: &str) -> u32 {
        let count = Reflect::get(&self.0, &name.into()).unwrap().as_f64().unwrap();
        format!("{count}").parse().unwrap()
    }

    /// The requests to one path, without preflights, as JSON.
    pub(crate) fn requests_to(&self, path: &str) -> Vec<String> {
        let requests: js_sys::Array = Reflect::get(&self.0, &"requests".into()).unwrap().unchecked_into();
        let texts = requests.iter().map(|request| String::from(JSON::stringify(&request).unwrap()));
        let path = format!(r#""path":"{path}""#);
        texts.filter(|text| text.contains(&path) && !text.contains(r#""method":"OPTIONS""#)).collect()
    }
}

/// Approves a login, as the user would. Returns the URL to which the sandbox redirects the browser.
pub(crate) async fn approve(authorization_url: &str) -> String {
    let answer = post(&format!("{}/_sandbox/approve", known(SANDBOX)), authorization_url).await;
    let callback = Reflect::get(&JSON::parse(&answer).unwrap(), &"callback".into()).unwrap();
    callback.as_string().unwrap_or_else(|| panic!("{answer}"))
}

/// A client of a server that refuses connections.
pub(crate) fn client_of_nobody() -> Client {
    client_at(known(GONE), "secret")
}

/// A transport with a time limit that lets a test fail soon.
pub(crate) fn transport() -> Transport {
    Transport::new().time_limit(Duration::from_secs(10))
}

pub(crate) fn refresh_token(tokens: &Tokens) -> &RefreshToken {
    tokens.refresh_token().unwrap()
}

/// Whether the tests run in Node, which shows much that browsers hide.
pub(crate) fn in_node() -> bool {
    Reflect::has(&js_sys::global(), &"process".into()).unwrap()
}

/// A function of the global object.
pub(crate) fn global_function(name: &str) -> Function {
    Reflect::get(&js_sys::global(), &name.into()).unwrap().unchecked_into()
}

/// Unwraps an address that was set at compile time: there is no environment at run time.
fn known(address: Option<&'static str>) -> &'static str {
    address.expect("build this with what the example `sandbox` prints, as .ci/wasm does")
}

fn client_at(base_url: &str, secret: &str) -> Client {
    Client::builder("wasm-suite")
        .secret(secret)
        .redirect_uri("https://app.example/callback")
        .endpoints(Endpoints::at(base_url))
        .build()
        .unwrap()
}

async fn post(url: &str, body: &str) -> String {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&body.into());
    fetch(&Request::new_with_str_and_init(url, &init).unwrap()).await
}

async fn fetch(request: &Request) -> String {
    let promise: Promise = global_function("fetch").call1(&js_sys::global(), request).unwrap().unchecked_into();
    let response: Response = JsFuture::from(promise).await.unwrap().unchecked_into();
    JsFuture::from(response.text().unwrap()).await.unwrap().as_string().unwrap()
}
