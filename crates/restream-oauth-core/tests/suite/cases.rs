//! How often the properties are tried.

use proptest::test_runner::Config;

/// 4,096 cases, or as many as `PROPTEST_CASES` says.
pub(crate) fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 4096;
    }
    config
}
