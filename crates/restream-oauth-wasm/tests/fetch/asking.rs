//! The arguments that `fetch` gets, and a platform that lacks something. Some tests replace global functions.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{JSON, Object, Promise, Reflect};
use restream_oauth_core::{Advice, Delivery, RefreshToken};
use restream_oauth_wasm::{EntropyError, Transport, entropy};
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{ReferrerPolicy, Request, RequestCache, RequestCredentials, RequestRedirect};

use crate::sandbox::{Sandbox, client_of_nobody, in_node, refresh_token, transport};

#[wasm_bindgen_test]
async fn fetch_gets_no_cookies_no_cache_no_referrer_and_follows_no_redirect() {
    let checked = Closure::<dyn FnMut(Request) -> Promise>::new(|request: Request| {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.redirect(), RequestRedirect::Manual);
        assert_eq!(request.credentials(), RequestCredentials::Omit);
        assert_eq!(request.cache(), RequestCache::NoStore);
        assert_eq!(request.referrer_policy(), ReferrerPolicy::NoReferrer);
        assert_eq!(request.headers().get("content-type").unwrap().unwrap(), "application/x-www-form-urlencoded");
        Promise::reject(&JsValue::from("checked"))
    });
    let _fetch = Replaced::by("fetch", checked.as_ref());
    let call = client_of_nobody().refresh(&RefreshToken::new("any"));
    let unanswered = Transport::new().send(call).await.unwrap_err();
    assert_eq!(unanswered.delivery(), Delivery::Unknown);
}

/// `Deno.createHttpClient` is replaced by a function that gives a client, and by one that fails.
#[wasm_bindgen_test]
async fn a_call_asks_for_a_connection_of_its_own_and_does_without() {
    for given in [true, false] {
        let closed = Rc::new(Cell::new(false));
        let sees = Rc::clone(&closed);
        let close = Closure::<dyn FnMut()>::new(move || sees.set(true));
        let client = object_with("close", close.as_ref());
        let gives = client.clone();
        let create = Closure::<dyn FnMut(JsValue) -> Result<JsValue, JsValue>>::new(move |options: JsValue| {
            assert_eq!(Reflect::get(&options, &"poolMaxIdlePerHost".into()).unwrap(), 0);
            if given { Ok(gives.clone().into()) } else { Err(JsValue::NULL) }
        });
        let _deno = Replaced::by("Deno", &object_with("createHttpClient", create.as_ref()));
        let fetch = Closure::<dyn FnMut(Request, JsValue) -> Promise>::new(move |_, init: JsValue| {
            let handed = Reflect::get(&init, &"client".into()).is_ok_and(|handed| Object::is(&handed, &client));
            assert_eq!((handed, init.is_undefined()), (given, !given));
            Promise::reject(&JsValue::from("checked"))
        });
        let _fetch = Replaced::by("fetch", fetch.as_ref());
        let call = client_of_nobody().refresh(&RefreshToken::new("any"));
        assert_eq!(Transport::new().send(call).await.unwrap_err().delivery(), Delivery::Unknown);
        assert_eq!(closed.get(), given, "the client is closed");
    }
}

