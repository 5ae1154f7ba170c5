use std::collections::{BTreeMap, BTreeSet};

use restream_oauth_keeper::DeathCause;

use super::*;
use crate::limits::Limit;

const PREFIX: &str = "restream_oauth_broker_";

fn metrics() -> Metrics {
    Metrics::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000))
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> String {
    let prefix = format!("{PREFIX}{sample} ");
    let mut found = text.lines().filter_map(|line| line.strip_prefix(&prefix));
    let value = found.next().unwrap_or_else(|| panic!("no {sample} in {text}"));
    assert_eq!(found.next(), None);
    value.to_owned()
}

#[test]
fn what_is_counted_is_shown() {
    let metrics = metrics();
    metrics.request(Door::Plain, Outcome::InvalidGrant, Duration::from_millis(1500));
    metrics.request(Door::Plain, Outcome::InvalidGrant, Duration::from_millis(1));
    metrics.request(Door::Obs, Outcome::Aborted, Duration::from_secs(31));
    metrics.upstream(UpstreamCall::Refresh, UpstreamOutcome::InDoubt);
    metrics.login(LoginStep::Forged);
    metrics.handle_issued();
    metrics.handle_ended(HandleEnd::Idle);
    metrics.turned_away(Limit::Address);
    metrics.turned_away(Bound::RelayMemory);
    metrics.keeper(&EventKind::Dead { why: DeathCause::LostAnswer });
    metrics.set_lines_dropped(7);
    metrics.set(Gauge::Handles, 12);
    metrics.up(Gauge::Connections);
    metrics.up(Gauge::Connections);
    metrics.down(Gauge::Connections);
    metrics.down(Gauge::RequestsInFlight);
    let text = metrics.text();
    for (sample, expected) in [
        ("start_time_seconds", "1795000000"),
        ("requests_total{door=\"plain\",outcome=\"invalid_grant\"}", "2"),
        ("requests_total{door=\"obs\",outcome=\"aborted\"}", "1"),
        ("requests_total{door=\"obs\",outcome=\"ok\"}", "0"),
        ("request_seconds_bucket{door=\"plain\",le=\"0.001\"}", "1"),
        ("request_seconds_bucket{door=\"plain\",le=\"0.5\"}", "1"),
        ("request_seconds_bucket{door=\"plain\",le=\"2\"}", "2"),
        ("request_seconds_bucket{door=\"plain\",le=\"+Inf\"}", "2"),
        ("request_seconds_sum{door=\"plain\"}", "1.501"),
        ("request_seconds_count{door=\"plain\"}", "2"),
        ("request_seconds_bucket{door=\"obs\",le=\"30\"}", "0"),
        ("request_seconds_bucket{door=\"obs\",le=\"+Inf\"}", "1"),
        ("upstream_calls_total{call=\"refresh\",outcome=\"in_doubt\"}", "1"),
        ("logins_total{step=\"forged\"}", "1"),
        ("handles_issued_total", "1"),
        ("handles_ended_total{why=\"idle\"}", "1"),
        ("turned_away_total{bound=\"address\"}", "1"),
        ("turned_away_total{bound=\"relay_memory\"}", "1"),
        ("keeper_events_total{event=\"dead\"}", "1"),
        ("log_lines_dropped_total", "7"),
        ("handles", "12"),
        ("connections", "1"),
        ("requests_in_flight", "0"),
    ] {
        assert_eq!(value(&text, sample), expected, "{sample}");
    }
}

/// The rules of the format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
#[test]
fn the_text_follows_the_format() {
    let text = metrics().text();
    assert!(text.ends_with('\n'));
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut helped, mut samples, mut current) = (BTreeSet::new(), BTreeSet::new(), "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name) && !help.is_empty() && !help.contains('\\'), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(name) && kinds.insert(name, kind).is_none(), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            current = name;
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let family = match kinds[current] {
                "histogram" => ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)),
                _ => Some(name),
            };
            assert_eq!(family, Some(current), "{line}: the samples of a family stand together");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
            assert!(samples.insert(sample), "{line}: a sample stands only once");
        }
    }
    assert_eq!(helped.len(), kinds.len());
    assert!(kinds.len() > 12 && samples.len() < 250, "{} families, {} samples", kinds.len(), samples.len());
}

#[test]
fn each_label_stands_at_its_place() {
    fn check<A: Label + std::fmt::Debug>() {
        let words: BTreeSet<_> = A::VALUES.iter().map(|(_, word)| word).collect();
        assert_eq!(words.len(), A::VALUES.len(), "{words:?}");
        for (place, (value, word)) in A::VALUES.iter().enumerate() {
            assert_eq!(value.index(), place, "{value:?}");
            assert_eq!(word.replace('_', ""), format!("{value:?}").to_lowercase());
        }
    }
    check::<Door>();
    check::<Outcome>();
    check::<UpstreamCall>();
    check::<UpstreamOutcome>();
    check::<LoginStep>();
    check::<HandleEnd>();
    check::<Bound>();
    for (place, (gauge, _, _)) in Gauge::ALL.into_iter().enumerate() {
        assert_eq!(gauge as usize, place, "{gauge:?}");
    }
    // A last variant that is missing from the list would be counted outside of it.
    assert_eq!(Door::None.index(), Door::VALUES.len() - 1);
    assert_eq!(Outcome::Failed.index(), Outcome::VALUES.len() - 1);
    assert_eq!(UpstreamCall::Profile.index(), UpstreamCall::VALUES.len() - 1);
    assert_eq!(UpstreamOutcome::NotSent.index(), UpstreamOutcome::VALUES.len() - 1);
    assert_eq!(LoginStep::Abandoned.index(), LoginStep::VALUES.len() - 1);
    assert_eq!(HandleEnd::GrantDead.index(), HandleEnd::VALUES.len() - 1);
    assert_eq!(Bound::RelayMemory.index(), Bound::VALUES.len() - 1);
}

#[test]
fn the_text_has_the_same_lines_whatever_is_counted() {
    let metrics = metrics();
    let names =
        |text: &str| -> Vec<_> { text.lines().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect() };
    let before = names(&metrics.text());
    for _ in 0..1_000 {
        metrics.request(Door::None, Outcome::NotFound, Duration::MAX);
        metrics.turned_away(Bound::Time);
    }
    assert_eq!(names(&metrics.text()), before);
}
