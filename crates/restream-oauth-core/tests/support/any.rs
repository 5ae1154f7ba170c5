//! What the properties are tried with.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;

/// 4,096 cases, or as many as `PROPTEST_CASES` says.
pub(crate) fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 4096;
    }
    config
}

/// Any text, rich in what has a meaning somewhere.
pub(crate) fn text(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    vec(prop_oneof![any::<char>(), prop::char::range(' ', '~'), select(vec!['&', '=', '+', '%', ':', ' '])], length)
        .prop_map(String::from_iter)
}
