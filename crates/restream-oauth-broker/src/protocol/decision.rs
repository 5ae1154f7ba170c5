//! What is to be done about a request.

use bytes::Bytes;
use http::Response;

use super::authorize::{Ask, Begin};
use super::callback::CallBack;
use super::revoke::Revoke;
use super::token::{Redeem, Refresh, Relayed, TokenRequest};

/// What is to be done about a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Send this answer.
    Answer(Response<Bytes>),
    /// Show the page that names the client. It needs the cookie of the browser, or a new one.
    Ask(Ask),
    /// Begin a login, and lead the browser to Restream.
    Begin(Begin),
    /// The browser comes back from Restream.
    CallBack(CallBack),
    /// Redeem a code for a handle and an access token.
    Redeem(Redeem),
    /// Give the access token that is alive to the device with this handle.
    Refresh(Refresh),
    /// Send a refresh on to Restream: this is a relay.
    Relay(Relayed),
    /// End the device that has this handle or this access token.
    Revoke(Revoke),
}

impl From<Ask> for Decision {
    fn from(ask: Ask) -> Self {
        Self::Ask(ask)
    }
}

impl From<Begin> for Decision {
    fn from(begin: Begin) -> Self {
        Self::Begin(begin)
    }
}

impl From<CallBack> for Decision {
    fn from(back: CallBack) -> Self {
        Self::CallBack(back)
    }
}

impl From<TokenRequest> for Decision {
    fn from(request: TokenRequest) -> Self {
        match request {
            TokenRequest::Redeem(redeem) => Self::Redeem(redeem),
            TokenRequest::Refresh(refresh) => Self::Refresh(refresh),
            TokenRequest::Relay(relayed) => Self::Relay(relayed),
        }
    }
}

impl From<Revoke> for Decision {
    fn from(revoke: Revoke) -> Self {
        Self::Revoke(revoke)
    }
}

/// What was read from a request, or the answer that says what is wrong with it.
impl<T: Into<Self>> From<Result<T, Box<Response<Bytes>>>> for Decision {
    fn from(read: Result<T, Box<Response<Bytes>>>) -> Self {
        read.map_or_else(|answer| Self::Answer(*answer), Into::into)
    }
}
