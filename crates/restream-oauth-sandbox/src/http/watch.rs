//! The page `/_sandbox/`, which a person reads while testing a client.
//!
//! The server renders everything, so that the page works without scripts. The script only puts in what is new. The page
//! shows no token, no secret and no value of a form, because the ledger has none.

pub(crate) mod forms;
pub(crate) mod rendering;

use std::time::Duration;

use crate::answer::Answer;
use crate::http::guard;
use crate::http::page;
use crate::http::page::escaped;
use crate::http::request::Request;
use crate::http::state::State;
use crate::http::watch::forms::fault_form;
use crate::http::watch::rendering::{MOST_ROWS, now, row};
use crate::ledger::Stamp;
use crate::system::sync::lock;

/// The whole page.
pub(crate) fn show(state: &State) -> Answer {
    // No book has an edition as late as this, so that every request counts as changed.
    let nothing = Stamp { edition: u64::MAX, revision: 0 };
    let recent = state.provider.book.recent(nothing, MOST_ROWS, Duration::ZERO);
    let rows: String = recent.requests.iter().rev().map(row).collect();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Restream sandbox</title>\n<link rel=\"stylesheet\" href=\"/_sandbox/page.css\">\n\
         <script src=\"/_sandbox/page.js\" defer></script>\n</head>\n\
         <body data-seen=\"{edition}.{revision}\">\n\
         <header>\n<h1>Restream sandbox</h1>\n\
         <p>A test server, no real account. This page shows no token, no secret and no value of a form.</p>\n\
         <p id=\"live\" role=\"status\">Load the page again to see new requests.</p>\n</header>\n<main>\n\
         <div id=\"now\">{now}</div>\n{fault_form}\n\
         <section aria-labelledby=\"requests-title\">\n<h2 id=\"requests-title\">Requests, the newest first</h2>\n\
         <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"requests-title\">\n<table>\n<thead><tr>\
         <th scope=\"col\">No.</th><th scope=\"col\">Time (UTC)</th><th scope=\"col\">Request</th>\
         <th scope=\"col\">Client</th><th scope=\"col\">Answer</th><th scope=\"col\">Notes</th></tr></thead>\n\
         <tbody id=\"requests\">{rows}</tbody>\n</table>\n{none}</div>\n</section>\n{settings}\n</main>\n</body>\n</html>\n",
        edition = recent.stamp.edition,
        revision = recent.stamp.revision,
        now = now(state, &recent.totals),
        fault_form = fault_form(),
        none = if rows.is_empty() { "<p id=\"none\">No request yet.</p>\n" } else { "" },
        settings = settings(state),
    );
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; \
                  frame-ancestors 'none'; base-uri 'none'";
    file("text/html; charset=utf-8", html)
        .header("Content-Security-Policy", policy)
        // The forms need an `Origin` that names this page.
        .header("Referrer-Policy", "same-origin")
}

/// The script of the page.
pub(crate) fn script() -> Answer {
    file("text/javascript; charset=utf-8", include_str!("../../assets/page.js").to_owned())
}

/// The style sheet of the page.
pub(crate) fn style() -> Answer {
    file("text/css; charset=utf-8", include_str!("../../assets/page.css").to_owned())
}

/// Does what a form of the page asks for, then shows the page again.
pub(crate) fn act(state: &State, request: &Request) -> Answer {
    if let Err(error) = guard::check_form(state, &request.head) {
        return error.into();
    }
    let outcome = match request.head.path() {
        "/_sandbox/page/fault" => forms::fault(request).map(|fault| lock(&state.faults).push(fault)),
        "/_sandbox/page/clear-faults" => {
            lock(&state.faults).clear();
            Ok(())
        }
        "/_sandbox/page/end-grants" => forms::grant(request).map(|only| {
            state.provider.end_grants(only);
        }),
        _ => Err(forms::no_such_form()),
    };
    match outcome {
        Ok(()) => Answer::new(303).header("Cache-Control", "no-store").header("Location", "/_sandbox/"),
        Err(error) => page::error(&error),
    }
}

fn file(content_type: &str, text: String) -> Answer {
    Answer::new(200)
        .header("Cache-Control", "no-store")
        .header("X-Content-Type-Options", "nosniff")
        .with_body(content_type, text.into_bytes())
}

/// What is registered, and the rules.
fn settings(state: &State) -> String {
    let settings = &state.provider.settings;
    let code = |text: &str| format!("<code>{}</code>", escaped(text));
    let codes = |texts: &[String]| texts.iter().map(|text| code(text)).collect::<Vec<_>>().join(" ");
    let secret = if settings.client_secret.is_some() { "registered" } else { "none: a public client" };
    let rules = state.provider.rules().words().into_iter();
    let rules: Vec<_> = rules.map(|(rule, word)| code(&format!("{rule}={word}"))).collect();
    let facts = [
        ("Address", code(&state.base_url)),
        ("Client id", code(&settings.client_id)),
        ("Client secret", secret.to_owned()),
        ("Redirect URIs", codes(&settings.redirect_uris)),
        ("Scopes", codes(&settings.scopes)),
        ("Rules", rules.join(" ")),
    ];
    let facts = facts.map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>")).concat();
    format!(
        "<section aria-labelledby=\"settings-title\">\n<h2 id=\"settings-title\">Settings</h2>\n<dl>{facts}</dl>\n</section>"
    )
}
