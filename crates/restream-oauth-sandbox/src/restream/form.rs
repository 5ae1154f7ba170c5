//! `application/x-www-form-urlencoded` parameters, in a query or in a body (RFC 6749 appendix B).

use form_urlencoded::parse;

/// The parameters of one request, in their order.
///
/// There is no `Debug`, because the values are codes, tokens and secrets.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a query or a body. Cannot fail: malformed input becomes unexpected parameters.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(parse(encoded).into_owned().collect())
    }

    /// The value of a parameter. A parameter without a value counts as omitted (RFC 6749 section 3.1).
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The name of a parameter that occurs more than once, which RFC 6749 section 3.1 forbids.
    pub(crate) fn repeated(&self) -> Option<&str> {
        self.names()
            .enumerate()
            .find(|(at, name)| self.names().take(*at).any(|earlier| earlier == *name))
            .map(|(_, name)| name)
    }

    /// The names of all parameters, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_and_percent_are_decoded() {
        let form = Form::parse(b"scope=a+b%20c&state=%E2%9C%93");
        assert_eq!(form.value("scope"), Some("a b c"));
        assert_eq!(form.value("state"), Some("\u{2713}"));
    }

    #[test]
    fn a_parameter_without_a_value_counts_as_omitted() {
        let form = Form::parse(b"code=&state");
        assert_eq!(form.value("code"), None);
        assert_eq!(form.value("state"), None);
        assert_eq!(form.names().collect::<Vec<_>>(), ["code", "state"]);
    }

    #[test]
    fn a_repeated_parameter_is_found_even_if_its_name_is_percent_encoded() {
        assert_eq!(Form::parse(b"code=1&c%6Fde=2").repeated(), Some("code"));
        assert_eq!(Form::parse(b"code=1&Code=2").repeated(), None);
    }
}
