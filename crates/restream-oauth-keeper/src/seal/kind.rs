//! What is sealed, and what a sealed document says of it in the clear.

use restream_oauth_core::Tokens;

use crate::record::{Record, Stray};
use crate::spooled::Spooled;

/// What a document is. A document that was sealed as one kind does not open as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A [`Record`](crate::Record).
    Record,
    /// A [`Spooled`](crate::Spooled) answer.
    Answer,
    /// The tokens of a login that waits for the claim.
    Login,
    /// A [`Row`](crate::store::Row) of a store.
    Row,
    /// A [`Stray`]: a pair that came too late.
    Stray,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Record, Self::Answer, Self::Login, Self::Row, Self::Stray];

    /// The member `of` of a sealed document.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Answer => "answer",
            Self::Login => "login",
            Self::Row => "row",
            Self::Stray => "stray",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The member `kind` of the plain document.
    #[cfg(feature = "sealed")]
    pub(super) fn plain_name(self) -> &'static str {
        match self {
            Self::Record | Self::Login => "tokens",
            Self::Answer => "spooled",
            Self::Row => "row",
            Self::Stray => "stray",
        }
    }
}

/// What a sealed document says in the clear of what is in it. Nobody can change it unseen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// The identifier of the client that the tokens belong to.
    pub client: Option<String>,
    /// The generation of the record, or of the record that an answer is to replace.
    pub generation: Option<u64>,
}

impl About {
    /// What is said of a record.
    pub fn record(record: &Record) -> Self {
        Self { generation: Some(record.generation), ..Self::login(&record.tokens) }
    }

    /// What is said of a spooled answer.
    pub fn answer(answer: &Spooled) -> Self {
        Self { client: None, generation: Some(answer.parent.generation) }
    }

    /// What is said of a late pair.
    pub fn stray(stray: &Stray) -> Self {
        Self { generation: Some(stray.generation), ..Self::login(&stray.tokens) }
    }

    /// What is said of the tokens of a login.
    pub fn login(tokens: &Tokens) -> Self {
        Self { client: tokens.binding().map(|binding| binding.client_id().to_owned()), generation: None }
    }
}
