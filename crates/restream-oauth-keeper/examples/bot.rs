//! A bot that keeps its login alive, whatever you do to its server.
//!
//!     cargo run -p restream-oauth-keeper --example bot
//!
//! starts a local Restream whose tokens live for 30 seconds, and prints the address of its page. Switch faults on there,
//! end the grant, and read what the bot says about it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use restream_oauth_core::{Advice, Client, Endpoints};
use restream_oauth_hyper::{Limits, Transport, entropy};
use restream_oauth_keeper::store::MemoryStore;
use restream_oauth_keeper::{Keeper, Mode, TokenError};
use restream_oauth_sandbox::Sandbox;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::builder().access_token_lifetime(Duration::from_secs(30)).start()?;
    println!("Switch faults on at {}/_sandbox/ and watch. Ctrl-C ends the bot.", sandbox.base_url());
    run(&sandbox, Duration::from_secs(3), |line| println!("{line}")).await
}

/// Works until nobody but the user can help.
pub(crate) async fn run(
    sandbox: &Sandbox,
    pause: Duration,
    say: impl Fn(String) + Send + Sync + 'static,
) -> Result<(), Box<dyn Error>> {
    let say = Arc::new(say);
    let client = Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap_or_default())
        .redirect_uri(&sandbox.redirect_uris()[0])
        .endpoints(Endpoints::at(sandbox.base_url())) // leave this out for the real Restream
        .build()?;
    // Shorter than the default, so that a server that is silent shows within seconds what the bot does about it.
    let limits = Limits::default().total(Duration::from_secs(10));
    let transport = Transport::builder().limits(limits).build()?;

    // In a real bot: a store of files, so that a restart finds the login again.
    let keeper = Keeper::builder(client.clone(), MemoryStore::new())
        .mode(Mode::Warm) // refreshes before anybody has to wait
        .request_limit(limits.total)
        .build()?;
    let sender = transport.clone();
    tokio::spawn(keeper.run(async move |call| sender.receive(call).await, tokio::time::sleep));

    // What the keeper does, in its own words.
    let mut events = keeper.events();
    let says = Arc::clone(&say);
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            says(format!("  keeper: {event}"));
        }
    });

    // A person logs in once, and clicks "Approve".
    let mut login = client.login(entropy()?);
    let code = login.read_callback(&sandbox.approve(login.url().as_str())?)?;
    let grant = keeper.grant("default")?;
    grant.log_in(&transport.send(client.exchange(&code)).await?).await?;

    // The work: an API call now and then.
    loop {
        match grant.token().await {
            Ok(token) => match transport.send(client.profile(token.access_token())?).await {
                Ok(profile) => say(format!("bot: works for user {} (generation {})", profile.id(), token.generation())),
                Err(error) if error.advice() == Advice::Refresh => {
                    say(format!("bot: the API refuses the token of generation {}", token.generation()));
                    grant.rejected(&token);
                }
                Err(error) => say(format!("bot: the API call failed, the token is good: {error}")),
            },
            Err(TokenError::Gone(gone)) => {
                say(format!("bot: stops, {gone}"));
                break;
            }
            Err(error) => say(format!("bot: no token at the moment: {error}")),
        }
        tokio::time::sleep(pause).await;
    }
    keeper.shut_down().await;
    Ok(())
}
