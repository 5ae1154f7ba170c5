//! How a keeper of this process ends: what is under way is finished, and new pairs that the store refuses are saved.

use std::time::Duration;

use restream_oauth_keeper::{GrantName, Keeper, Left};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::signals::{GivenUp, Interruptions};
use crate::terminal::say;
use crate::tokens::elsewhere::{save_document_elsewhere, words_of};

/// A wait that is longer than this is explained.
const LONG: Duration = Duration::from_secs(1);

/// Waits until the keeper has finished what is under way, so that no refresh is left in doubt. A further signal ends the
/// wait.
pub(crate) async fn shut_down(keeper: &Keeper, interruptions: &mut Interruptions) -> Result<Left, Failure> {
    let mut ending: JoinHandle<Left> = tokio::spawn({
        let keeper = keeper.clone();
        async move { keeper.shut_down().await }
    });
    let ended = interruptions.put_off(async {
        if let Ok(ended) = timeout(LONG, &mut ending).await {
            return ended;
        }
        say("waiting for the answer to a refresh, 85 s at most");
        ending.await
    });
    let ended = ended.await.map_err(|GivenUp| given_up(keeper))?;
    ended.map_err(|error| Failure::other(format!("the keeper did not end: {error}")))
}

/// The failure of a wait that a further signal ended. Pairs that are in memory alone are saved.
pub(crate) fn given_up(keeper: &Keeper) -> Failure {
    let message = "given up before the answer came: a refresh is in doubt, and the next run goes on with it";
    match rescue(|name| keeper.export(name.as_str()), &keeper.left()) {
        Ok(()) => Failure::new(Exit::Interrupted, message),
        Err(saved) => Failure::new(Exit::Interrupted, saved.message()),
    }
}

/// Saves new pairs that the store refuses, and says what else was left. `export` gives such a pair.
pub(crate) fn rescue(export: impl Fn(&GrantName) -> Option<Zeroizing<String>>, left: &Left) -> Result<(), Failure> {
    let mut failure = None;
    for name in &left.stranded {
        let Some(document) = export(name) else { continue };
        let saved = words_of(&save_document_elsewhere(&document));
        failure = Some(match failure {
            None => Failure::other(format!("account {name}: the new tokens could not be stored")).and(&saved),
            Some(failure) => Failure::and(failure, &format!("account {name}: {saved}")),
        });
    }
    if !left.in_doubt.is_empty() {
        say(&format!("in doubt: {}; the next run goes on with it", join(&left.in_doubt)));
    }
    failure.map_or(Ok(()), Err)
}

/// Names accounts in one line.
pub(crate) fn join(names: &[GrantName]) -> String {
    names.iter().map(GrantName::as_str).collect::<Vec<_>>().join(", ")
}
