//! JSON text. Restream's bodies are written by hand, so that their members keep the documented order.

/// A JSON string: in quotes and escaped.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_escaped() {
        assert_eq!(quoted("a\"b\n</"), r#""a\"b\n</""#);
    }
}
