//! `token`: prints a living access token. A token that lives on for long enough is printed without a request.

mod database;

use std::time::SystemTime;

use restream_oauth_core::AccessToken;
use zeroize::Zeroizing;

use crate::arguments::Token;
use crate::configuration;
use crate::database::chosen::Chosen;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::terminal::{print, print_json};
use crate::tokens::access::Access;
use crate::tokens::living::Living;
use crate::tokens::place::Place;
use crate::tokens::source::refused_token;

pub(crate) fn run(options: &Token) -> Result<(), Failure> {
    if let Some(database) = Chosen::of(&options.database, &options.tokens)? {
        return show(&database::living(options, database)?, options);
    }
    let place = Place::of(&options.tokens)?;
    let refused = if options.rejected { Some(refused_from(&place)?) } else { None };
    let access = Access { place: &place, options: &options.client, valid_for: options.valid_for };
    let living = match access.at_hand(refused.as_ref())? {
        Some(living) => {
            if living.in_doubt {
                block_on(access.ask_about(&living))?;
            }
            living
        }
        None => block_on(renew(&access, refused.as_ref()))?,
    };
    show(&living, options)
}

/// Reads the token that the API refused.
fn refused_from(place: &Place) -> Result<AccessToken, Failure> {
    if place.file().is_none() {
        return Err(Failure::usage(
            "--rejected reads the refused token from standard input, so the tokens cannot come \
                                   from there: give --account NAME or --tokens FILE",
        ));
    }
    refused_token()
}

async fn renew(access: &Access<'_>, refused: Option<&AccessToken>) -> Result<Living, Failure> {
    let transport = configuration::transport(access.options)?;
    access.renew(&transport, &mut None, refused).await
}

fn show(living: &Living, options: &Token) -> Result<(), Failure> {
    if options.json {
        return print_json(&living.to_json(SystemTime::now()));
    }
    let token = living.access_token.expose_secret();
    if !options.header {
        return print(&Zeroizing::new(format!("{token}\n")));
    }
    living.access_token.bearer_header().map_err(|error| Failure::other(error.to_string()))?;
    print(&Zeroizing::new(format!("Authorization: Bearer {token}\n")))
}
