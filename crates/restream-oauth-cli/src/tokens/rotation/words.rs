//! What a person is told of a refresh that did not give a new pair.

use std::path::Path;
use std::time::Duration;

use restream_oauth_keeper::{DeathCause, Gone};

use crate::failure::{Exit, Failure};

/// What the file knows after a refresh without an outcome, and what to do.
pub(super) fn of_a_doubt(path: &Path) -> String {
    format!(
        "{} remembers this, and its access token may still be accepted: the next run sends the same refresh token \
         again, so run the command again soon",
        path.display()
    )
}

/// The next attempt comes too late for this run.
pub(super) fn not_yet(path: &Path, in_doubt: bool, wait: Duration) -> Failure {
    Failure::new(Exit::TryAgain, format!("{}: run the command again then", of_a_wait(path, in_doubt, wait)))
}

/// The time for replays is over, and another process has the file or nothing was sent.
pub(super) fn still_in_doubt(path: &Path) -> Failure {
    let message = format!("the answer to a refresh of {} is still not known. {}", path.display(), of_a_doubt(path));
    Failure::new(Exit::TryAgain, message)
}

/// Why the next attempt does not come at once, and when it comes.
pub(super) fn of_a_wait(path: &Path, in_doubt: bool, wait: Duration) -> String {
    let (path, seconds) = (path.display(), wait.as_secs().saturating_add(1));
    if in_doubt {
        return format!(
            "the answer to a refresh of {path} was lost; the same refresh token is sent again in {seconds} s"
        );
    }
    format!("the server, or an earlier failure, asked to wait: the next refresh of {path} is sent in {seconds} s")
}

/// A signal ended the command while it waited for the next attempt.
pub(super) fn given_up(path: &Path, in_doubt: bool) -> Failure {
    let message = if in_doubt {
        format!("given up before the refresh was sent again. {}", of_a_doubt(path))
    } else {
        "given up before the refresh was sent".to_owned()
    };
    Failure::new(Exit::Interrupted, message)
}

/// The server accepts the refresh token no longer.
pub(crate) fn dead(path: &Path, why: DeathCause) -> Failure {
    let path = path.display();
    let message = match why {
        DeathCause::LostAnswer => format!(
            "{path}: lost answer: the answer to an earlier refresh was lost, and the server had spent the refresh \
             token: log in again"
        ),
        _ => format!("{path}: the server no longer accepts the refresh token ({why}): log in again"),
    };
    Failure::new(Exit::Reauthorize, message)
}

/// There is nothing to refresh; `None` if nobody has ever logged in.
pub(crate) fn gone(path: &Path, gone: Gone) -> Option<Failure> {
    match gone {
        Gone::Dead(why) => Some(dead(path, why)),
        Gone::LoggedOut => {
            let message = format!("{}: the tokens are revoked: log in again", path.display());
            Some(Failure::new(Exit::Reauthorize, message))
        }
        _ => None,
    }
}

/// The saved tokens hold an access token alone.
pub(crate) fn no_refresh_token() -> Failure {
    Failure::new(Exit::Reauthorize, "the saved tokens hold no refresh token: log in again")
}
