//! The parts of the page that change, as HTML on one line each.

use std::fmt::Write as _;

use crate::calendar::rfc3339;
use crate::http::page::escaped;
use crate::http::state::State;
use crate::ledger::seen_request::SeenRequest;
use crate::ledger::{Ledger, Numbered};
use crate::restream::authorization_server::LivingGrant;
use crate::system::sync::lock;

/// The largest number of requests on the page.
pub(crate) const MOST_ROWS: usize = 200;
/// The largest number of grants and of faults on the page.
const MOST_ITEMS: usize = 50;
/// The largest number of characters of a path on the page.
const MOST_OF_A_PATH: usize = 80;

/// One request as a row of the table.
pub(crate) fn row(Numbered { number, request, .. }: &Numbered) -> String {
    let notes: Vec<_> = request.notes().iter().map(|note| format!("<li>{}</li>", with_code(note))).collect();
    let notes = if notes.is_empty() { String::new() } else { format!("<ul>{}</ul>", notes.concat()) };
    let time = rfc3339(request.arrived_at);
    let path: String = request.path.chars().take(MOST_OF_A_PATH).collect();
    let parameters: Vec<_> = request.query_parameters.iter().chain(&request.form_parameters).cloned().collect();
    format!(
        "<tr id=\"request-{number}\"><td>{number}</td><td><time datetime=\"{time}\">{clock}</time></td>\
         <td><code>{method} {path}</code><small>{parameters}</small></td><td>{client}</td><td>{answer}</td>\
         <td>{notes}</td></tr>",
        clock = time.get(11..23).unwrap_or(&time),
        method = escaped(&request.method),
        path = escaped(&path),
        parameters = escaped(&parameters.join(", ")),
        client = client(request),
        answer = answer(request),
    )
}

/// How the client authenticated.
fn client(request: &SeenRequest) -> String {
    let authentication = request.client_authentication.as_str();
    match request.basic_encoding {
        Some(encoding) => format!("{authentication}, {}", encoding.as_str()),
        None => authentication.to_owned(),
    }
}

fn answer(request: &SeenRequest) -> String {
    let (class, status) = match (request.status, request.answered) {
        (Some(status), _) if status < 400 => ("good", status.to_string()),
        (Some(status), _) => ("bad", status.to_string()),
        (None, true) => ("bad", "none".to_owned()),
        (None, false) => ("pending", "pending".to_owned()),
    };
    let fault = request.fault.map(|fault| format!("<small>fault: {fault}</small>")).unwrap_or_default();
    format!("<span class=\"{class}\">{status}</span>{fault}")
}

/// The text between backquotes becomes code.
fn with_code(note: &str) -> String {
    let mut html = String::new();
    for (at, part) in note.split('`').enumerate() {
        let part = escaped(part);
        // Writing to a String cannot fail.
        let _ = if at % 2 == 1 { write!(html, "<code>{part}</code>") } else { write!(html, "{part}") };
    }
    html
}

/// The counts, the faults that wait, and the grants that live.
pub(crate) fn now(state: &State, totals: &Ledger) -> String {
    let faults: Vec<_> = lock(&state.faults).waiting().map(ToString::to_string).collect();
    let grants = state.provider.living_grants();
    format!("{}{}{}", counts(totals), faults_section(&faults), grants_section(&grants))
}

fn counts(totals: &Ledger) -> String {
    let counts = [
        ("Codes issued", totals.codes_issued),
        ("Exchanges", totals.exchanges),
        ("Refreshes", totals.refreshes),
        ("Revocations", totals.revocations),
        ("Dead refresh tokens used", totals.dead_refresh_tokens_used),
        ("Dead access tokens used", totals.dead_access_tokens_used),
        ("Codes used twice", totals.codes_replayed),
        ("Redirects followed", totals.canary_hits),
    ];
    let counts = counts.map(|(name, count)| format!("<div><dt>{name}</dt><dd>{count}</dd></div>"));
    format!("<dl class=\"counts\">{}</dl>", counts.concat())
}

fn faults_section(faults: &[String]) -> String {
    let items: Vec<_> = faults.iter().take(MOST_ITEMS).map(|fault| format!("<li>{}</li>", escaped(fault))).collect();
    let list =
        if items.is_empty() { "<p>No fault waits.</p>".to_owned() } else { format!("<ol>{}</ol>", items.concat()) };
    format!(
        "<section><h2>Faults that wait</h2>{list}{}<form method=\"post\" action=\"/_sandbox/page/clear-faults\">\
         <button{}>Clear all faults</button></form></section>",
        and_more(faults.len()),
        disabled_if(faults.is_empty()),
    )
}

fn grants_section(grants: &[LivingGrant]) -> String {
    let button = |value: &str, label: &str, none: bool| {
        format!("<button name=\"grant\" value=\"{value}\"{}>{label}</button>", disabled_if(none))
    };
    let item = |grant: &LivingGrant| {
        let number = grant.number;
        format!(
            "<li>Grant {number}: {}, {} {}</li>",
            counted(grant.access_tokens, "access token"),
            counted(grant.refresh_tokens, "refresh token"),
            button(&number.to_string(), &format!("End grant {number}"), false),
        )
    };
    let items: String = grants.iter().rev().take(MOST_ITEMS).map(item).collect();
    let list = if items.is_empty() { "<p>No grant lives.</p>".to_owned() } else { format!("<ul>{items}</ul>") };
    format!(
        "<section><h2>Grants that live</h2><form method=\"post\" action=\"/_sandbox/page/end-grants\">{list}{}{}</form>\
         </section>",
        and_more(grants.len()),
        button("all", "End all grants", grants.is_empty()),
    )
}

fn and_more(number: usize) -> String {
    match number.saturating_sub(MOST_ITEMS) {
        0 => String::new(),
        more => format!("<p>and {more} more</p>"),
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Spelled as browsers serialise it, so that the script can tell whether something has changed.
fn disabled_if(disabled: bool) -> &'static str {
    if disabled { " disabled=\"\"" } else { "" }
}
