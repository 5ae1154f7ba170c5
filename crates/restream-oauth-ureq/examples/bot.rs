//! A chat bot that runs for months, without async: it refreshes in time and follows the advice of every error.
//!
//!     cargo run -p restream-oauth-ureq --example bot
//!
//! starts a local Restream, which fails now and then, and works through three messages. One bot works with one file of
//! tokens: a refresh token is used by one caller at a time.

use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use restream_oauth_core::error::Salvaged;
use restream_oauth_core::{Advice, Client, Endpoints, Profile, RefreshToken, Saved, Tokens};
use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};
use restream_oauth_ureq::{Transport, entropy};

fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::start()?;
    let mut bot = start(&sandbox, Duration::from_secs(1), |_| println!("(saves its tokens)"))?;
    for message in ["hello", "what is playing?", "bye"] {
        // What happens in months: an hour passes, and the next two refreshes meet a busy server and a broken gateway.
        sandbox.advance(Duration::from_secs(3600));
        sandbox.inject(Fault::new(What::retry_after(429, "1")).on(Endpoint::Token));
        sandbox.inject(Fault::new(What::html(502)).on(Endpoint::Token).before_acting());
        println!("user {} is asked: {message}", bot.profile()?.id());
    }
    Ok(())
}

/// Logs in once. A real bot reads its tokens from where `login` left them, with `Client::restore_tokens`.
pub(crate) fn start<F: FnMut(Saved)>(
    sandbox: &Sandbox,
    pause: Duration,
    mut save: F,
) -> Result<Bot<F>, Box<dyn Error>> {
    let client = Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap_or_default())
        .redirect_uri(&sandbox.redirect_uris()[0])
        .endpoints(Endpoints::at(sandbox.base_url())) // leave this out for the real Restream
        .build()?;
    let transport = Transport::new()?;
    let mut login = client.login(entropy()?);
    let code = login.read_callback(&sandbox.approve(login.url().as_str())?)?; // a person clicks "Approve"
    let tokens = transport.send(client.exchange(&code))?;
    save(tokens.to_saved());
    Ok(Bot { client, transport, tokens, pause, save })
}

pub(crate) struct Bot<F> {
    client: Client,
    transport: Transport,
    tokens: Tokens,
    /// The first pause before another try; each further one is twice as long.
    pause: Duration,
    /// Writes the tokens down, and returns when they are safe on the disk.
    save: F,
}

impl<F: FnMut(Saved)> Bot<F> {
    /// An API call, here for the profile. The advice [`Advice::Refresh`] means that the access token is dead before its
    /// time: one refresh, and once more.
    pub(crate) fn profile(&mut self) -> Result<Profile, Box<dyn Error>> {
        if !self.tokens.is_fresh(SystemTime::now(), Duration::from_secs(60)) {
            self.refresh()?;
        }
        let call = self.client.profile(self.tokens.access_token())?;
        match self.transport.send(call) {
            Err(error) if error.advice() == Advice::Refresh => {
                self.refresh()?;
                Ok(self.transport.send(self.client.profile(self.tokens.access_token())?)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Gets a new pair and saves it before anything uses it.
    fn refresh(&mut self) -> Result<(), Box<dyn Error>> {
        let mut refresh_token: RefreshToken =
            self.tokens.refresh_token().ok_or("no refresh token: log in again")?.clone();
        let mut pause = self.pause;
        for _ in 0..5 {
            let error = match self.transport.send(self.client.refresh(&refresh_token)) {
                Ok(tokens) => {
                    (self.save)(tokens.to_saved());
                    self.tokens = tokens;
                    return Ok(());
                }
                Err(error) => error,
            };
            println!("({error})");
            match error.advice() {
                // Nothing has happened yet.
                Advice::Retry { after } => sleep(after.unwrap_or(pause)),
                // The server may have acted. The same token once more is the only chance to get the new pair.
                Advice::Replay => sleep(error.retry_after().unwrap_or(pause)),
                // The response was damaged, and only a newer refresh token could be read from it. The saved one is dead:
                // if your storage can hold a refresh token alone, write this one down first.
                Advice::Refresh => match error.salvaged() {
                    Some(Salvaged::RefreshToken(newer)) => refresh_token = newer.clone(),
                    _ => return Err(error.into()),
                },
                // `Reauthorize`: only the user can help. `FixConfiguration` and `Abort`: only a person can.
                _ => return Err(error.into()),
            }
            pause *= 2;
        }
        Err("no new tokens after five tries; the old ones are still saved".into())
    }
}
