//! `logout`: ends a login at the server, and removes its tokens.

mod database;

use restream_oauth_keeper::DeathCause;

use crate::arguments::Logout;
use crate::configuration;
use crate::database::chosen::Chosen;
use crate::failure::{Exit, Failure};
use crate::terminal::say;
use crate::tokens::access::client_of;
use crate::tokens::file::TokenFile;
use crate::tokens::owner::Owner;
use crate::tokens::place::{Place, TokensPath};
use crate::tokens::revocation::{ELSEWHERE, Ending, Manner, is_in_doubt};
use crate::tokens::rotation::Rotation;
use crate::transport::Transport;

pub(crate) async fn run(options: &Logout) -> Result<(), Failure> {
    if let Some(database) = Chosen::of(&options.database, &options.tokens)? {
        return database::run(options, database).await;
    }
    let manner = Manner::of(&options.client);
    let client = manner.client(&options.client)?;
    let owner = Owner::of(&options.client, &client);
    let transport = configuration::transport(&options.client)?;
    let place = Place::of(&options.tokens)?;
    let Some(path) = place.file() else {
        return Err(Failure::usage(
            "`logout` ends the login in a file: give --account NAME or --tokens FILE; `revoke` takes tokens from \
             standard input",
        ));
    };
    if let Some(record) = TokenFile::at(path, options.client.timeout)?.record()? {
        owner.accept(&record.tokens).map_err(|failure| failure.about(&path.path().display()))?;
        if is_in_doubt(&record) {
            resolve(options, &transport, path).await?;
        }
    }

    let mut file = TokenFile::at(path, options.client.timeout)?;
    let claimed = file.claim_to_end()?;
    let ending = Ending::of(&claimed, &client, owner).map_err(|failure| failure.about(&path.path().display()))?;
    let ending = ending.ok_or_else(|| file.no_tokens())?;
    let record = claimed.stored.record();
    if record.is_some_and(is_in_doubt) {
        return Err(unresolved(path, "another process has left a refresh in doubt"));
    }
    ending.revoke(&client, &transport, manner).await.map_err(|failure| not_confirmed(path, &failure))?;
    ending.remove(&mut file, &claimed)?;
    if record.and_then(|record| record.death).is_some_and(|death| death.why == DeathCause::LostAnswer) {
        say(&format!("warning: the newest tokens of this login never arrived, and could not be revoked: {ELSEWHERE}"));
    }
    Ok(())
}

/// Waits for a refresh that is under way, or sends a refresh in doubt again.
async fn resolve(options: &Logout, transport: &Transport, path: &TokensPath) -> Result<(), Failure> {
    let client = client_of(path, &options.client)?;
    say("a refresh is under way or in doubt: its outcome is awaited before the tokens are revoked");
    let outcome = Rotation::of(path, &client, transport, options.client.timeout).resolve().await;
    let Err(failure) = outcome else { return Ok(()) };
    if failure.is_interruption() {
        return Err(failure);
    }
    let record = TokenFile::at(path, options.client.timeout)?.record()?;
    match record {
        // A refusal resolves the doubt: the tokens in the file are dead.
        Some(record) if is_in_doubt(&record) => Err(unresolved(path, failure.message())),
        _ => Ok(()),
    }
}

fn unresolved(path: &TokensPath, why: &str) -> Failure {
    let path = path.path().display();
    let message = format!(
        "{why}\nnot logged out, and {path} stays: the server may have replaced its tokens, and a revocation would be \
         answered with success all the same. Run `logout` again later; {ELSEWHERE}"
    );
    Failure::new(Exit::TryAgain, message)
}

fn not_confirmed(path: &TokensPath, failure: &Failure) -> Failure {
    let (why, path) = (failure.message(), path.path().display());
    let message = format!("{why}\nnot logged out, and {path} stays: the server has not confirmed the revocation");
    Failure::new(Exit::TryAgain, message)
}
