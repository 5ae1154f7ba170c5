//! Refreshes the tokens of a file: always, or only if the access token does not live on for long enough.
//!
//! The file says that a refresh is on its way before it is sent, and the response is on the disk before it is read. So a
//! refresh whose response is lost, or whose process dies, is known to the next run, which sends the same refresh token
//! again, or reads the response. Within a run, a refresh in doubt is sent again by the keeper's schedule for 20 seconds,
//! and a replay that hangs does not make that longer.

mod replay_time;
mod run;
mod told;
pub(crate) mod words;

use std::time::{Duration, SystemTime};

use restream_oauth_core::{AccessToken, Client};
use restream_oauth_keeper::Record;

pub(crate) use self::replay_time::ReplayTime;
use self::replay_time::has_lost_an_answer;
use self::run::{Done, Means, Run};
pub(crate) use self::run::{How, Want};
use crate::failure::{Exit, Failure};
use crate::signals::Interruptions;
use crate::terminal::say;
use crate::tokens::file::TokenFile;
use crate::tokens::keeping::Keeping;
use crate::tokens::living::{Living, check_rejected};
use crate::tokens::place::TokensPath;
use crate::tokens::storing::store_login;
use crate::transport::Transport;

/// How much longer than its request another refresh may hold the lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// The refreshes of one file by one command.
pub(crate) struct Rotation<'a> {
    place: &'a TokensPath,
    means: Means,
}

impl<'a> Rotation<'a> {
    /// `timeout` is the limit of each request.
    pub(crate) fn of(place: &'a TokensPath, client: &Client, transport: &Transport, timeout: Duration) -> Self {
        let patience = timeout.saturating_add(PATIENCE);
        Self {
            place,
            means: Means {
                client: client.clone(),
                transport: transport.clone(),
                patience,
                replay_time: ReplayTime::default(),
                interruptions: None,
            },
        }
    }

    /// Rotates the pair, now or as soon as the response to an earlier refresh counts as lost. Adopts a pair that another
    /// process stores meanwhile, unless `force` is set.
    pub(crate) async fn rotate(&mut self, force: bool) -> Result<How, Failure> {
        let record = self.newest().await?;
        let done = self.run(&record, if force { Want::Own } else { Want::Newer }).await?;
        Ok(done.how)
    }

    /// Ends a doubt, if there is one, by a replay.
    pub(crate) async fn resolve(&mut self) -> Result<(), Failure> {
        let record = self.newest().await?;
        if record.doubt.is_some() {
            self.run(&record, Want::Newer).await?;
        }
        Ok(())
    }

    /// Returns an access token that lives on for `valid_for`, or for a fifth of its life if that is shorter. Refreshes
    /// only if the present one does not. While the present one lives, a refresh that fails costs a warning.
    pub(crate) async fn living(&mut self, valid_for: Duration) -> Result<Living, Failure> {
        let mut record = self.newest().await?;
        if record.doubt.is_some_and(|doubt| doubt.in_flight) {
            // Another process refreshes, or has died. Its claim ends in both cases, and only then the token is known.
            let mut patience = self.means.patience;
            if has_lost_an_answer(&record) {
                patience = patience.min(self.means.replay_time.left());
            }
            self.wait_for_others(patience)?;
            record = self.newest().await?;
        }
        if let Some(living) = Living::of_record(&record, valid_for, SystemTime::now()) {
            return Ok(living);
        }
        let margin = Living::margin(&record, valid_for);
        let done = self.run(&record, Want::Living(margin)).await?;
        self.result(done, record)
    }

    /// Returns an access token in the place of one that the API refused: the newest, or that of a refresh.
    pub(crate) async fn instead_of(&mut self, refused: &AccessToken, valid_for: Duration) -> Result<Living, Failure> {
        let record = self.newest().await?;
        if record.tokens.access_token() != refused {
            return self.living(valid_for).await;
        }
        check_rejected(&record, SystemTime::now())?;
        let done = self.run(&record, Want::Newer).await?;
        self.result(done, record)
    }

