//! The forms of the page: what they offer, and how the sandbox reads them.

use std::time::Duration;

use crate::http::page::escaped;
use crate::http::request::Request;
use crate::orders::fault::{BodyFraming, Ending, Endpoint, Fault, Point, Strikes, Times, What};
use crate::restream::error_response::ErrorResponse;
use crate::restream::form::Form;
use crate::restream::issued_tokens::Grant;

/// A word of a form, how the page names it, and its meaning.
type Choice<T> = (&'static str, &'static str, T);

const WHAT: [Choice<fn() -> What>; 14] = [
    ("lost_answer", "The answer is lost: the connection closes", What::lost_answer),
    ("reset", "The answer is lost: the connection is reset", What::reset),
    ("hang", "No answer: the server hangs", || What::Hang(Point::BeforeHead)),
    ("slow", "The answer comes after 10 seconds", || What::Delay(Duration::from_secs(10))),
    ("truncate", "The body is cut after 40 bytes", || What::Truncate {
        after: 40,
        framing: BodyFraming::Length,
        ending: Ending::Close,
    }),
    ("bad_json", "The JSON is cut, under a correct length", What::bad_json),
    ("unavailable", "503 with Retry-After", || What::retry_after(503, "5")),
    ("too_many", "429 with Retry-After", || What::retry_after(429, "5")),
    ("server_error", "500 without a body", || What::status(500)),
    ("gateway", "502 with an HTML page", || What::html(502)),
    ("portal", "200 with an HTML page, as a captive portal", || What::html(200)),
    ("redirect", "307 to another address", || What::redirect(307)),
    ("endless", "A body without an end", || What::Endless { answer_first: true }),
    ("gzip", "A body in gzip", || What::Gzip),
];
const ENDPOINT: [Choice<Endpoint>; 4] = [
    ("token", "token", Endpoint::Token),
    ("revoke", "revoke", Endpoint::Revoke),
    ("profile", "profile", Endpoint::Profile),
    ("any", "any", Endpoint::Any),
];
const TIMES: [Choice<Times>; 4] = [
    ("1", "once", Times::Count(1)),
    ("2", "twice", Times::Count(2)),
    ("3", "3 times", Times::Count(3)),
    ("always", "until all faults are cleared", Times::Always),
];
/// `None` is the default of the kind.
const STRIKES: [Choice<Option<Strikes>>; 3] = [
    ("usual", "as is usual for it", None),
    ("before_acting", "before the server acts", Some(Strikes::BeforeActing)),
    ("after_acting", "after the server has acted", Some(Strikes::AfterActing)),
];

/// The form that switches a fault on.
pub(crate) fn fault_form() -> String {
    format!(
        "<section aria-labelledby=\"fault-title\">\n<h2 id=\"fault-title\">Switch a fault on</h2>\n\
         <form class=\"row\" method=\"post\" action=\"/_sandbox/page/fault\">\n{}{}{}{}\
         <button>Switch on</button>\n</form>\n</section>",
        select("what", "Fault", &WHAT),
        select("endpoint", "Endpoint", &ENDPOINT),
        select("times", "How often", &TIMES),
        select("strikes", "When", &STRIKES),
    )
}

fn select<T>(name: &str, label: &str, choices: &[Choice<T>]) -> String {
    let option = |(word, words, _): &Choice<T>| format!("<option value=\"{word}\">{}</option>", escaped(words));
    let options: String = choices.iter().map(option).collect();
    format!("<label>{label} <select name=\"{name}\">{options}</select></label>\n")
}

/// The fault that the form asks for.
pub(crate) fn fault(request: &Request) -> Result<Fault, ErrorResponse> {
    let form = read(request);
    let what = chosen(&form, "what", &WHAT)?;
    let fault = Fault::new(what()).on(chosen(&form, "endpoint", &ENDPOINT)?);
    let fault = match chosen(&form, "times", &TIMES)? {
        Times::Count(count) => fault.times(count),
        Times::Always => fault.always(),
    };
    Ok(match chosen(&form, "strikes", &STRIKES)? {
        None => fault,
        Some(Strikes::BeforeActing) => fault.before_acting(),
        Some(Strikes::AfterActing) => fault.after_acting(),
    })
}

/// The grant that the form asks to end; `None` means all grants.
pub(crate) fn grant(request: &Request) -> Result<Option<Grant>, ErrorResponse> {
    match read(request).value("grant") {
        Some("all") => Ok(None),
        Some(number) => number.parse().map(Some).map_err(|_| expected("grant", "a number or all")),
        None => Err(expected("grant", "a number or all")),
    }
}

pub(crate) fn no_such_form() -> ErrorResponse {
    ErrorResponse::invalid_request("The page has no such form")
}

fn read(request: &Request) -> Form {
    request.form().unwrap_or_else(|| Form::parse(b""))
}

fn chosen<T: Copy>(form: &Form, name: &str, choices: &[Choice<T>]) -> Result<T, ErrorResponse> {
    let sent = form.value(name);
    choices.iter().find(|(word, ..)| sent == Some(word)).map(|(.., meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|(word, ..)| *word).collect();
        expected(name, &words.join(", "))
    })
}

fn expected(name: &str, what: &str) -> ErrorResponse {
    ErrorResponse::invalid_request(format!("`{name}`: expected {what}"))
}
