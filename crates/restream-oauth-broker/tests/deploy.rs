//! The other files of `deploy/`, and the page about them.

use std::time::SystemTime;

use restream_oauth_broker::metrics::Metrics;
use restream_oauth_broker::settings::{Environment, SecretFile, Settings};

#[test]
fn the_configuration_is_one_without_faults_and_warnings() {
    let environment = Environment::with_files(|path| {
        assert_eq!(path.to_str(), Some("/run/credentials/restream-oauth-broker.service/client-secret"));
        Ok(SecretFile::new("secret", false))
    });
    let checked = Settings::parse(include_str!("../deploy/broker.toml"), &environment).unwrap();
    assert_eq!(checked.warnings, []);
    // Where the proxies' configurations expect it.
    assert_eq!(checked.settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(checked.settings.issuer.as_str(), "https://broker.example");
}

/// A refresh that is in flight takes 85 seconds at most.
#[test]
fn the_service_has_the_time_to_end_a_refresh() {
    let unit = include_str!("../deploy/restream-oauth-broker.service");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    assert!(value("TimeoutStopSec").unwrap().parse::<u64>().unwrap() >= 90);
    assert_eq!(value("RestartPreventExitStatus"), Some("2"), "a wrong configuration is not tried again");
    assert_eq!(value("LoadCredential"), Some("client-secret:/etc/restream-oauth-broker/client-secret"));
}

const PAGE: &str = include_str!("../RUNNING.md");

/// The rows of the page's tables: the names in their first cells.
fn named() -> Vec<&'static str> {
    let cells = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    cells.flat_map(|cell| cell.split("`, `")).map(|name| name.trim_end_matches('`')).collect()
}

/// `whole.toml` has every key, which another test holds.
#[test]
fn the_page_names_every_key() {
    let (mut table, named) = (String::new(), named());
    for line in include_str!("whole.toml").lines() {
        if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
            table = format!("{name}[].");
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ") {
            assert!(named.contains(&format!("{table}{key}").as_str()), "{table}{key} of {named:?}");
        }
    }
    assert!(named.contains(&"store.url"), "the one key that cannot stand beside the others");
}

#[test]
fn the_page_names_every_metric() {
    let (text, named) = (Metrics::new(SystemTime::UNIX_EPOCH).text(), named());
    let families: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(families.len() > 10);
    for family in families {
        let name = family.strip_prefix("restream_oauth_broker_").unwrap();
        assert!(named.contains(&name), "{name} of {named:?}");
    }
}
