//! [`spellings`]: the forms in which a secret appears in logs.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// All forms in which programs print bytes: unchanged, percent-encoded, in hexadecimal, escaped as in JSON and in Rust, as
/// decimal numbers, and in base64 at each of the three possible offsets.
///
/// Choose a word of at least ten letters and digits and put it into every secret, for tokens with
/// [`Builder::token_prefix`](crate::Builder::token_prefix). If a log contains one of the forms, it leaks a secret. Both
/// base64 alphabets must encode the word alike.
///
/// ```
/// let log = format!("sent {:?}", "c4nary7Qx2Vb".as_bytes());
/// assert!(restream_oauth_sandbox::spellings("c4nary7Qx2Vb").iter().any(|spelling| log.contains(spelling)));
/// ```
pub fn spellings(word: &str) -> BTreeSet<String> {
    let each = |write: fn(&u8) -> String| word.as_bytes().iter().map(write).collect::<Vec<_>>();
    let mut forms = BTreeSet::from([
        word.to_owned(),
        each(|byte| format!("%{byte:02x}")).concat(),
        each(|byte| format!("%{byte:02X}")).concat(),
        each(|byte| format!("{byte:02x}")).concat(),
        each(|byte| format!("{byte:02X}")).concat(),
        each(|byte| format!("{byte:02x}")).join(" "),
        each(|byte| format!("\\x{byte:02x}")).concat(),
        each(|byte| format!("\\u{byte:04x}")).concat(),
        each(|byte| format!("\\u{{{byte:x}}}")).concat(),
        each(u8::to_string).join(", "),
        each(u8::to_string).join(","),
        each(u8::to_string).join(" "),
    ]);
    for begin in 0..3_usize {
        // The first and last characters also depend on the neighbours of the word, and are left out.
        let encoded = STANDARD_NO_PAD.encode("x".repeat(begin) + word);
        let first = begin.saturating_mul(8).div_ceil(6);
        let whole = word.len().saturating_add(begin).saturating_mul(8) / 6;
        forms.extend(encoded.get(first..whole).map(str::to_owned));
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn a_word_is_found_in_every_form_in_which_it_is_printed() {
        let word = "c4nary7Qx2Vb";
        let all = spellings(word);
        let found = |text: &str| all.iter().any(|spelling| text.contains(spelling));
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before}{word}/~");
            assert!(found(&text) && found(&format!("{:?}", text.as_bytes())), "{text}");
            assert!(found(&STANDARD.encode(&text)) && found(&URL_SAFE_NO_PAD.encode(&text)), "{text}");
            let each = |write: fn(u8) -> String| text.bytes().map(write).collect::<Vec<_>>().concat();
            assert!(found(&each(|byte| format!("%{byte:02X}"))), "{text}");
            assert!(found(&each(|byte| format!("\\u{byte:04x}"))), "{text}");
            assert!(found(&each(|byte| format!("{byte:02x}"))), "{text}");
        }
        assert!(!found("c4nary7Qx2V") && !found(""));
    }
}
