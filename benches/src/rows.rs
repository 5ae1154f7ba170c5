//! The rows of the table.

use crate::fixtures::{SUCCESS, success_with_token};
use crate::task::Task;
use crate::{floor, ours, peer};

/// The code that does a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `restream-oauth-core`.
    Ours,
    /// The `oauth2` crate.
    Peer,
    /// The least work that is correct.
    Floor,
}

impl Side {
    /// In the order of the table.
    pub const ALL: [Self; 3] = [Self::Ours, Self::Peer, Self::Floor];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Peer => "peer",
            Self::Floor => "floor",
        }
    }
}

/// The same task, done by each side.
pub struct Row {
    /// A short name, for files and the command line.
    pub id: &'static str,
    /// The task, in words for people.
    pub title: &'static str,
    /// In the order of [`Side::ALL`].
    tasks: [Task; 3],
}

impl Row {
    /// The task of one side.
    pub(crate) fn task(&self, side: Side) -> &Task {
        &self.tasks[side as usize]
    }
}

/// All rows.
pub fn all() -> Vec<Row> {
    // The tasks borrow these inputs for ever. The leak does not matter, because the program soon ends.
    let long = |length| &*Box::leak(success_with_token(length).into_boxed_str());
    let row = |id, title, ours, peer, floor| Row { id, title, tasks: [ours, peer, floor] };
    vec![
        row(
            "build-exchange",
            "build exchange, Basic",
            ours::build_exchange(ours::client()),
            peer::build_exchange(peer::client()),
            floor::build_exchange(floor::Constants::basic()),
        ),
        row(
            "build-exchange-body",
            "build exchange, secret in body",
            ours::build_exchange(ours::client_in_body()),
            peer::build_exchange(peer::client_in_body()),
            floor::build_exchange(floor::Constants::in_body()),
        ),
        row("build-refresh", "build refresh", ours::build_refresh(), peer::build_refresh(), floor::build_refresh()),
        row(
            "authorization-url",
            "authorization URL, state and PKCE",
            ours::authorization_url(),
            peer::authorization_url(),
            floor::authorization_url(),
        ),
        row("callback", "parse a callback", ours::read_callback(), peer::read_callback(), floor::read_callback()),
        row("read", "read the documented success", ours::read(SUCCESS), peer::read(SUCCESS), floor::read(SUCCESS)),
        row(
            "read-64",
            "the same in 64-byte chunks",
            ours::read_in_chunks(SUCCESS, 64),
            peer::read_in_chunks(SUCCESS, 64),
            floor::read_in_chunks(SUCCESS, 64),
        ),
        row(
            "read-1",
            "the same in 1-byte chunks",
            ours::read_in_chunks(SUCCESS, 1),
            peer::read_in_chunks(SUCCESS, 1),
            floor::read_in_chunks(SUCCESS, 1),
        ),
        row(
            "read-16k",
            "read a 16 KiB token",
            ours::read(long(16 * 1024)),
            peer::read(long(16 * 1024)),
            floor::read(long(16 * 1024)),
        ),
        row(
            "read-64k",
            "read a 64 KiB token",
            ours::read(long(64 * 1024)),
            peer::read(long(64 * 1024)),
            floor::read(long(64 * 1024)),
        ),
        row("read-error", "read the documented error", ours::read_error(), peer::read_error(), floor::read_error()),
        row("round", "whole round: build, read success", ours::round(), peer::round(), floor::round()),
        row(
            "refused-round",
            "whole round: build, read error",
            ours::refused_round(),
            peer::refused_round(),
            floor::refused_round(),
        ),
    ]
}
