//! Waits until the login comes back: by the browser, or as a URL that a person pastes.
//!
//! Anyone can send a callback, and a person can paste the wrong URL. So the login checks `state` in both cases, and
//! what is not trusted does not end the wait.

use std::future::pending;
use std::time::Duration;

use restream_oauth_core::login::CallbackError;
use restream_oauth_core::{AuthorizationCode, Login};
use tokio::time::{Instant, timeout_at};

use crate::failure::{Exit, Failure};
use crate::login::callback_listener::{Callback, CallbackListener, LastPage, Serving};
use crate::login::pages::Page;
use crate::login::pasting::{Pasted, PastedLines, Pasting};
use crate::terminal::say;

/// The most messages about callbacks, so that forged callbacks cannot flood the terminal. The first denial is always
/// reported, and so is every pasted line.
const MOST_REMARKS: usize = 20;

/// The ways in which the login can come back.
pub(crate) struct Waiting {
    listener: Option<CallbackListener>,
    pasting: Option<Pasting>,
}

impl Waiting {
    /// Listens on the redirect URI. If standard input is a terminal, the URL can be pasted there too.
    pub(crate) async fn for_browser_or_paste(redirect_uri: &str) -> Result<Self, Failure> {
        let listener = CallbackListener::bind(redirect_uri).await?;
        Ok(Self { listener: Some(listener), pasting: Pasting::at_a_terminal() })
    }

    /// Waits for the browser alone.
    pub(crate) fn for_browser(listener: CallbackListener) -> Self {
        Self { listener: Some(listener), pasting: None }
    }

    /// Opens no port: the URL comes from standard input alone.
    pub(crate) fn for_paste() -> Self {
        Self { listener: None, pasting: Some(Pasting::of_any_kind()) }
    }

    /// True if a port is open.
    pub(crate) fn listens(&self) -> bool {
        self.listener.is_some()
    }

    /// Returns where the URL can be pasted.
    pub(crate) fn pasting(&self) -> Option<Pasting> {
        self.pasting
    }

    /// Waits until a callback is accepted. Reports denials and what is not trusted on standard error, and keeps
    /// waiting. An OAuth error with the right `state` ends the wait. Returns the page of the browser, if it came back
    /// by itself.
    pub(crate) async fn end(
        self,
        login: &mut Login,
        limit: Duration,
    ) -> Result<(AuthorizationCode, Option<LastPage>), Failure> {
        let now = Instant::now();
        let deadline = now.checked_add(limit).unwrap_or(now);
        let mut browser = self.listener.map(CallbackListener::serve);
        let mut lines = self.pasting.map(Pasting::start);
        let mut remarks = Remarks { denied: false, left: 0..MOST_REMARKS };
        loop {
            let arrived = timeout_at(deadline, next(browser.as_mut(), lines.as_mut())).await;
            match arrived {
                Err(_) => return Err(remarks.in_vain(&format!("within {} s", limit.as_secs_f64()))),
                Ok(Arrived::Callback(callback)) => match login.read_callback(callback.uri()) {
                    Ok(code) => return Ok((code, browser.map(|browser| browser.accept(callback)))),
                    Err(error @ CallbackError::Refused { .. }) => {
                        callback.answer_last(Page::Refused).await;
                        return Err(error.into());
                    }
                    Err(error) => {
                        callback.answer(page_of(&error));
                        remarks.on_callback(&error);
                    }
                },
                Ok(Arrived::Pasted(Pasted::Query(query))) => match login.read_callback(&query) {
                    Ok(code) => return Ok((code, None)),
                    Err(error @ CallbackError::Refused { .. }) => return Err(error.into()),
                    Err(error) => remarks.on_paste(&error),
                },
                Ok(Arrived::Pasted(Pasted::Useless(reason))) => say(&format!("{reason}; still waiting")),
                Ok(Arrived::Pasted(Pasted::End)) if browser.is_some() => lines = None,
                Ok(Arrived::Pasted(Pasted::End)) => return Err(remarks.in_vain("before standard input ended")),
            }
        }
    }
}

enum Arrived {
    Callback(Callback),
    Pasted(Pasted),
}

async fn next(browser: Option<&mut Serving>, lines: Option<&mut PastedLines>) -> Arrived {
    let callback = async {
        match browser {
            Some(browser) => browser.next().await,
            None => pending().await,
        }
    };
    let pasted = async {
        match lines {
            Some(lines) => lines.next().await,
            None => pending().await,
        }
    };
    tokio::select! {
        callback = callback => Arrived::Callback(callback),
        pasted = pasted => Arrived::Pasted(pasted),
    }
}

fn page_of(error: &CallbackError) -> Page {
    match error {
        CallbackError::NoParameters => Page::Denied,
        _ => Page::NotTrusted,
    }
}

/// What was said of callbacks that did not end the wait.
struct Remarks {
    denied: bool,
    left: std::ops::Range<usize>,
}

impl Remarks {
    fn on_callback(&mut self, error: &CallbackError) {
        let first_denial = *error == CallbackError::NoParameters && !std::mem::replace(&mut self.denied, true);
        if self.left.next().is_none() && !first_denial {
            return;
        }
        match error {
            CallbackError::NoParameters => say(
                "a callback without parameters came: that is how Restream says that the login was denied, but anyone \
                 can send it; still waiting",
            ),
            error => say(&format!("a callback was ignored: {error}; still waiting")),
        }
    }

    fn on_paste(&mut self, error: &CallbackError) {
        match error {
            CallbackError::NoParameters => {
                self.denied = true;
                say("the pasted URL has no parameters: that is how Restream says that the login was denied; \
                     still waiting");
            }
            CallbackError::CodeMissing => {
                say("the pasted URL holds no code: paste the URL on which the browser ended; still waiting");
            }
            error => say(&format!("the pasted URL was ignored: {error}; still waiting")),
        }
    }

    /// The failure of a wait that ended without a code.
    fn in_vain(&self, end: &str) -> Failure {
        let message = if self.denied {
            format!("the login was denied, and no other answer came {end}")
        } else {
            format!("nobody came back from the login {end}")
        };
        Failure::new(Exit::Denied, message)
    }
}
