//! Ends what a token file holds: `logout` and `revoke` revoke it, and a login revokes what it has replaced.

use std::time::SystemTime;

use restream_oauth_core::config::RevocationOptions;
use restream_oauth_core::{AccessToken, Client, RefreshToken, Tokens};
use restream_oauth_keeper::store::Claimed;
use restream_oauth_keeper::{LoginId, Record, Spooled, Tombstone};

use crate::arguments::{ClientOptions, TokenKind};
use crate::configuration;
use crate::failure::Failure;
use crate::terminal::say;
use crate::tokens::file::TokenFile;
use crate::tokens::owner::Owner;
use crate::tokens::source::saved_refresh_token;
use crate::transport::Transport;

/// What a person can do whom the server leaves in doubt.
pub(crate) const ELSEWHERE: &str = "to be sure, remove the application in the settings of the Restream account";

/// True if the server may have replaced the pair. It answers the revocation of a dead token with success, which then
/// proves nothing.
pub(crate) fn is_in_doubt(record: &Record) -> bool {
    record.doubt.is_some() && record.death.is_none()
}

/// How the server is asked to revoke a token.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// Which token of a pair is sent; `None` means the refresh token, if there is one.
    pub(crate) token: Option<TokenKind>,
    /// True if the request says which of the two tokens it sends.
    pub(crate) hint: bool,
    /// True if the client authenticates. Restream does not document that; other servers ask for it (RFC 7009 §2.1).
    pub(crate) authenticate: bool,
}

impl Manner {
    /// As Restream documents it, unless the user says how the client authenticates.
    pub(crate) fn of(options: &ClientOptions) -> Self {
        Self { token: None, hint: true, authenticate: options.client_auth.is_some() }
    }

    /// Builds the client for the request.
    pub(crate) fn client(self, options: &ClientOptions) -> Result<Client, Failure> {
        if self.authenticate { configuration::client(options) } else { configuration::anonymous_client(options) }
    }

    /// Returns the options of the request.
    pub(crate) fn options(self) -> RevocationOptions {
        let mut options = RevocationOptions::new();
        if !self.hint {
            options = options.without_hint();
        }
        if self.authenticate {
            options = options.client_authentication();
        }
        options
    }
}

/// Everything that a token file holds and the server may still accept.
pub(crate) struct Ending {
    pairs: Vec<Pair>,
    tombstone: Tombstone,
}

/// One pair, and a newer refresh token that came alone.
struct Pair {
    tokens: Tokens,
    salvaged: Option<RefreshToken>,
}

/// The token to send.
enum Sent {
    Access(AccessToken),
    Refresh(RefreshToken),
}

impl Ending {
    /// Collects what a file holds; `None` if it holds no tokens. Fails if anything of it belongs to another owner.
    ///
    /// A process that died may have left newer tokens beside the file. The server takes the older ones, which are dead,
    /// and revokes nothing.
    pub(crate) fn of(claimed: &Claimed, client: &Client, owner: Owner<'_>) -> Result<Option<Self>, Failure> {
        let stored = claimed.stored.record();
        let mut waiting: Vec<_> = claimed.logins.iter().collect();
        waiting.retain(|tokens| stored.is_none_or(|record| tokens.sent_at() > record.logged_in_at));
        waiting.sort_by_key(|tokens| tokens.sent_at());
        let generation = stored.map_or(0, |record| record.generation);
        let newest = waiting.last().map(|tokens| Tombstone {
            login: LoginId::of(tokens),
            logged_in_at: tokens.sent_at(),
            generation,
        });
        let Some(tombstone) = newest.or_else(|| stored.map(Record::tombstone)) else { return Ok(None) };
        let waiting = waiting.into_iter().rev().map(|tokens| Pair { tokens: tokens.clone(), salvaged: None });
        let pairs: Vec<_> = waiting.chain(stored.into_iter().flat_map(|it| pairs_of(it, claimed, client))).collect();
        for Pair { tokens, .. } in &pairs {
            owner.accept(tokens)?;
        }
        Ok(Some(Self { pairs, tombstone }))
    }

    /// Revokes each pair, the newest first.
    pub(crate) async fn revoke(&self, client: &Client, transport: &Transport, manner: Manner) -> Result<(), Failure> {
        for pair in &self.pairs {
            send(pair.token(manner.token)?, client, transport, manner).await?;
        }
        Ok(())
    }

    /// Removes the file after everything is revoked, and says so.
    pub(crate) fn remove(&self, file: &mut TokenFile, claimed: &Claimed) -> Result<(), Failure> {
        let path = file.path().display().to_string();
        match file.forget(claimed, self.tombstone) {
            Ok(true) => say(&format!("revoked; {path} is removed")),
            Ok(false) => say(&format!("revoked; {path} cannot be removed, so it is emptied")),
            Err(failure) => {
                let reason = failure.message();
                let message = format!("revoked, but {path} cannot be removed: {reason}; its tokens are dead");
                return Err(Failure::other(message));
            }
        }
        Ok(())
    }
}

/// Revokes the pair of a record that has been replaced.
pub(crate) async fn revoke_record(
    record: &Record,
    client: &Client,
    transport: &Transport,
    manner: Manner,
) -> Result<(), Failure> {
    let pair = Pair { tokens: record.tokens.clone(), salvaged: record.salvaged.clone() };
    send(pair.token(None)?, client, transport, manner).await
}

impl Pair {
    fn token(&self, kind: Option<TokenKind>) -> Result<Sent, Failure> {
        let default = if self.tokens.refresh_token().is_none() { TokenKind::Access } else { TokenKind::Refresh };
        Ok(match kind.unwrap_or(default) {
            TokenKind::Access => Sent::Access(self.tokens.access_token().clone()),
            TokenKind::Refresh => {
                Sent::Refresh(self.salvaged.clone().map_or_else(|| saved_refresh_token(&self.tokens), Ok)?)
            }
        })
    }
}

async fn send(token: Sent, client: &Client, transport: &Transport, manner: Manner) -> Result<(), Failure> {
    let call = match &token {
        Sent::Access(token) => client.revoke_with(token, manner.options()),
        Sent::Refresh(token) => client.revoke_with(token, manner.options()),
    };
    transport.send(call).await?;
    Ok(())
}

/// The pairs of one login that may be alive: the newest one, and those that came too late to replace it.
fn pairs_of(record: &Record, claimed: &Claimed, client: &Client) -> Vec<Pair> {
    let newest = match spooled_pair(claimed, record, client) {
        Some(tokens) => Pair { tokens, salvaged: None },
        None => Pair { tokens: record.tokens.clone(), salvaged: record.salvaged.clone() },
    };
    let mut pairs = vec![newest];
    for stray in record.strays.iter().rev() {
        if pairs.iter().all(|pair| pair.tokens != stray.tokens) {
            pairs.push(Pair { tokens: stray.tokens.clone(), salvaged: None });
        }
    }
    pairs
}

/// Returns the pair in a response that nobody has read yet.
fn spooled_pair(claimed: &Claimed, record: &Record, client: &Client) -> Option<Tokens> {
    let sent = record.refresh_token()?;
    let mut answers = claimed.spooled.iter().rev();
    let is_last = |answer: &&Spooled| record.is_parent(&answer.parent) && answer.number == record.requests;
    let answer = answers.find(is_last)?;
    let (_, reader) = client.refresh(sent).into_parts(SystemTime::now());
    reader.restore_answer(answer.answer.as_bytes()).ok()?.interpret().ok()
}
