//! `kill -9` of the program at each statement that it sends to the database: in a login, in a refresh that rotates and in a
//! revocation. Then it starts again. What is promised is what `tests/broker/kills.rs` says of files.

use std::time::{Duration, Instant};

use restream_oauth_keeper_postgres::Client;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::database::Database;
use crate::program::Program;
use crate::proxy::{Cut, Proxy};
use crate::support::{Tokens, World, generous};

/// Longer than any pause between two tries.
const LONG: Duration = Duration::from_secs(300);
/// When no statement has come for so long, the program is done with what it was asked for.
const QUIET: Duration = Duration::from_millis(300);
/// How long an access token lives where a refresh has to rotate.
const BRIEF: Duration = Duration::from_secs(2);

/// A sandbox, a database behind a proxy, and a program that is killed again and again.
struct Victim {
    runtime: Runtime,
    world: World,
    client: Client,
    database: Database,
    proxy: Proxy,
    program: Option<Program>,
}

impl Victim {
    fn new(access_token_lifetime: Duration) -> Option<Self> {
        let runtime = Runtime::new().unwrap();
        let database = runtime.block_on(Database::empty())?;
        let client = runtime.block_on(database.client());
        let server = database.url().split_once('@').unwrap().1.split_once('/').unwrap().0.parse().unwrap();
        let lives = |sandbox: restream_oauth_sandbox::Builder| sandbox.access_token_lifetime(access_token_lifetime);
        let (world, listener) = World::prepare(lives, generous());
        drop(listener);
        let mut victim = Self { runtime, world, client, database, proxy: Proxy::before(server), program: None };
        victim.start();
        Some(victim)
    }

    fn start(&mut self) {
        let (_, name) = self.database.url().rsplit_once('/').unwrap();
        let url = format!("postgres://keeper@127.0.0.1:{}/{name}", self.proxy.port);
        // On a port of its own each time: another test could take one that is free for a moment.
        let program = Program::start(&self.world, &url, "victim", "127.0.0.1:0");
        self.world.reach_at(&json!({ "base_url": program.base }));
        self.program = Some(program);
    }

    fn execute(&self, statements: &str) {
        self.runtime.block_on(self.client.batch_execute(statements)).unwrap();
    }

    fn count(&self, query: &str) -> i64 {
        self.runtime.block_on(self.client.query_typed(query, &[])).unwrap()[0].get(0)
    }

    /// Kills the program at a statement of `story`. Returns what the story came to, and the statement; `None` if the program
    /// has sent fewer, and lives. A claim of the dead program ends at once, not after two minutes.
    fn killed_at<T>(&self, statement: u32, cut: Cut, story: impl FnOnce(&World) -> T) -> (T, Option<String>) {
        let program = self.program.as_ref().unwrap();
        self.proxy.kill_at(statement, cut, &program.child);
        let came_to = story(&self.world);
        let (mut seen, mut since) = (self.proxy.seen(), Instant::now());
        while !program.was_killed() && since.elapsed() < QUIET {
            std::thread::sleep(Duration::from_millis(10));
            if self.proxy.seen() != seen {
                (seen, since) = (self.proxy.seen(), Instant::now());
            }
        }
        if !program.was_killed() {
            return (came_to, None);
        }
        self.execute("UPDATE restream_oauth.grants SET claimed_until = now() WHERE claim IS NOT NULL");
        let text = self.proxy.killed_at().unwrap_or_default();
        (came_to, Some(format!("killed at statement {statement}, {cut:?}: {text}")))
    }

    /// A minute passes for the codes that nobody has redeemed. It passes in the database alone.
    fn let_codes_expire(&self) {
        let query = "SELECT id, document FROM restream_oauth.broker_devices";
        for row in self.runtime.block_on(self.client.query_typed(query, &[])).unwrap() {
            let mut document: Value = serde_json::from_str(row.get("document")).unwrap();
            document["created_at"] = (document["created_at"].as_u64().unwrap() - 66).into();
            self.execute(&format!(
                "UPDATE restream_oauth.broker_devices SET due_at = due_at - interval '66 s', document = '{document}'
                 WHERE document = '{}'",
                row.get::<_, &str>("document")
            ));
        }
    }

    fn nothing_is_left(&self, place: &str) {
        self.world.wait_longer(LONG, &format!("{place}: devices are left"), |_| {
            self.count("SELECT count(*) FROM restream_oauth.broker_devices") == 0
        });
    }

    /// Each statement, before and after, until one is not reached.
    fn points() -> impl Iterator<Item = (u32, Cut)> {
        (1..).flat_map(|statement| [(statement, Cut::Before), (statement, Cut::After)])
    }
}

/// What a device got before the program was killed.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Nothing,
    Code(String),
    Tokens(Tokens),
}

/// A login as far as it comes.
fn log_in(world: &World) -> Got {
    let login = || {
        let away = world.try_get("/obs/v1/restream/redirect", None).filter(|away| away.status == 303)?;
        let callback = world.sandbox.approve(away.location()).unwrap();
        let back = world.try_get(&callback, away.cookie().as_deref())?;
        Some(back.location().split_once("code=")?.1.to_owned())
    };
    let Some(code) = login() else { return Got::Nothing };
    match redeem(world, &code) {
        Some(answer) => Got::Tokens(answer.tokens()),
        None => Got::Code(code),
    }
}

