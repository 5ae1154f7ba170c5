//! `refresh`: step 4. The refresh token is spent when the server has seen it, so all that can fail on this side is
//! tried before, and nothing that arrives is lost.

use std::time::{Duration, SystemTime};

use restream_oauth_core::{Answer, Call, Client, Delivery, Error, RefreshToken, Salvaged, Tokens};
use restream_oauth_hyper::Transport;
use zeroize::Zeroizing;

use crate::arguments::Refresh;
use crate::configuration;
use crate::failure::{Failure, say};
use crate::signals::Interruptions;
use crate::token_file::{self, TokenFile};
use crate::token_source::{Given, print_tokens, prove_output, saved_refresh_token};

/// How much longer than a request another refresh may hold the lock.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(options: &Refresh) -> Result<(), Failure> {
    let client = configuration::client(&options.client)?;
    let transport = configuration::transport(&options.client)?;
    match &options.tokens.file {
        None => {
            prove_output()?;
            let refresh_token = Given::read(None)?.refresh_token()?;
            let outcome = refresh(&client, &transport, &refresh_token, |_, _| {}).await;
            print_tokens(&outcome?)
        }
        Some(path) => {
            let patience = options.client.timeout.saturating_add(PATIENCE);
            refresh_file(&client, &transport, &TokenFile::lock(path, patience)?).await
        }
    }
}

/// Under the lock: read, prove that the file can be replaced, send, replace.
async fn refresh_file(client: &Client, transport: &Transport, file: &TokenFile) -> Result<(), Failure> {
    let refresh_token = saved_refresh_token(&file.read()?)?;
    let replacement = file.prepare()?;
    let keep = |body: &[u8], delivery| file.keep_answer(body, delivery);
    let tokens = refresh(client, transport, &refresh_token, keep).await?;
    token_file::put_in_place(file, replacement, &tokens)?;
    say("refreshed");
    Ok(())
}

/// One refresh; and one more, at once, if its answer held the newest refresh token and nothing else.
async fn refresh(
    client: &Client,
    transport: &Transport,
    refresh_token: &RefreshToken,
    keep: impl Fn(&[u8], Delivery),
) -> Result<Tokens, Error> {
    match refresh_once(client, transport, refresh_token, &keep).await {
        Err(error) => match error.salvaged() {
            Some(Salvaged::RefreshToken(newest)) => refresh_once(client, transport, newest, &keep).await,
            _ => Err(error),
        },
        Ok(tokens) => Ok(tokens),
    }
}

async fn refresh_once(
    client: &Client,
    transport: &Transport,
    refresh_token: &RefreshToken,
    keep: &impl Fn(&[u8], Delivery),
) -> Result<Tokens, Error> {
    let sent_at = SystemTime::now();
    let answer = receive(transport, client.refresh(refresh_token)).await;
    let body = Zeroizing::new(answer.expose_body().to_vec());
    let outcome = answer.read(sent_at);
    if let Err(error) = &outcome
        && !body.is_empty()
    {
        keep(&body, error.delivery());
    }
    outcome
}

/// Sends the call; the first signal to end is put off, because giving up now may lose the grant.
async fn receive(transport: &Transport, call: Call<Tokens>) -> Answer<Tokens> {
    let mut interruptions = Interruptions::watch();
    let mut answer = std::pin::pin!(transport.receive(call));
    tokio::select! {
        answer = &mut answer => return answer,
        () = interruptions.next() => {}
    }
    say("waiting for the answer: giving up now may lose the login; interrupt again to give up all the same");
    tokio::select! {
        answer = &mut answer => answer,
        () = interruptions.next() => std::process::exit(130),
    }
}
