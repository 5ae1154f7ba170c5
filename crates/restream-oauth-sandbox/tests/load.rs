//! Grants in bulk, and what tells a test under load that a client did well.

mod raw;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use raw::{profile, refresh};
use restream_oauth_sandbox::{MintedGrant, Sandbox};

const LIFE: Duration = Duration::from_secs(3600);

fn minted(sandbox: &Sandbox, grants: u64, oldest: Duration) -> Vec<MintedGrant> {
    sandbox.mint(grants, oldest).unwrap().collect()
}

#[test]
fn minted_grants_are_those_of_logins_with_ages_spread_evenly() {
    let sandbox = Sandbox::start().unwrap();
    let grants = minted(&sandbox, 100, LIFE.mul_f64(0.7));
    let newest = grants.iter().map(|grant| grant.issued_at).max().unwrap();
    let mut tenths = [0; 10];
    for (number, grant) in (1..).zip(&grants) {
        assert_eq!(grant.number, number);
        tenths[usize::try_from(newest.saturating_sub(grant.issued_at).as_secs() / 252).unwrap().min(9)] += 1;
    }
    assert!(tenths.iter().all(|tenth| (8..=12).contains(tenth)), "{tenths:?}");

    let grant = &grants[41];
    let body: serde_json::Value = serde_json::from_str(&grant.token_response).unwrap();
    assert_eq!(body["access_token"], *grant.access_token);
    assert_eq!(body["refreshToken"], *grant.refresh_token);
    assert_eq!(body["expires"], (grant.issued_at + LIFE).as_secs());
    assert_eq!(profile(&sandbox, &grant.access_token).status(), 200);
    assert_eq!(refresh(&sandbox, &grant.refresh_token).status(), 200);
    assert_eq!(profile(&sandbox, &grant.access_token).status(), 401, "a rotation replaced it");
    assert!(!format!("{grant:?}").contains(&grant.access_token));
    let ledger = sandbox.totals();
    assert_eq!((ledger.exchanges, ledger.refreshes, ledger.requests.len()), (0, 1, 0));
}

#[test]
fn a_second_use_of_a_refresh_token_names_its_grant() {
    let sandbox = Sandbox::start().unwrap();
    let grants = minted(&sandbox, 3, Duration::ZERO);
    assert_eq!(refresh(&sandbox, &grants[1].refresh_token).status(), 200);
    assert_eq!(sandbox.reuses(), []);
    assert_eq!(refresh(&sandbox, &grants[1].refresh_token).status(), 400);
    let [reuse] = sandbox.reuses()[..] else { panic!("{:?}", sandbox.reuses()) };
    assert_eq!(reuse.grant, 2);
    assert!(reuse.spent_at.unwrap() <= reuse.used_at);
    sandbox.end_grants();
    assert_eq!(refresh(&sandbox, &grants[2].refresh_token).status(), 400);
    assert_eq!(sandbox.reuses().last().map(|reuse| (reuse.grant, reuse.spent_at)), Some((3, None)));
}

#[test]
fn tokens_that_expired_before_their_refresh_are_counted() {
    let sandbox = Sandbox::start().unwrap();
    let grants = minted(&sandbox, 10, Duration::ZERO);
    assert_eq!(refresh(&sandbox, &grants[0].refresh_token).status(), 200);
    assert_eq!((sandbox.expired_access_tokens(), sandbox.totals().refreshes_after_expiry), (0, 0));
    sandbox.advance(LIFE);
    assert_eq!(sandbox.expired_access_tokens(), 10, "that of the new pair, too");
    assert_eq!(refresh(&sandbox, &grants[1].refresh_token).status(), 200);
    assert_eq!((sandbox.expired_access_tokens(), sandbox.totals().refreshes_after_expiry), (9, 1));
    sandbox.end_grants();
    assert_eq!(sandbox.expired_access_tokens(), 0, "a grant that was ended has none");
}

#[test]
fn the_number_of_connections_is_a_setting() {
    let sandbox = Sandbox::builder().most_connections(1).start().unwrap();
    let connect = || TcpStream::connect(sandbox.base_url().trim_start_matches("http://")).unwrap();
    let mut first = connect();
    assert!(sandbox.wait_until(Duration::from_secs(10), |ledger| ledger.connections == 1));
    let mut second = connect();
    let closed = second.read(&mut [0]);
    assert!(!matches!(closed, Ok(1..)), "{closed:?}");
    let host = sandbox.base_url().trim_start_matches("http://");
    write!(first, "GET /login HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
}
