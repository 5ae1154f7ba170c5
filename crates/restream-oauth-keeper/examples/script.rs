//! A script without async: it runs for a moment, uses a token, and ends. It can be started as often as you like, also
//! twice at once.
//!
//!     cargo run -p restream-oauth-keeper --features file --example script
//!
//! starts a local Restream and logs in, which a real script does once, and then runs the script three times, with an hour
//! between the second and the third.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use restream_oauth_core::{Client, Endpoints};
use restream_oauth_keeper::Keeper;
use restream_oauth_keeper::store::Store;
use restream_oauth_sandbox::Sandbox;
use restream_oauth_ureq::{Transport, entropy};

fn main() -> Result<(), Box<dyn Error>> {
    // Tokens that live for two seconds make the script's hour short.
    let sandbox = Sandbox::builder().access_token_lifetime(Duration::from_secs(2)).start()?;
    let client = client(&sandbox)?;
    let (store, place) = store()?;
    println!("Keeps the tokens {place}.");

    log_in(&sandbox, &client, Arc::clone(&store))?;
    println!("{}", script(&client, Arc::clone(&store))?);
    println!("{}", script(&client, Arc::clone(&store))?);
    std::thread::sleep(Duration::from_secs(2));
    println!("{}", script(&client, store)?);
    println!("(the server has refreshed {} pair)", sandbox.ledger().refreshes);
    Ok(())
}

#[cfg(feature = "file")]
fn store() -> Result<(Arc<impl Store>, String), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("restream-oauth-script-{}", std::process::id()));
    let store = restream_oauth_keeper::store::FileStore::at(&folder)?;
    Ok((Arc::new(store), format!("in {}", folder.display())))
}

/// Memory ends with the process: a script needs the store of files.
#[cfg(not(feature = "file"))]
#[expect(clippy::unnecessary_wraps, reason = "a store of files can fail to open")]
fn store() -> Result<(Arc<impl Store>, String), Box<dyn Error>> {
    let store = restream_oauth_keeper::store::MemoryStore::new();
    Ok((Arc::new(store), "in memory, without the feature `file`".to_owned()))
}

pub(crate) fn client(sandbox: &Sandbox) -> Result<Client, Box<dyn Error>> {
    let client = Client::builder(sandbox.client_id())
        .secret(sandbox.client_secret().unwrap_or_default())
        .redirect_uri(&sandbox.redirect_uris()[0])
        .endpoints(Endpoints::at(sandbox.base_url())) // leave this out for the real Restream
        .build()?;
    Ok(client)
}

/// Done once, by hand.
pub(crate) fn log_in(sandbox: &Sandbox, client: &Client, store: impl Store) -> Result<(), Box<dyn Error>> {
    let transport = Transport::new()?;
    let mut login = client.login(entropy()?);
    let code = login.read_callback(&sandbox.approve(login.url().as_str())?)?; // a person clicks "Approve"
    let tokens = transport.send(client.exchange(&code))?;
    kept(client, store, &transport, |keeper| {
        keeper.grant("default")?.log_in_blocking(&tokens)?;
        Ok(())
    })
}

/// The script.
pub(crate) fn script(client: &Client, store: impl Store) -> Result<String, Box<dyn Error>> {
    let transport = Transport::new()?;
    kept(client, store, &transport, |keeper| {
        let token = keeper.grant("default")?.wait()?; // as it is, or refreshed if it has to be
        let profile = transport.send(client.profile(token.access_token())?)?;
        Ok(format!("user {} (generation {})", profile.id(), token.generation()))
    })
}

/// Does something while a thread drives a keeper.
fn kept<T>(
    client: &Client,
    store: impl Store,
    transport: &Transport,
    work: impl FnOnce(&Keeper) -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let keeper = Keeper::open(client.clone(), store);
    std::thread::scope(|threads| {
        threads.spawn(|| keeper.run_blocking(|call, _limit| transport.receive(call)));
        let result = work(&keeper);
        keeper.shut_down_blocking(); // waits for a refresh that is under way, and ends the thread
        result
    })
}
