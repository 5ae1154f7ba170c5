//! What happens to the accounts, as lines of JSON on standard output. No line holds a secret.
//!
//! Every line has `time`, `account`, `event` and `message`. The other members depend on the event.

use std::time::{Duration, SystemTime};

use restream_oauth_keeper::{Event, EventKind, Events, GrantName};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::commands::keep::offer::Offer;
use crate::terminal::{alert, print_json};
use crate::tokens::status::{cause, rfc_3339};

/// How long the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Begins to print. A thread of its own does it, because a reader of standard output that reads nothing must not stop
/// the keeper.
pub(crate) fn print(offer: &Offer, events: Events) -> JoinHandle<()> {
    let offer = offer.clone();
    tokio::task::spawn_blocking(move || {
        let mut is_open = true;
        for event in events {
            for_people(&event);
            if !is_open {
                continue;
            }
            let expires_at = promised_until(&event, &offer);
            if let Err(failure) = print_json(&line(&event, expires_at.as_deref(), SystemTime::now())) {
                // To keep the accounts is worth more than to report it.
                alert(failure.message());
                is_open = false;
            }
        }
    })
}

/// Waits for the last lines, unless nobody reads them.
pub(crate) async fn finish(printer: JoinHandle<()>) {
    let _ = timeout(LAST_LINES, printer).await;
}

/// Says what a person has to act on.
fn for_people(event: &Event) {
    let Event { grant, kind } = event;
    if matches!(kind, EventKind::Dead { .. } | EventKind::Stranded { .. }) {
        alert(&format!("account {grant}: {kind}"));
    }
}

/// Until when the token of a new pair is promised.
fn promised_until(event: &Event, offer: &Offer) -> Option<String> {
    match event.kind {
        EventKind::LoggedIn { generation }
        | EventKind::Rotated { generation }
        | EventKind::Recovered { generation } => rfc_3339(offer.usable_until(&event.grant, generation)?),
        _ => None,
    }
}

/// One line. `expires_at` is until when the new token is promised.
fn line(event: &Event, expires_at: Option<&str>, now: SystemTime) -> Value {
    let Event { grant, kind } = event;
    let mut line = json!({
        "time": rfc_3339(now),
        "account": GrantName::as_str(grant),
        "event": name(kind),
        "message": kind.to_string(),
    });
    match kind {
        EventKind::LoggedIn { generation }
        | EventKind::Rotated { generation }
        | EventKind::Recovered { generation } => {
            add(&mut line, "generation", json!(generation));
            add(&mut line, "expires_at", json!(expires_at));
        }
        EventKind::InDoubt { sends, error } => {
            add(&mut line, "sends", json!(sends));
            add(&mut line, "error", json!(error.as_ref().map(ToString::to_string)));
        }
        EventKind::Dead { why } => add(&mut line, "dead_because", json!(cause(*why))),
        EventKind::Stranded { attempt, .. } => add(&mut line, "attempt", json!(attempt)),
        _ => {}
    }
    line
}

fn add(line: &mut Value, member: &str, value: Value) {
    if let Some(members) = line.as_object_mut() {
        members.insert(member.to_owned(), value);
    }
}

fn name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::LoggedIn { .. } => "logged_in",
        EventKind::Rotated { .. } => "rotated",
        EventKind::InDoubt { .. } => "in_doubt",
        EventKind::Recovered { .. } => "recovered",
        EventKind::Dead { .. } => "dead",
        EventKind::Stranded { .. } => "stranded",
        EventKind::Throttled => "throttled",
        EventKind::Failed(_) => "failed",
        EventKind::LoggedOut => "logged_out",
        EventKind::Odd(_) => "odd",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use restream_oauth_keeper::DeathCause;

    use super::*;

    #[test]
    fn a_line_says_when_what_happened_to_which_account() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let event = |kind| Event { grant: "bot".parse().unwrap(), kind };
        let rotated = line(&event(EventKind::Rotated { generation: 3 }), Some("2026-11-18T12:00:00Z"), now);
        let expected = json!({
            "time": "2026-11-18T11:06:40Z",
            "account": "bot",
            "event": "rotated",
            "generation": 3,
            "expires_at": "2026-11-18T12:00:00Z",
            "message": rotated["message"],
        });
        assert_eq!(rotated, expected);
        let dead = line(&event(EventKind::Dead { why: DeathCause::LostAnswer }), None, now);
        assert_eq!((&dead["event"], &dead["dead_because"]), (&json!("dead"), &json!("lost_answer")));
        assert!(dead["message"].as_str().unwrap().contains("log in again"), "{dead}");
    }
}
