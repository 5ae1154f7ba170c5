//! All sides must do the same work, or their figures cannot be compared.

use std::cell::RefCell;
use std::collections::BTreeMap;

use http::header::HeaderMap;
use http::{Request, StatusCode};

use crate::fixtures::{CODE, NESTED_ERROR, SUCCESS, callback, response};
use crate::rows::{self, Side};
use crate::{floor, ours, peer};

/// The meaning of a request, without the order of its headers and parameters.
fn meaning(request: Request<impl AsRef<[u8]>>) -> (String, BTreeMap<String, String>, HeaderMap) {
    let (head, body) = request.into_parts();
    let form = form_urlencoded::parse(body.as_ref()).into_owned().collect();
    (format!("{} {}", head.method, head.uri), form, head.headers)
}

fn peers_exchange(client: &peer::Client) -> Request<Vec<u8>> {
    let request = RefCell::new(None);
    let (code, verifier) = peer::code_and_verifier();
    let send = |sent| {
        request.replace(Some(sent));
        Err(peer::Unsent)
    };
    assert!(client.exchange_code(code).set_pkce_verifier(verifier).request(&send).is_err());
    request.into_inner().unwrap()
}

#[test]
fn all_sides_build_the_same_exchange() {
    let sides = [
        (ours::client(), peer::client(), floor::Constants::basic()),
        (ours::client_in_body(), peer::client_in_body(), floor::Constants::in_body()),
    ];
    for (ours, peer, floor) in sides {
        let expected = meaning(ours.exchange(&ours::code(&ours)).into_parts(ours::SENT_AT).0);
        assert_eq!(meaning(peers_exchange(&peer)), expected);
        assert_eq!(meaning(floor.exchange(CODE)), expected);
    }
}

#[test]
fn the_floor_reads_what_we_read() {
    let client = ours::client();
    let reader = || client.exchange(&ours::code(&client)).into_parts(ours::SENT_AT).1;
    let tokens = reader().read(response(StatusCode::OK, SUCCESS)).unwrap();
    let (access_token, refresh_token, scope, expires_in, refresh_expires_in) = floor::tokens(SUCCESS.as_bytes());
    assert_eq!(tokens.access_token().expose_secret(), access_token);
    assert_eq!(tokens.refresh_token().unwrap().expose_secret(), refresh_token);
    assert_eq!(tokens.scopes().map(|scopes| scopes.as_str().to_owned()), scope);
    assert_eq!(tokens.lifetime().as_secs(), expires_in);
    assert_eq!(Some(tokens.refresh_lifetime().as_secs()), refresh_expires_in);

    let error = reader().read(response(StatusCode::BAD_REQUEST, NESTED_ERROR)).unwrap_err();
    let (name, message, status) = floor::error(NESTED_ERROR.as_bytes());
    assert_eq!(error.server_message(), Some(message.as_str()));
    assert!(error.to_string().contains(&name), "{error}");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
}

#[test]
fn every_side_of_every_row_runs() {
    for row in rows::all() {
        for side in Side::ALL {
            let mut times = 0;
            row.task(side).run(2, |work| {
                work();
                times += 1;
            });
            assert_eq!(times, 1, "{} {}", row.id, side.name());
        }
    }
    assert!(callback("s").ends_with("state=s"));
}
