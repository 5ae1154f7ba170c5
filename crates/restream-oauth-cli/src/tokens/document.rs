//! The saved document as the command writes it: one line, which can name the pair that it replaces.

use std::fmt::Write as _;

use restream_oauth_core::{RefreshToken, Saved, Tokens};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The member of a saved document that names the replaced pair.
const REPLACES: &str = "replaces";

/// Returns a saved document as one line.
pub(crate) fn line(saved: &Saved) -> Zeroizing<String> {
    let text = saved.expose_secret();
    let mut line = Zeroizing::new(String::with_capacity(text.len().saturating_add(1)));
    line.push_str(text);
    line.push('\n');
    line
}

/// Returns a name for a pair that does not reveal it: the SHA-256 of its refresh token, in hexadecimal. A pair without
/// a refresh token is named by its access token.
pub(crate) fn fingerprint(tokens: &Tokens) -> String {
    let token = tokens.refresh_token().map_or(tokens.access_token().expose_secret(), RefreshToken::expose_secret);
    Sha256::digest(token).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Returns the fingerprint of the pair that a document replaces.
pub(crate) fn replaced_by(document: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(document).ok()?;
    document.get(REPLACES)?.as_str().map(str::to_owned)
}

/// Returns a saved document as one line, with the fingerprint of the pair that it replaces.
pub(crate) fn successor_line(saved: &Saved, replaces: Option<&str>) -> Zeroizing<String> {
    let text = saved.expose_secret();
    let (Some(replaces), Some(members)) = (replaces, text.strip_suffix('}')) else { return line(saved) };
    let more = format!(",\"{REPLACES}\":\"{replaces}\"}}\n");
    let mut line = Zeroizing::new(String::with_capacity(members.len().saturating_add(more.len())));
    line.push_str(members);
    line.push_str(&more);
    line
}
