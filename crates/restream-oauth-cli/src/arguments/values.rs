//! What the values of options mean.

use std::time::Duration;

use http::Method;

/// Returns the scopes in the values of `--scope`: each is one scope, or several with spaces between them, as in RFC 6749
/// §3.3. A value without any scope is returned as it is, so that it is refused.
pub(crate) fn scopes(values: &[String]) -> impl Iterator<Item = &str> {
    values.iter().flat_map(|value| {
        let is_empty = value.trim_matches(' ').is_empty();
        let scopes = value.split(' ').filter(|scope| !scope.is_empty());
        scopes.chain(is_empty.then_some(value.as_str()))
    })
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 86_400.0;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= LONGEST => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds, more than 0 and 86400 at most".to_owned()),
    }
}

pub(super) fn whole_seconds(text: &str) -> Result<Duration, String> {
    const HUNDRED_YEARS: u64 = 3_155_760_000;
    match text.parse() {
        Ok(seconds) if seconds <= HUNDRED_YEARS => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("expected whole seconds, {HUNDRED_YEARS} at most")),
    }
}

pub(super) fn method(text: &str) -> Result<Method, String> {
    match text.to_ascii_uppercase().parse() {
        // It asks a proxy for a tunnel.
        Ok(Method::CONNECT) | Err(_) => Err("expected a method such as GET, POST, PATCH or DELETE".to_owned()),
        Ok(method) => Ok(method),
    }
}

pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_scope_holds_one_scope_or_several() {
        for (values, expected) in [
            (&["chat.read"][..], &["chat.read"][..]),
            (&["a b"], &["a", "b"]),
            (&[" a  b ", "c"], &["a", "b", "c"]),
            (&["a\tb"], &["a\tb"]),
            (&[""], &[""]),
            (&[" ", "a"], &[" ", "a"]),
            (&[], &[]),
        ] {
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(scopes(&values).collect::<Vec<_>>(), expected, "{values:?}");
        }
    }

    #[test]
    fn time_limits_are_positive_and_finite() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "1e300", "", "5s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
