//! `refresh`: step 4. The refresh token is spent as soon as the server sees it. So everything that can fail on this
//! side is tried before, and every response that arrives is kept.

mod given;

use std::path::Path;

use crate::arguments::Refresh;
use crate::configuration;
use crate::failure::Failure;
use crate::terminal::say;
use crate::tokens::access::client_of;
use crate::tokens::living::gone;
use crate::tokens::owner::Owner;
use crate::tokens::place::Place;
use crate::tokens::rotation::{How, Rotation, words};
use crate::tokens::source::{Given, STANDARD_INPUT, prove_output};

pub(crate) async fn run(options: &Refresh) -> Result<(), Failure> {
    let place = Place::of(&options.tokens)?;
    if let Some(file) = place.file() {
        let client = client_of(file, &options.client)?;
        let transport = configuration::transport(&options.client)?;
        let how = Rotation::of(file, &client, &transport, options.client.timeout).rotate(options.force).await?;
        say(if how == How::Adopted { "another process has just refreshed the tokens" } else { "refreshed" });
        return Ok(());
    }
    let client = configuration::client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    prove_output()?;
    let given = Given::read(&place, Owner::Client(&client))?;
    let mut in_doubt = false;
    if let Given::Saved(record) = &given {
        // A dead refresh token is not sent again.
        let dead = gone(record).and_then(|gone| words::gone(Path::new(STANDARD_INPUT), gone));
        dead.map_or(Ok(()), Err)?;
        in_doubt = record.doubt.is_some();
    }
    given::refresh(client, transport, &given.refresh_token()?, in_doubt).await
}
