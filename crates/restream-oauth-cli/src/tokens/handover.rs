//! How a login ends, whichever command has brought it: its tokens are put in place, its user is written down, and the login
//! that it has replaced may be revoked. Once the tokens are in place, nothing can fail the login.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, SystemTime};

use restream_oauth_core::{Client, Tokens};
use restream_oauth_keeper::{LoginId, Record, User};

use crate::arguments::{ClientOptions, TokensOutput};
use crate::failure::{Exit, Failure};
use crate::signals::Interruptions;
use crate::terminal::say;
use crate::tokens::asking::profile;
use crate::tokens::file::TokenFile;
use crate::tokens::owner::other_owner;
use crate::tokens::place::{Place, TokensPath};
use crate::tokens::revocation::{Manner, revoke_record};
use crate::tokens::storing::{prove, show_login, store_login};
use crate::tokens::table::name_of;
use crate::transport::Transport;

/// How long the profile may take. The tokens are in place, and a person waits.
const LONGEST_PROFILE: Duration = Duration::from_secs(5);
/// How long the file may be in use by another process.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a login is for: where its tokens go, and what its user has asked for.
#[derive(Clone, Copy)]
pub(crate) struct Handover<'a> {
    pub(crate) place: &'a Place,
    pub(crate) means: Means<'a>,
}

/// What the requests that follow on a login need, wherever its tokens go.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) client: &'a Client,
    pub(crate) transport: &'a Transport,
    pub(crate) options: &'a ClientOptions,
    pub(crate) output: &'a TokensOutput,
}

impl<'a> Handover<'a> {
    /// Proves that the tokens can be stored, before a person or a server is asked for them.
    pub(crate) fn prove(&self) -> Result<(), Failure> {
        if self.means.output.revoke_old && self.place.file().is_none() {
            return Err(Failure::usage(
                "--revoke-old revokes the login that the new one replaces in a file, and the tokens go to standard \
                 output: give --account NAME or --tokens FILE",
            ));
        }
        prove(self.place, self.means.options.timeout)
    }

    /// Says whose living login the next one will replace, before a person is asked to log in.
    pub(crate) fn announce(&self) {
        let Some(place) = self.place.file() else { return };
        // A file that cannot be read has been refused.
        let record = TokenFile::at(place, Duration::ZERO).and_then(|file| file.record()).ok().flatten();
        self.means.announce(place, record.as_deref());
    }

    /// Puts the tokens in place that an exchange has brought. From here on, nothing can fail the login.
    pub(crate) async fn store(self, tokens: Tokens, mut interruptions: Interruptions) -> Result<LoggedIn<'a>, Failure> {
        let mut replaced = None;
        if let Some(file) = self.place.file() {
            replaced = store_login(file, &tokens, self.means.client, &mut interruptions).await?;
            say(&format!("logged in; the tokens are in {}", file.path().display()));
        }
        Ok(LoggedIn { handover: self, tokens, replaced, interruptions })
    }
}

