//! Logins, codes and handles that instances share.

use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, What};
use tokio::runtime::Runtime;

use crate::database::Database;
use crate::support::{Answer, CALLBACK, Tokens, VERIFIER, World};

const HOUR: Duration = Duration::from_secs(3600);

/// Two instances on a database of their own.
struct Instances {
    one: World,
    other: World,
    runtime: Runtime,
    database: Database,
}

impl Instances {
    fn new() -> Option<Self> {
        let runtime = Runtime::new().unwrap();
        let database = runtime.block_on(Database::empty())?;
        let one = World::on(database.store());
        let other = one.beside();
        Some(Self { one, other, runtime, database })
    }

    fn count(&self, what: &str) -> i64 {
        self.runtime.block_on(async {
            let statement = format!("SELECT count(*) FROM restream_oauth.{what}");
            self.database.client().await.query_typed(&statement, &[]).await.unwrap()[0].get(0)
        })
    }

    fn wait_until_forgotten(&self) {
        self.one.wait_for("the device is forgotten", |_| self.count("broker_devices") == 0);
    }

    /// Asks both instances at the same time.
    fn at_both<T: Send>(&self, ask: impl Fn(&World) -> T + Sync) -> [T; 2] {
        std::thread::scope(|threads| {
            let asked = [&self.one, &self.other].map(|world| threads.spawn(|| ask(world)));
            asked.map(|asked| asked.join().unwrap())
        })
    }
}

/// A user logs in, whose browser and whose device reach the instances in turn. Returns the tokens.
fn log_in_across(one: &World, other: &World) -> Tokens {
    let (consent, cookie) = one.leave(&[], None);
    let back = other.browse(&one.sandbox.approve(&consent).unwrap(), Some(&cookie));
    assert_eq!((back.status, back.parameter("state")), (303, "s&t=é".into()), "{back:?}");
    one.redeem(&back.parameter("code")).tokens()
}

fn is_invalid_grant(answer: &Answer) -> bool {
    answer.refusal() == (400, "invalid_grant".into())
}

#[test]
fn a_login_that_began_at_one_instance_ends_at_another_and_its_handle_works_at_both() {
    let Some(instances) = Instances::new() else { return };
    let Instances { one, other, .. } = &instances;
    for (first, second) in [(one, other), (other, one)] {
        let tokens = log_in_across(first, second);
        for world in [first, second] {
            assert_eq!(world.refresh(&tokens.refresh_token).tokens().access_token, tokens.access_token);
        }
    }
    assert_eq!(one.sandbox.ledger().exchanges, 2);
    // A callback that came is of no use a second time, at no instance.
    let (consent, cookie) = one.leave(&[], None);
    let callback = one.sandbox.approve(&consent).unwrap();
    let answers = instances.at_both(|world| world.browse(&callback, Some(&cookie)).status);
    assert!(answers == [303, 400] || answers == [400, 303], "{answers:?}");
    assert_eq!(one.sandbox.ledger().exchanges, 3);
}

/// RFC 6749 §10.12.
#[test]
fn a_forged_login_is_refused_at_every_instance() {
    let Some(Instances { one, other, .. }) = Instances::new() else { return };
    let (consent, _) = one.leave(&[], None);
    let (_, victim) = other.leave(&[], None);
    let callback = one.sandbox.approve(&consent).unwrap();
    for world in [&one, &other] {
        assert_eq!(world.browse(&callback, Some(&victim)).status, 400);
        assert_eq!(world.browse(&callback, None).status, 400);
    }
    assert_eq!(one.sandbox.ledger().exchanges, 0);
}

#[test]
fn a_denial_at_another_instance_reaches_the_device_once() {
    let Some(Instances { one, other, .. }) = Instances::new() else { return };
    let (consent, cookie) = one.leave(&[], None);
    let callback = one.sandbox.deny(&consent).unwrap();
    let back = other.browse(&callback, Some(&cookie));
    assert_eq!((back.parameter("error"), back.parameter("state")), ("access_denied".into(), "s&t=é".into()));
    assert_eq!(one.browse(&callback, Some(&cookie)).status, 400, "it is told once");
}

#[test]
fn a_handle_that_both_instances_refresh_at_once_is_rotated_once() {
    let Some(instances) = Instances::new() else { return };
    let Instances { one, other, .. } = &instances;
    let handle = log_in_across(one, other).refresh_token;
    for rotations in 1..=3 {
        one.advance(HOUR);
        one.sandbox.inject(Fault::new(What::Delay(Duration::from_millis(300))).on(Endpoint::Token));
        let [mine, its] = instances.at_both(|world| world.refresh(&handle).tokens());
        assert_eq!(mine.access_token, its.access_token);
        assert!(one.accepts(&mine.access_token));
        assert_eq!(one.sandbox.ledger().refreshes, rotations);
    }
    assert_eq!(one.sandbox.ledger().dead_refresh_tokens_used, 0);
}