fn redeem(world: &World, code: &str) -> Option<Answer> {
    world.try_post("/obs/v1/restream/token", &[("grant_type", "authorization_code"), ("code", code)])
}

/// Refreshes until there is a token. Returns false if the login is lost.
fn comes_back(world: &World, handle: &str, place: &str) -> bool {
    let begun = Instant::now();
    loop {
        let answer = world.refresh(handle);
        match answer.status {
            // A token of two seconds may be over before it is used.
            200 if world.accepts(&answer.tokens().access_token) => return true,
            400 if answer.refusal().1 == "invalid_grant" => return false,
            _ => {}
        }
        assert!(begun.elapsed() < LONG, "{place}: {answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_login_killed_at_any_statement_is_kept_or_revoked() {
    let Some(mut victim) = Victim::new(Duration::from_secs(3600)) else { return };
    let (mut redeemed, mut in_memory_alone, mut last) = (0, 0, 0);
    for (statement, cut) in Victim::points() {
        let before = victim.world.sandbox.ledger().exchanges;
        let (got, place) = victim.killed_at(statement, cut, log_in);
        let Some(place) = place else { break };
        last = statement;
        let place = format!("{place}: {got:?}");
        let was_exchanged = victim.world.sandbox.ledger().exchanges > before;
        let kept = "SELECT count(*) FROM restream_oauth.grants WHERE record IS NOT NULL OR logins IS NOT NULL";
        let is_kept = victim.count(kept) > 0;
        if got == Got::Nothing {
            victim.let_codes_expire();
        }
        victim.start();
        let world = &victim.world;
        let refresh = |tokens: &Tokens| {
            let form = [("grant_type", "refresh_token"), ("refresh_token", &*tokens.refresh_token)];
            world.post("/obs/v1/restream/token", &form).tokens()
        };
        match got {
            Got::Tokens(tokens) => assert!(world.accepts(&refresh(&tokens).access_token), "{place}"),
            Got::Code(code) => {
                let answer = redeem(world, &code).unwrap();
                if answer.json()["error"].is_null() {
                    assert!(world.accepts(&answer.tokens().access_token), "{place}");
                    redeemed += 1;
                } else {
                    // It was redeemed, and the answer was lost. A code that comes twice ends the grant.
                    assert_eq!(answer.refusal(), (200, "invalid_grant".into()), "{place}");
                    victim.nothing_is_left(&place);
                    assert_eq!(world.sandbox.end_grants(), 0, "{place}");
                }
            }
            Got::Nothing => {
                victim.nothing_is_left(&place);
                let living = world.sandbox.end_grants();
                if was_exchanged && !is_kept {
                    assert!(living <= 1, "{place}");
                    in_memory_alone += 1;
                } else {
                    assert_eq!(living, 0, "{place}: a grant that nobody can use lives on");
                }
            }
        }
        // The next one begins with nothing.
        world.sandbox.end_grants();
        victim.execute("TRUNCATE restream_oauth.grants, restream_oauth.broker_devices, restream_oauth.broker_logins");
    }
    assert!(last >= 8 && redeemed >= 2 && in_memory_alone <= 8, "{last} {redeemed} {in_memory_alone}");
}

#[test]
fn a_rotation_killed_at_any_statement_loses_no_login() {
    let Some(mut victim) = Victim::new(BRIEF) else { return };
    let (mut statements, mut lost) = (0, Vec::new());
    for (statement, cut) in Victim::points() {
        let handle = victim.world.log_in().refresh_token;
        std::thread::sleep(BRIEF);
        let before = victim.world.sandbox.ledger().refreshes;
        let form = [("grant_type", "refresh_token"), ("client_id", "overlay"), ("refresh_token", &*handle)];
        let (_, place) = victim.killed_at(statement, cut, |world| world.try_post("/token", &form));
        let Some(place) = place else { break };
        statements = statement;
        let was_rotated = victim.world.sandbox.ledger().refreshes > before;
        victim.start();
        if !comes_back(&victim.world, &handle, &place) {
            assert!(was_rotated, "{place}: the login is lost, although Restream has rotated nothing");
            lost.push(place);
        }
    }
    // A process that dies after Restream has answered, and before it has written the answer, loses the pair.
    assert!(statements >= 6 && lost.len() <= 1, "{statements} statements, lost: {lost:?}");
}

#[test]
fn a_revocation_killed_at_any_statement_ends_the_grant_in_the_end() {
    let Some(mut victim) = Victim::new(Duration::from_secs(3600)) else { return };
    let mut last = 0;
    for (statement, cut) in Victim::points() {
        let handle = victim.world.log_in().refresh_token;
        let form = [("client_id", "overlay"), ("token", &*handle)];
        let revoke = |world: &World| world.try_post("/revoke", &form).is_some_and(|answer| answer.status == 200);
        let (was_answered, place) = victim.killed_at(statement, cut, revoke);
        let Some(place) = place else { break };
        last = statement;
        victim.start();
        let world = &victim.world;
        if !was_answered {
            // The device is told nothing, and so it sends the revocation again.
            assert_eq!(world.post("/revoke", &form).status, 200, "{place}");
        }
        assert_eq!(world.refresh(&handle).refusal(), (400, "invalid_grant".into()), "{place}");
        victim.nothing_is_left(&place);
        assert_eq!(world.sandbox.end_grants(), 0, "{place}");
    }
    assert!(last >= 3, "{last} statements");
}