impl Means<'_> {
    /// Says whose living login the next one will replace. `record` is what is stored now.
    pub(crate) fn announce(&self, place: &dyn Display, record: Option<&Record>) {
        let Some(record) = record.filter(|record| is_alive(record, SystemTime::now())) else { return };
        let whose = match (other_owner(&record.tokens, self.client), &record.user) {
            (Some(owner), _) => format!("holds a living login of {owner}"),
            (None, Some(user)) => format!("is logged in as {}", name_of(user)),
            (None, None) => "holds a living login of a user who is not known".to_owned(),
        };
        say(&format!("{place} {whose}: a new login takes its place"));
    }

    /// Asks whose the new tokens are.
    pub(crate) async fn ask_user(&self, tokens: &Tokens, interruptions: &mut Interruptions) -> Result<User, Failure> {
        let asked = profile(tokens.access_token(), self.client, self.transport);
        let asked = tokio::time::timeout(LONGEST_PROFILE, asked);
        let profile = unless_interrupted(interruptions, asked).await?.map_err(|_| {
            Failure::new(Exit::TryAgain, format!("the API took longer than {} s", LONGEST_PROFILE.as_secs()))
        })??;
        Ok(User { id: profile.id().to_owned(), username: profile.username().map(str::to_owned) })
    }

    /// Revokes the login that the new one has replaced, if it is another user's.
    pub(crate) async fn end_replaced(
        &self,
        replaced: Option<Box<Record>>,
        tokens: &Tokens,
        user: Result<User, Failure>,
        interruptions: &mut Interruptions,
    ) {
        let user = match user {
            Ok(user) => {
                say(&format!("logged in as {}", name_of(&user)));
                Some(user)
            }
            Err(failure) if failure.is_interruption() => return say(failure.message()),
            Err(failure) => {
                say(&format!("warning: whose login it is could not be found out: {}", failure.message()));
                None
            }
        };
        let login = LoginId::of(tokens);
        let old = replaced.filter(|old| old.login != login && old.death.is_none());
        // Tokens of another client or server are not sent. A warning has named their owner.
        let Some(old) = old.filter(|old| other_owner(&old.tokens, self.client).is_none()) else { return };
        let is_of_another = matches!((&old.user, &user), (Some(old), Some(new)) if old.id != new.id);
        if !self.output.revoke_old && !is_of_another {
            let why =
                if old.user.is_some() && user.is_some() { "it is the same user's" } else { "its user is not known" };
            return say(&format!(
                "the previous login is replaced, but not revoked, because {why}; a login with --revoke-old revokes it too"
            ));
        }
        let of = old.user.as_ref().map_or_else(String::new, |user| format!(" of {}", name_of(user)));
        let revoked = revoke_record(&old, self.client, self.transport, Manner::of(self.options));
        match unless_interrupted(interruptions, revoked).await.and_then(|revoked| revoked) {
            Ok(()) if old.doubt.is_some() => say(&format!(
                "warning: a refresh of the previous login{of} was in doubt, so its newest tokens may live on: to be sure, \
                 remove the application in the settings of that Restream account"
            )),
            Ok(()) => say(&format!("the previous login{of} is revoked")),
            Err(failure) => {
                say(&format!("warning: the previous login{of} could not be revoked: {}", failure.message()));
            }
        }
    }
}

/// A login whose tokens are in place, unless they go to standard output.
pub(crate) struct LoggedIn<'a> {
    handover: Handover<'a>,
    tokens: Tokens,
    /// What they replaced.
    replaced: Option<Box<Record>>,
    interruptions: Interruptions,
}

impl LoggedIn<'_> {
    /// Sends the requests that follow on a login, and prints what the user wants to see of it.
    pub(crate) async fn complete(mut self) -> Result<(), Failure> {
        let Handover { place, means } = self.handover;
        if let Some(file) = place.file() {
            self.follow_up(file).await;
        }
        show_login(place, &self.tokens, means.output.print_tokens)
    }

    /// Writes down whose the new tokens are, and revokes the login that they have replaced if it is another user's.
    async fn follow_up(&mut self, place: &TokensPath) {
        let Self { handover: Handover { means, .. }, tokens, replaced, interruptions } = self;
        let user = means.ask_user(tokens, interruptions).await.and_then(|user| {
            TokenFile::at(place, PATIENCE)?.name_user(LoginId::of(tokens), user.clone())?;
            Ok(user)
        });
        means.end_replaced(replaced.take(), tokens, user, interruptions).await;
    }
}

/// Waits for a response, until a signal comes: there is nothing to lose any more.
async fn unless_interrupted<T>(
    interruptions: &mut Interruptions,
    response: impl Future<Output = T>,
) -> Result<T, Failure> {
    tokio::select! {
        response = response => Ok(response),
        _ = interruptions.next() => {
            Err(Failure::new(Exit::Interrupted, "interrupted; the tokens of the login are in place"))
        }
    }
}

/// True if the login can still be used, as far as its file says.
fn is_alive(record: &Record, now: SystemTime) -> bool {
    let tokens = &record.tokens;
    let refreshable = record.refresh_token().is_some() && now < tokens.refresh_expires_at();
    record.death.is_none() && (refreshable || tokens.is_fresh(now, Duration::ZERO))
}