/// RFC 6749 §4.1.2 and §10.5.
#[test]
fn a_code_that_both_instances_get_at_once_succeeds_once_and_its_handle_ends() {
    let Some(instances) = Instances::new() else { return };
    let Instances { one, other, .. } = &instances;
    let code = one.code();
    let answers = instances.at_both(|world| world.redeem(&code));
    let [granted] = &answers.iter().filter(|answer| answer.status == 200).collect::<Vec<_>>()[..] else {
        panic!("{answers:?}")
    };
    assert!(answers.iter().filter(|answer| answer.status != 200).all(is_invalid_grant), "{answers:?}");
    for world in [one, other] {
        assert!(is_invalid_grant(&world.refresh(&granted.tokens().refresh_token)));
    }
    one.wait_until(|ledger| ledger.revocations == 1);
    instances.wait_until_forgotten();
    assert_eq!(one.sandbox.ledger().revocations, 1);
}

#[test]
fn a_code_that_comes_twice_ends_its_handle_at_every_instance() {
    let Some(instances) = Instances::new() else { return };
    let Instances { one, other, .. } = &instances;
    let code = one.code();
    let tokens = one.redeem(&code).tokens();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "overlay"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    assert!(is_invalid_grant(&other.post("/token", &form)));
    assert!(is_invalid_grant(&one.refresh(&tokens.refresh_token)));
    one.wait_until(|ledger| ledger.revocations == 1);
}

#[test]
fn a_grant_whose_code_nobody_redeems_is_revoked_although_its_instance_died() {
    let Some(instances) = Instances::new() else { return };
    let Instances { mut one, other, runtime, database } = instances;
    one.code();
    // In effect: it does nothing any more. `killed.rs` sends the signal.
    one.stop();
    assert_eq!(other.sandbox.ledger().revocations, 0);
    other.advance(Duration::from_secs(66));
    other.wait_until(|ledger| ledger.revocations == 1);
    let instances = Instances { one, other, runtime, database };
    instances.other.wait_for("the device is forgotten", |_| instances.count("broker_devices") == 0);
}

/// RFC 7009 §2.
#[test]
fn a_revocation_at_one_instance_ends_the_handle_at_the_other() {
    let Some(instances) = Instances::new() else { return };
    let Instances { one, other, .. } = &instances;
    for which in 0..2_u64 {
        let tokens = log_in_across(one, other);
        other.refresh(&tokens.refresh_token).tokens();
        let token = if which == 0 { &tokens.refresh_token } else { &tokens.access_token };
        assert_eq!(one.post("/revoke", &[("client_id", "overlay"), ("token", token)]).status, 200);
        assert!(is_invalid_grant(&other.refresh(&tokens.refresh_token)));
        one.wait_until(|ledger| ledger.revocations == which + 1);
    }
    instances.wait_until_forgotten();
    assert_eq!(one.sandbox.ledger().revocations, 2, "each grant is revoked by one of them");
}

/// An instance that still knows the token before that one must not give it out.
#[test]
fn a_token_that_one_instance_replaced_because_the_api_refused_it_is_given_out_by_no_other() {
    let Some(instances) = Instances::new() else { return };
    let Instances { one, other, .. } = &instances;
    let tokens = log_in_across(one, other);
    for world in [one, other] {
        world.refresh(&tokens.refresh_token).tokens();
    }
    one.advance(Duration::from_secs(900));
    one.sandbox.inject(Fault::new(What::status(401)).on(Endpoint::Profile).times(1));
    let next = one.refresh(&tokens.refresh_token).tokens();
    assert_ne!(next.access_token, tokens.access_token);
    // Nobody who asks for a token waits until it is written down.
    let given = "broker_devices WHERE document::jsonb ->> 'generation' = '1'";
    one.wait_for("it is written down", |_| instances.count(given) == 1);
    for world in [other, one] {
        assert_eq!(world.refresh(&tokens.refresh_token).tokens().access_token, next.access_token);
    }
    assert_eq!(one.sandbox.ledger().refreshes, 1);
}

/// The database, its backups and its log hold hashes of what a device or a browser sends.
#[test]
fn the_broker_s_tables_hold_no_token_handle_or_code() {
    let Some(instances) = Instances::new() else { return };
    let Instances { one, other, runtime, database } = &instances;
    let tokens = log_in_across(one, other);
    let code = one.code();
    let (_, cookie) = one.leave(&[("state", "c4n4ry-of-the-device")], None);
    let all: String = runtime.block_on(async {
        let all = "SELECT string_agg(line, '\n') FROM (
            SELECT d::text AS line FROM restream_oauth.broker_devices AS d
            UNION ALL SELECT l::text || encode(sealed, 'escape') FROM restream_oauth.broker_logins AS l) AS lines";
        database.client().await.query_typed(all, &[]).await.unwrap()[0].get(0)
    });
    assert!(all.contains(&tokens.refresh_token[..32]), "the identifier is no secret");
    let cookie = cookie.split_once('=').unwrap().1;
    for secret in [&tokens.access_token, &tokens.refresh_token[32..], &code[32..], cookie, "c4n4ry", "verifier"] {
        assert!(!all.contains(secret), "{all}");
    }
}
