//! The number of cases of each property test.

use proptest::test_runner::Config;

/// 4,096 cases, or the number in `PROPTEST_CASES`.
pub(crate) fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 4096;
    }
    config
}
