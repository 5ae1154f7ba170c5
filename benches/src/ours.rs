//! The tasks, done with `restream-oauth-core`.

use std::time::{Duration, SystemTime};

use http::{Response, StatusCode};
use restream_oauth_core::{
    AuthorizationCode, Call, Client, ClientBuilder, Entropy, Error, Reader, RefreshToken, Tokens,
};

use crate::fixtures::{
    CLIENT_ID, CLIENT_SECRET, ENTROPY, NESTED_ERROR, REDIRECT_URI, REFRESH_TOKEN, SUCCESS, callback, response,
};
use crate::task::Task;

/// When each request was sent. The core takes the time as an argument.
pub(crate) const SENT_AT: SystemTime = SystemTime::UNIX_EPOCH;

/// The client whose secret travels in a Basic header.
pub(crate) fn client() -> Client {
    built(Client::builder(CLIENT_ID).secret(CLIENT_SECRET))
}

/// The client whose secret travels in the body.
pub(crate) fn client_in_body() -> Client {
    built(Client::builder(CLIENT_ID).secret_in_body(CLIENT_SECRET))
}

fn built(builder: ClientBuilder) -> Client {
    builder.redirect_uri(REDIRECT_URI).build().expect("the fixtures are valid")
}

/// A code from a checked callback, with its PKCE verifier.
pub(crate) fn code(client: &Client) -> AuthorizationCode {
    let mut login = client.login(Entropy::from(ENTROPY));
    let uri = callback(login.state().expose_secret());
    login.read_callback(&uri).expect("the callback is this login's")
}

/// Builds the exchange.
pub(crate) fn build_exchange(client: Client) -> Task {
    let code = code(&client);
    Task::new(move || client.exchange(&code))
}

/// Builds the refresh.
pub(crate) fn build_refresh() -> Task {
    let (client, token) = (client(), RefreshToken::new(REFRESH_TOKEN));
    Task::new(move || client.refresh(&token))
}

/// Makes the authorization URL from random bytes.
pub(crate) fn authorization_url() -> Task {
    let client = client();
    Task::new(move || client.login(Entropy::from(ENTROPY)))
}

/// Reads a response with status 200 in one piece.
pub(crate) fn read(body: &'static str) -> Task {
    let (client, token) = (client(), RefreshToken::new(REFRESH_TOKEN));
    Task::with_input(
        move || (client.refresh(&token).into_parts(SENT_AT).1, response(StatusCode::OK, body)),
        |(reader, response)| tokens(reader.read(response)),
    )
}

/// Reads a response with status 200 in pieces.
pub(crate) fn read_in_chunks(body: &'static str, size: usize) -> Task {
    let (client, token) = (client(), RefreshToken::new(REFRESH_TOKEN));
    Task::with_input(
        move || (client.refresh(&token).into_parts(SENT_AT).1, response(StatusCode::OK, body)),
        move |(reader, response)| tokens(fed(reader, &response, size)),
    )
}

fn fed(mut reader: Reader<Tokens>, response: &Response<Vec<u8>>, size: usize) -> Result<Tokens, Error> {
    let mut flow = reader.head(response.status(), response.headers());
    let mut chunks = response.body().chunks(size);
    while flow.is_continue() {
        let Some(chunk) = chunks.next() else { break };
        flow = reader.chunk(chunk);
    }
    reader.finish().interpret()
}

/// Reads Restream's own error.
pub(crate) fn read_error() -> Task {
    let (client, token) = (client(), RefreshToken::new(REFRESH_TOKEN));
    Task::with_input(
        move || (client.refresh(&token).into_parts(SENT_AT).1, response(StatusCode::BAD_REQUEST, NESTED_ERROR)),
        |(reader, response)| error(reader.read(response)),
    )
}

/// Builds the exchange and reads the documented response.
pub(crate) fn round() -> Task {
    let client = client();
    let code = code(&client);
    Task::with_input(
        || response(StatusCode::OK, SUCCESS),
        move |response| tokens(answered(client.exchange(&code), response)),
    )
}

/// Builds the exchange and reads Restream's own error.
pub(crate) fn refused_round() -> Task {
    let client = client();
    let code = code(&client);
    Task::with_input(
        || response(StatusCode::BAD_REQUEST, NESTED_ERROR),
        move |response| error(answered(client.exchange(&code), response)),
    )
}

fn answered(call: Call<Tokens>, response: Response<Vec<u8>>) -> Result<Tokens, Error> {
    let (request, reader) = call.into_parts(SENT_AT);
    drop(std::hint::black_box(request));
    reader.read(response)
}

/// Reads and checks a callback.
pub(crate) fn read_callback() -> Task {
    let client = client();
    let uri = callback(client.login(Entropy::from(ENTROPY)).state().expose_secret());
    Task::with_borrowed_input(
        move || client.login(Entropy::from(ENTROPY)),
        move |login| login.read_callback(&uri).expect("the callback is this login's"),
    )
}

/// Checks that the result is complete. Otherwise a side that fails early would be the fastest.
fn tokens(result: Result<Tokens, Error>) -> Tokens {
    let tokens = result.expect("the answer is a success");
    assert_eq!(tokens.lifetime(), Duration::from_secs(3600));
    tokens
}

fn error(result: Result<Tokens, Error>) -> Error {
    let error = result.expect_err("the answer is an error");
    assert!(error.server_message().is_some());
    error
}
