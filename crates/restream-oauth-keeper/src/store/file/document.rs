//! The document in a file: one line, which can name the pair that it replaces.

use std::collections::BTreeMap;

use restream_oauth_core::Tokens;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::record::{LoginId, Record, hex};

/// The member that names the replaced pair. It tells after a crash whether a document follows on another one.
const REPLACES: &str = "replaces";

/// Names a pair without revealing it: the SHA-256 of its refresh token, in hexadecimal; of its access token, if it has
/// no refresh token.
pub(super) fn fingerprint(tokens: &Tokens) -> String {
    // The identifier that a login with these tokens would have is this hash.
    hex(&LoginId::of(tokens).0)
}

/// Returns a record as one line. Names the pair that it replaces, if that is another one.
pub(super) fn line(record: &Record, before: Option<&Tokens>) -> Zeroizing<String> {
    let saved = record.to_saved();
    let replaced = before.filter(|before| !is_same_pair(before, &record.tokens));
    let (end, members) = match (replaced, saved.strip_suffix('}')) {
        (Some(replaced), Some(members)) => (format!(",\"{REPLACES}\":\"{}\"}}\n", fingerprint(replaced)), members),
        _ => ("\n".to_owned(), saved.as_str()),
    };
    let mut line = Zeroizing::new(String::with_capacity(members.len().saturating_add(end.len())));
    line.push_str(members);
    line.push_str(&end);
    line
}

/// Returns the fingerprint of the pair that a document replaces.
pub(super) fn replaced_by(document: &[u8]) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(document).ok()?;
    serde_json::from_str(members.get(REPLACES)?.get()).ok()
}

pub(super) fn is_same_pair(one: &Tokens, other: &Tokens) -> bool {
    one.refresh_token() == other.refresh_token() && one.access_token() == other.access_token()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::testing::tokens;

    #[test]
    fn a_line_names_the_pair_that_it_replaces_and_no_other() {
        let record = Record::of_login(tokens("a1", "r1"), SystemTime::UNIX_EPOCH);
        for (before, named) in [(None, false), (Some(tokens("a1", "r1")), false), (Some(tokens("a0", "r0")), true)] {
            let line = line(&record, before.as_ref());
            assert!(line.ends_with("}\n") && line.lines().count() == 1);
            assert_eq!(Record::from_saved(line.as_bytes()).unwrap(), record);
            let expected = before.as_ref().filter(|_| named).map(fingerprint);
            assert_eq!(replaced_by(line.as_bytes()), expected);
        }
        // printf r0 | sha256sum
        assert_eq!(fingerprint(&tokens("a0", "r0"))[..16], *"dd191696e15e2ee2");
    }
}
