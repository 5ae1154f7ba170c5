//! What the server wrote for people: kept apart from our own messages, cleared of the call's secrets, escaped to
//! the characters of RFC 6749 §5.2, and cut.

use zeroize::Zeroizing;

use crate::json::CleanText;

/// The longest message that is kept, in characters.
const LONGEST_MESSAGE: usize = 512;
/// The longest error code that is kept, in characters.
const LONGEST_CODE: usize = 64;
/// A shorter secret cannot be cut out: what is left around it would tell it.
const SHORTEST_TO_CUT: usize = 4;
const CUT_OUT: &str = "[redacted]";

/// Text for people.
pub(crate) fn message(text: &str, secrets: &[Zeroizing<String>]) -> Box<str> {
    escaped(&redacted(text, secrets), LONGEST_MESSAGE)
}

/// An error code that RFC 6749 does not know.
pub(crate) fn code(text: &str, secrets: &[Zeroizing<String>]) -> Box<str> {
    escaped(&redacted(text, secrets), LONGEST_CODE)
}

/// `text` with each secret cut out; as it stands if there is none.
pub(crate) fn redacted<'a>(text: &'a str, secrets: &[Zeroizing<String>]) -> CleanText<'a> {
    let mut clean = CleanText::AsItStands(text);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let found = clean.matches(secret.as_str()).count();
        if found == 0 {
            continue;
        }
        if secret.len() < SHORTEST_TO_CUT {
            return CleanText::AsItStands(CUT_OUT);
        }
        let longest = clean.len().saturating_add(found.saturating_mul(CUT_OUT.len()));
        let mut cut = Zeroizing::new(String::with_capacity(longest));
        for (index, part) in clean.split(secret.as_str()).enumerate() {
            if index > 0 {
                cut.push_str(CUT_OUT);
            }
            cut.push_str(part);
        }
        clean = CleanText::Made(cut);
    }
    clean
}

fn escaped(text: &str, longest: usize) -> Box<str> {
    let mut out = String::new();
    let mut left = longest;
    for character in text.chars() {
        let plain = matches!(character, ' '..='~') && character != '"' && character != '\\';
        let width = if plain { 1 } else { character.escape_default().count() };
        if width > left {
            out.push_str("...");
            break;
        }
        left = left.saturating_sub(width);
        if plain {
            out.push(character);
        } else {
            out.extend(character.escape_default());
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[&str]) -> Vec<Zeroizing<String>> {
        all.iter().map(|&secret| Zeroizing::new(secret.to_owned())).collect()
    }

    #[test]
    fn rfc_6749_5_2_characters_out_of_the_set_are_escaped() {
        let shown = message("a\u{1B}[31m\r\n\"\\\u{202E}é", &[]);
        assert_eq!(&*shown, r#"a\u{1b}[31m\r\n\"\\\u{202e}\u{e9}"#);
    }

    #[test]
    fn long_text_is_cut() {
        let shown = message(&"x".repeat(1 << 20), &[]);
        assert_eq!(shown.len(), LONGEST_MESSAGE + 3);
        assert_eq!(code(&"\u{202E}".repeat(1000), &[]).len(), LONGEST_CODE + 3);
    }

    #[test]
    fn secrets_are_cut_out_before_the_text_is_cut_or_escaped() {
        let text = format!("{}s3cret\"x bad s3cret\"x", "y".repeat(509));
        let shown = message(&text, &secrets(&["s3cret\"x"]));
        assert!(!shown.contains("s3c"), "{shown}");
        assert_eq!(&*message("token abcd is bad", &secrets(&["", "abcd"])), "token [redacted] is bad");
    }

    #[test]
    fn a_secret_too_short_to_cut_out_hides_the_whole_text() {
        assert_eq!(&*message("bad token", &secrets(&["b"])), "[redacted]");
        assert_eq!(&*message("code 17", &secrets(&["b"])), "code 17");
    }
}