#[wasm_bindgen_test]
async fn a_request_has_only_the_documented_parameters_and_headers() {
    let sandbox = Sandbox::fresh().await;
    let granted = sandbox.grant().await;
    transport().send(sandbox.client().refresh(refresh_token(&granted))).await.unwrap();
    let ledger = sandbox.ledger().await;
    let requests = ledger.requests_to("/oauth/token");
    let refresh = requests.last().unwrap();
    assert!(refresh.contains(r#""form_parameters":["grant_type","refresh_token"]"#), "{refresh}");
    assert!(refresh.contains(r#""client_authentication":"basic""#), "{refresh}");
    // The sandbox accepts some requests that no client should send. It notes them as oddities.
    assert!(refresh.contains(r#""oddities":[]"#), "{refresh}");
    assert!(!refresh.contains("cookie") && !refresh.contains("referer"), "{refresh}");
    // A browser ignores the header `connection`.
    assert!(refresh.contains(r#""connection""#) || !in_node(), "{refresh}");
    // A stream with an announced length is not sent in chunks.
    assert!(refresh.contains(r#""content-length""#) && !refresh.contains("transfer-encoding"), "{refresh}");
}

/// undici's fetch.
///
/// The adapter announces a length for a stream only: `fetch` counts bytes itself.
#[wasm_bindgen_test]
async fn the_body_is_a_stream_only_if_fetch_is_undicis() {
    let node = json(r#"{"versions":{"node":"22.0.0","undici":"6.0.0"}}"#);
    let electrons_page = json(r#"{"versions":{"node":"22.0.0","undici":"6.0.0"},"type":"renderer"}"#);
    let deno = json(r#"{"versions":{"node":"26.3.0","deno":"2.9.6"}}"#);
    let workerd = json(r#"{"versions":{"node":"22.23.4","undici":""}}"#);
    let cases = [(node, true), (electrons_page, false), (deno, false), (workerd, false), (JsValue::UNDEFINED, false)];
    // In other runtimes a request with a stream cannot be made, or does not show the header.
    for (process, streams) in cases.into_iter().filter(|_| in_node()) {
        let announced = Rc::new(Cell::new(None));
        let sees = Rc::clone(&announced);
        let fetch = Closure::<dyn FnMut(Request) -> Promise>::new(move |request: Request| {
            sees.set(Some(request.headers().has("content-length").unwrap()));
            Promise::reject(&JsValue::from("checked"))
        });
        let _fetch = Replaced::by("fetch", fetch.as_ref());
        let unanswered = {
            let _process = Replaced::by("process", &process);
            Transport::new().send(client_of_nobody().refresh(&RefreshToken::new("any"))).await.unwrap_err()
        };
        assert_eq!((unanswered.delivery(), announced.get()), (Delivery::Unknown, Some(streams)), "{process:?}");
    }
}

#[wasm_bindgen_test]
async fn without_fetch_nothing_is_sent() {
    let _fetch = Replaced::by("fetch", &JsValue::UNDEFINED);
    let call = client_of_nobody().refresh(&RefreshToken::new("any"));
    let unsent = Transport::new().send(call).await.unwrap_err();
    assert_eq!((unsent.delivery(), unsent.advice()), (Delivery::NotSent, Advice::Retry { after: None }));
}

/// RFC 6749 §10.10.
#[wasm_bindgen_test]
fn without_randomness_there_is_no_entropy_for_a_login() {
    for broken in [JsValue::UNDEFINED, Object::new().into()] {
        let _crypto = Replaced::by("crypto", &broken);
        let error: EntropyError = entropy().unwrap_err();
        assert!(error.to_string().contains("getRandomValues"));
    }
}

/// RUSTSEC-2024-0343.
#[wasm_bindgen_test]
fn each_login_has_entropy_of_its_own() {
    let client = client_of_nobody();
    let [one, other] = [(); 2].map(|()| client.login(entropy().unwrap()).state());
    assert_ne!(one, other);
    assert!(one.expose_secret().bytes().any(|byte| byte != b'A'));
}

fn json(text: &str) -> JsValue {
    JSON::parse(text).unwrap()
}

fn object_with(name: &str, value: &JsValue) -> Object {
    let object = Object::new();
    Reflect::set(&object, &name.into(), value).unwrap();
    object
}

/// A global that has another value until this is dropped.
struct Replaced {
    name: &'static str,
    original: JsValue,
}

impl Replaced {
    fn by(name: &'static str, value: &JsValue) -> Self {
        let original = Reflect::get(&js_sys::global(), &name.into()).unwrap();
        define(name, value);
        Self { name, original }
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        define(self.name, &self.original);
    }
}

/// Defines a global anew. Some globals cannot be assigned.
fn define(name: &str, value: &JsValue) {
    let descriptor = Object::new();
    for (member, value) in [("value", value), ("configurable", &JsValue::TRUE), ("writable", &JsValue::TRUE)] {
        Reflect::set(&descriptor, &member.into(), value).unwrap();
    }
    assert!(Reflect::define_property(&js_sys::global(), &name.into(), &descriptor).unwrap());
}
