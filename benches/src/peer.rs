//! The tasks, done with the `oauth2` crate, in the way that its documentation shows.
//!
//! The peer hands a request only to a closure that sends it, and reads only the response that this closure returns. So
//! for building, the closure takes the request and fails. For a whole round, it returns a prepared response. There is
//! no way to read a response alone, so `serde_json` reads the peer's types directly. That leaves out what the crate
//! does besides (it tracks the path in the document), and favours the peer.

use std::cell::Cell;
use std::fmt;
use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Response, StatusCode};
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse};
use oauth2::url::Url;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, TokenResponse,
    TokenUrl,
};

use crate::fixtures::{
    AUTHORIZATION_URL, CLIENT_ID, CLIENT_SECRET, CODE, ENTROPY, FLAT_ERROR, REDIRECT_URI, REFRESH_TOKEN, SUCCESS,
    TOKEN_URL, callback, response,
};
use crate::task::Task;

/// The peer's client, with the two endpoints that are used.
pub(crate) type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The client whose secret travels in a Basic header.
pub(crate) fn client() -> Client {
    BasicClient::new(ClientId::new(CLIENT_ID.to_owned()))
        .set_client_secret(ClientSecret::new(CLIENT_SECRET.to_owned()))
        .set_auth_uri(AuthUrl::new(AUTHORIZATION_URL.to_owned()).expect("a valid URL"))
        .set_token_uri(TokenUrl::new(TOKEN_URL.to_owned()).expect("a valid URL"))
        .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.to_owned()).expect("a valid URL"))
}

/// The client whose secret travels in the body.
pub(crate) fn client_in_body() -> Client {
    client().set_auth_type(AuthType::RequestBody)
}

pub(crate) fn code_and_verifier() -> (AuthorizationCode, PkceCodeVerifier) {
    let verifier = URL_SAFE_NO_PAD.encode(&ENTROPY[32..]);
    (AuthorizationCode::new(CODE.to_owned()), PkceCodeVerifier::new(verifier))
}

/// The error of an HTTP stack that sends nothing, so that the peer stops after the request.
#[derive(Debug)]
pub(crate) struct Unsent;

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not sent")
    }
}

impl std::error::Error for Unsent {}

fn take(request: HttpRequest) -> Result<HttpResponse, Unsent> {
    drop(black_box(request));
    Err(Unsent)
}

/// Builds the exchange.
pub(crate) fn build_exchange(client: Client) -> Task {
    Task::with_input(code_and_verifier, move |(code, verifier)| {
        client.exchange_code(code).set_pkce_verifier(verifier).request(&take)
    })
}

/// Builds the refresh.
pub(crate) fn build_refresh() -> Task {
    let (client, token) = (client(), RefreshToken::new(REFRESH_TOKEN.to_owned()));
    Task::new(move || client.exchange_refresh_token(&token).request(&take))
}

/// Makes the authorization URL. The peer draws random bytes itself; here it gets the same bytes as the other sides, in
/// the texts that it would make of them.
pub(crate) fn authorization_url() -> Task {
    let client = client();
    Task::new(move || {
        let (state, verifier) = black_box(&ENTROPY).split_at(32);
        let state = CsrfToken::new(URL_SAFE_NO_PAD.encode(state));
        let verifier = PkceCodeVerifier::new(URL_SAFE_NO_PAD.encode(verifier));
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let (url, state) = client.authorize_url(|| state).set_pkce_challenge(challenge).url();
        (url, state, verifier)
    })
}

/// Reads a response with status 200 in one piece.
pub(crate) fn read(body: &'static str) -> Task {
    Task::with_input(move || response(StatusCode::OK, body), |response| tokens(response.body()))
}

/// Collects a response with status 200 from its pieces, which the peer leaves to the HTTP stack, and reads it.
pub(crate) fn read_in_chunks(body: &'static str, size: usize) -> Task {
    Task::with_input(
        move || response(StatusCode::OK, body),
        move |response| {
            let mut whole = Vec::new();
            for chunk in response.body().chunks(size) {
                whole.extend_from_slice(black_box(chunk));
            }
            tokens(&whole)
        },
    )
}

fn tokens(body: &[u8]) -> BasicTokenResponse {
    serde_json::from_slice(body).expect("the answer is a success")
}

/// Reads an error in the form of RFC 6749, because the peer cannot read Restream's.
pub(crate) fn read_error() -> Task {
    Task::with_input(
        || response(StatusCode::BAD_REQUEST, FLAT_ERROR),
        |response| serde_json::from_slice::<BasicErrorResponse>(response.body()).expect("the answer is an error"),
    )
}

/// Builds the exchange and reads the documented response.
pub(crate) fn round() -> Task {
    let client = client();
    Task::with_input(
        || (code_and_verifier(), response(StatusCode::OK, SUCCESS)),
        move |((code, verifier), response)| {
            let send = answering(response);
            let tokens = client.exchange_code(code).set_pkce_verifier(verifier).request(&send);
            let tokens = tokens.expect("the answer is a success");
            assert!(tokens.refresh_token().is_some());
            tokens
        },
    )
}

/// Builds the exchange and reads RFC 6749's error.
pub(crate) fn refused_round() -> Task {
    let client = client();
    Task::with_input(
        || (code_and_verifier(), response(StatusCode::BAD_REQUEST, FLAT_ERROR)),
        move |((code, verifier), response)| {
            let send = answering(response);
            match client.exchange_code(code).set_pkce_verifier(verifier).request(&send) {
                Err(RequestTokenError::ServerResponse(error)) => error,
                other => panic!("expected the server's error, got {other:?}"),
            }
        },
    )
}

/// The peer may call the closure twice, so the response is taken out of a cell.
fn answering(response: Response<Vec<u8>>) -> impl Fn(HttpRequest) -> Result<HttpResponse, Unsent> {
    let response = Cell::new(Some(response));
    move |request| {
        drop(black_box(request));
        response.take().ok_or(Unsent)
    }
}

/// Finds the code in a callback as the crate's examples do. The peer leaves this to its user.
pub(crate) fn read_callback() -> Task {
    let state = CsrfToken::new(URL_SAFE_NO_PAD.encode(&ENTROPY[..32]));
    let uri = callback(state.secret());
    Task::new(move || {
        let url = Url::parse(black_box(&uri)).expect("a valid URL");
        let of = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let came_back = of("state").map(CsrfToken::new).expect("a state");
        assert_eq!(came_back.secret(), state.secret());
        of("code").map(AuthorizationCode::new).expect("a code")
    })
}