    /// The signals, if they do not end the program by themselves any more.
    pub(crate) fn interruptions(&mut self) -> Option<&mut Interruptions> {
        self.means.interruptions.as_mut()
    }

    async fn run(&mut self, record: &Record, want: Want) -> Result<Done, Failure> {
        let path = self.place.path();
        self.means.client.check_owner(&record.tokens).map_err(|error| Failure::from(error).about(&path.display()))?;
        if record.refresh_token().is_none() {
            return Err(words::no_refresh_token());
        }
        let mut file = TokenFile::at(self.place, Duration::ZERO)?;
        let mut keeping = Keeping::of(&mut file, &self.means.client);
        keeping.look();
        // The machine knows this record, or a newer one that it would not take for new.
        let newer = TokenFile::at(self.place, Duration::ZERO)?.record()?;
        match newer.filter(|newer| newer.generation > record.generation) {
            Some(newer) if want == Want::Own => {
                Run::new(keeping, &mut self.means, path, &newer, want).until_the_end().await
            }
            Some(_) => Ok(Done { how: How::Adopted, token: None }),
            None => Run::new(keeping, &mut self.means, path, record, want).until_the_end().await,
        }
    }

    /// Returns what the file holds, after putting tokens in place that an interrupted login had left.
    async fn newest(&mut self) -> Result<Box<Record>, Failure> {
        let file = TokenFile::at(self.place, Duration::ZERO)?;
        let mut record = file.record()?;
        if is_over(record.as_deref()) {
            self.recover().await?;
            record = file.record()?;
        }
        record.ok_or_else(|| file.no_tokens())
    }

    /// Puts tokens in place that an interrupted login had left where there were none, or dead ones.
    async fn recover(&mut self) -> Result<(), Failure> {
        let Means { client, patience, interruptions, .. } = &mut self.means;
        let mut file = TokenFile::at(self.place, *patience)?;
        if !file.has_something_left() {
            return Ok(());
        }
        let claimed = file.claim_existing()?;
        file.release(&claimed);
        let newest = claimed.logins.iter().max_by_key(|tokens| tokens.sent_at());
        let Some(tokens) = newest.filter(|_| is_over(claimed.stored.record())) else { return Ok(()) };
        client.check_owner(tokens)?;
        store_login(self.place, tokens, client, interruptions.get_or_insert_with(Interruptions::watch)).await?;
        say(&format!("found tokens of a login in {}, and put them in place", file.logins().display()));
        Ok(())
    }

    /// Waits until no other process has the file. Fails if that takes too long. What else keeps the file from being locked
    /// is reported by the refresh, if one is needed.
    fn wait_for_others(&self, patience: Duration) -> Result<(), Failure> {
        let claim = |mut file: TokenFile| file.claim_existing().map(|claimed| file.release(&claimed));
        let claimed = TokenFile::at(self.place, patience).and_then(claim);
        claimed.or_else(|failure| if failure.exit() == Exit::TryAgain { Err(failure) } else { Ok(()) })
    }

    /// The token that a run ended with: that of the file, unless the run knows one that is in no file.
    fn result(&self, done: Done, before: Box<Record>) -> Result<Living, Failure> {
        let newest = TokenFile::at(self.place, Duration::ZERO)?.record()?.unwrap_or(before);
        Ok(match done.token {
            Some(token)
                if *token.access_token() != *newest.tokens.access_token()
                    && newest.generation <= token.generation() =>
            {
                Living::alone(&token)
            }
            _ => Living::from(&*newest),
        })
    }
}

/// True if there is nothing to refresh: the machine does not claim such a file, and finds no login that waits.
fn is_over(record: Option<&Record>) -> bool {
    record.is_none_or(|record| record.death.is_some())
}
