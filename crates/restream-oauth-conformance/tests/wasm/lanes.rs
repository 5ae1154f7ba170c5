//! Runs several scenarios at a time, because most of a run waits for answers and time limits.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::futures::{JsFuture, future_to_promise};
use js_sys::{Array, Promise, Reflect};
use restream_oauth_conformance::report::markdown;
use restream_oauth_conformance::{Certificate, Scenario, Server, stack, table};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

use crate::bench::try_scenario;
use crate::remote::Sandbox;

/// The http sandboxes: one for each lane.
const HTTP: Option<&str> = option_env!("CONFORMANCE_HTTP");
const GOOD: Option<&str> = option_env!("CONFORMANCE_GOOD");
const SELF_SIGNED: Option<&str> = option_env!("CONFORMANCE_SELF_SIGNED");
const EXPIRED: Option<&str> = option_env!("CONFORMANCE_EXPIRED");
const WRONG_HOST: Option<&str> = option_env!("CONFORMANCE_WRONG_HOST");
const NOBODY: Option<&str> = option_env!("CONFORMANCE_NOBODY");

/// undici's fetch.
#[wasm_bindgen_test]
async fn fetch_has_the_documented_outcome_in_every_scenario() {
    let in_node = Reflect::has(&js_sys::global(), &"process".into()).unwrap();
    let stack = if in_node { stack::NODE } else { stack::CHROMIUM };
    let (alone, together): (Vec<_>, Vec<_>) = table().into_iter().partition(|scenario| scenario.alone);
    let (mut over_tls, mut others): (Vec<_>, Vec<_>) =
        together.into_iter().partition(|scenario| matches!(scenario.server, Server::Https(_)));
    // The scenarios with the most cases begin first, so that they do not run alone at the end.
    for scenarios in [&mut over_tls, &mut others] {
        scenarios.sort_by_key(|scenario| Reverse(scenario.cases.len()));
    }
    let (over_tls, others) = (Queue::of(over_tls), Queue::of(others));
    let failures = Failures::default();
    // There is only one https server of each kind, so the scenarios over TLS run one after the other, in a lane of
    // their own.
    let lanes = Array::of1(&over_tls.work_off(stack, known(HTTP), &failures));
    for http in known(HTTP).split(' ') {
        lanes.push(&others.work_off(stack, http, &failures));
    }
    JsFuture::from(Promise::all(&lanes)).await.unwrap();
    let http = known(HTTP).split(' ').next().unwrap();
    JsFuture::from(Queue::of(alone).work_off(stack, http, &failures)).await.unwrap();

    let failures = failures.take();
    let failed: Vec<_> = failures.iter().map(|(scenario, _)| (stack, *scenario)).collect();
    console_log!("{}", markdown(&table(), &[stack], &failed));
    let all: Vec<_> = failures.iter().map(|(scenario, why)| format!("{scenario}: {why}")).collect();
    assert!(failures.is_empty(), "{} failures in {stack}:\n{}", failures.len(), all.join("\n"));
}

/// The names of the scenarios that failed, and why.
type Failures = Rc<RefCell<Vec<(&'static str, String)>>>;

/// Scenarios that no lane has taken yet.
#[derive(Clone)]
struct Queue(Rc<RefCell<VecDeque<Scenario>>>);

impl Queue {
    fn of(scenarios: Vec<Scenario>) -> Self {
        Self(Rc::new(RefCell::new(scenarios.into())))
    }

    /// Starts a lane, which runs scenarios until the queue is empty. The promise settles then.
    fn work_off(&self, stack: &'static str, http: &'static str, failures: &Failures) -> Promise {
        let (queue, failures) = (self.clone(), Rc::clone(failures));
        future_to_promise(async move {
            while let Some(scenario) = queue.next() {
                if let Err(why) = try_scenario(stack, &server(scenario.server, http), &scenario).await {
                    failures.borrow_mut().push((scenario.name, why));
                }
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    fn next(&self) -> Option<Scenario> {
        self.0.borrow_mut().pop_front()
    }
}

fn server(server: Server, http: &'static str) -> Sandbox {
    Sandbox::at(match server {
        Server::Http => http,
        Server::Https(Certificate::Good) => known(GOOD),
        Server::Https(Certificate::SelfSigned) => known(SELF_SIGNED),
        Server::Https(Certificate::Expired) => known(EXPIRED),
        Server::Https(Certificate::WrongHost) => known(WRONG_HOST),
        Server::Nobody => known(NOBODY),
        Server::Nowhere => "https://nowhere.invalid",
    })
}

/// Unwraps an address that was set at compile time: there is no environment at run time.
fn known(address: Option<&'static str>) -> &'static str {
    address.expect("build this with what the example `servers` prints, as .ci/wasm does")
}
