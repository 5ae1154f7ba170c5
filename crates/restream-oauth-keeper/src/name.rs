//! The name of a grant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a grant in a store, such as `default`: 1 to 64 of the characters `A-Z a-z 0-9 . _ -`, of which the first
/// is no dot. So a name is always a safe file name.
///
/// ```
/// use restream_oauth_keeper::GrantName;
///
/// let name: GrantName = "channel-7".parse()?;
/// assert_eq!(name.as_str(), "channel-7");
/// assert!("../channel-7".parse::<GrantName>().is_err());
/// # Ok::<(), restream_oauth_keeper::InvalidGrantName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantName(Arc<str>);

/// The longest name, in bytes.
const LONGEST: usize = 64;

impl GrantName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name whose text was a name already.
    pub(crate) fn of_checked(text: &str) -> Self {
        Self(text.into())
    }
}

impl FromStr for GrantName {
    type Err = InvalidGrantName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        match text.bytes().next() {
            None => Err(InvalidGrantName::Empty),
            Some(b'.') => Err(InvalidGrantName::LeadingDot),
            Some(_) if text.len() > LONGEST => Err(InvalidGrantName::TooLong),
            Some(_) if !text.bytes().all(allowed) => Err(InvalidGrantName::Character),
            Some(_) => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for GrantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text cannot be the name of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidGrantName {
    /// The name is empty.
    Empty,
    /// The name begins with a dot, so its file would be hidden or lead to another folder.
    LeadingDot,
    /// The name is longer than 64 characters.
    TooLong,
    /// The name has a character other than `A-Z a-z 0-9 . _ -`.
    Character,
}

impl fmt::Display for InvalidGrantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "expected a name, got an empty text",
            Self::LeadingDot => "expected a name, got a text that begins with a dot",
            Self::TooLong => "expected a name, got more than 64 characters",
            Self::Character => "expected a name, got a character other than A-Z a-z 0-9 . _ -",
        })
    }
}

impl std::error::Error for InvalidGrantName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_always_a_safe_file_name() {
        for good in ["default", "a", "A.b_c-9", "x..y", &"n".repeat(64)] {
            assert_eq!(good.parse::<GrantName>().unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", InvalidGrantName::Empty),
            (".", InvalidGrantName::LeadingDot),
            ("..", InvalidGrantName::LeadingDot),
            (".hidden", InvalidGrantName::LeadingDot),
            ("a/b", InvalidGrantName::Character),
            ("a\\b", InvalidGrantName::Character),
            ("a\0", InvalidGrantName::Character),
            ("a b", InvalidGrantName::Character),
            ("é", InvalidGrantName::Character),
            (&"n".repeat(65), InvalidGrantName::TooLong),
        ] {
            assert_eq!(bad.parse::<GrantName>(), Err(why), "{bad:?}");
        }
    }
}
