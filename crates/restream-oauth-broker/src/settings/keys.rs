//! The keys of the configuration, and which of them a person meant.

/// How far a word may be from a key that it stands for, in letters changed, added, left out or swapped.
const FARTHEST: usize = 3;
/// A longer key is compared with none.
const LONGEST: usize = 64;

/// Each table with its keys. The first is the file itself.
pub(super) const KEYS: [(&str, &[&str]); 6] = [
    (
        "",
        &[
            "listen",
            "issuer",
            "admin_listen",
            "mode",
            "trusted_proxies",
            "tls_cert",
            "tls_key",
            "restream",
            "store",
            "obs",
            "clients",
            "limits",
        ],
    ),
    ("restream", &["client_id", "client_secret_file", "base_url"]),
    ("store", &["kind", "path", "url"]),
    ("obs", &["prefix"]),
    ("clients", &["id", "redirect_uris", "origins"]),
    ("limits", &["per_device", "per_address"]),
];

/// True if a table has a key.
pub(super) fn is_known(table: &str, key: &str) -> bool {
    KEYS.iter().any(|(name, keys)| *name == table && keys.contains(&key))
}

/// The known key that was probably meant by an unknown one, with its table: the same word in another table, or one that
/// is spelled nearly so, first in the same table.
pub(super) fn nearest(table: &str, key: &str) -> Option<String> {
    if key.len() > LONGEST {
        return None;
    }
    let word = key.to_ascii_lowercase().replace('-', "_");
    let distance = |known: &str| strsim::damerau_levenshtein(&word, known);
    let all = KEYS.iter().flat_map(|(name, keys)| keys.iter().map(move |known| (*name, *known)));
    let best = all.min_by_key(|(name, known)| (distance(known), *name != table))?;
    let is_near = distance(best.1) <= FARTHEST.min(word.chars().count().div_ceil(3));
    is_near.then(|| match best {
        ("", known) if table.is_empty() => known.to_owned(),
        ("", known) => format!("{known}, at the top of the file, before the first [table]"),
        (name, known) => format!("{name}.{known}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_was_meant_is_found() {
        for (table, key, meant) in [
            ("", "lisen", Some("listen")),
            ("", "trusted-proxies", Some("trusted_proxies")),
            ("", "Issuer", Some("issuer")),
            ("", "client_id", Some("restream.client_id")),
            ("limits", "mode", Some("mode, at the top of the file, before the first [table]")),
            ("limits", "per_adress", Some("limits.per_address")),
            ("clients", "redirect_uri", Some("clients.redirect_uris")),
            ("restream", "secret_file", None),
            ("", "proxy", None),
            ("", "x", None),
            ("", "", None),
        ] {
            assert_eq!(nearest(table, key).as_deref(), meant, "{table} {key}");
        }
        assert_eq!(nearest("", &"listen".repeat(100_000)), None);
    }
}
