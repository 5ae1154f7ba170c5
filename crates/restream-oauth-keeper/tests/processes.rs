//! Eight real processes over one file, against a server that rotates strictly.

#![allow(missing_docs, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::Duration;

use restream_oauth_core::{Client, Endpoints};
use restream_oauth_keeper::store::FileStore;
use restream_oauth_keeper::{Keeper, Policy};
use restream_oauth_sandbox::Sandbox;
use restream_oauth_ureq::{Transport, entropy};

const PROCESSES: usize = 8;
const TASKS: usize = 25;
const ROUNDS: usize = 200;
/// Tells a process what to do: the server, the client, the secret, the file, and how often to refresh.
const ORDER: &str = "RESTREAM_OAUTH_KEEPER_TEST";

/// mcp-remote #351.
#[test]
fn two_hundred_tasks_in_eight_processes_make_one_refresh_at_expiry() {
    let world = World::new();
    world.expire();
    for mut child in (0..PROCESSES).map(|_| world.process(0)).collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success(), "a task got no token, or a token that the API refused");
    }
    let ledger = world.sandbox.ledger();
    assert_eq!(ledger.refreshes, 1);
    assert_eq!((ledger.dead_refresh_tokens_used, ledger.dead_access_tokens_used), (0, 0));
}

/// mcp-remote #351.
#[test]
fn eight_processes_that_each_refresh_two_hundred_times_use_no_dead_token() {
    let world = World::new();
    for mut child in (0..PROCESSES).map(|_| world.process(ROUNDS)).collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success());
    }
    let ledger = world.sandbox.ledger();
    // A process that waits for the claim takes the pair that another one brought in the meantime.
    assert!((200..=1600).contains(&ledger.refreshes), "{}", ledger.refreshes);
    assert_eq!(ledger.dead_refresh_tokens_used, 0);
}

/// Not a test of its own: what each of the processes does.
#[test]
fn a_process() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let [server, id, secret, file, rounds] = order.split('|').collect::<Vec<_>>()[..] else { panic!("{order}") };
    let client = client(server, id, secret);
    let transport = Transport::new().unwrap();
    let policy = Policy { requests_per_second: 1000.0, ..Policy::default() };
    let keeper = Keeper::builder(client.clone(), FileStore::of_file(file)).policy(policy).build().unwrap();
    let grant = keeper.grant("default").unwrap();
    let driver = std::thread::spawn({
        let (keeper, transport) = (keeper.clone(), transport.clone());
        move || keeper.run_blocking(|call, _limit| transport.receive(call))
    });
    let rounds: usize = rounds.parse().unwrap();
    for _ in 0..rounds {
        grant.wait_for(Duration::from_secs(86_400)).unwrap();
    }
    if rounds == 0 {
        let together = Barrier::new(TASKS);
        std::thread::scope(|scope| {
            for _ in 0..TASKS {
                scope.spawn(|| {
                    together.wait();
                    let token = grant.wait().unwrap();
                    transport.send(client.profile(token.access_token()).unwrap()).unwrap();
                });
            }
        });
    }
    keeper.shut_down_blocking();
    driver.join().unwrap().unwrap();
}

/// A local Restream, and the file of a grant.
struct World {
    sandbox: Sandbox,
    folder: PathBuf,
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::start().unwrap();
        let folder = std::env::temp_dir().join(format!(
            "restream-oauth-keeper-{}-{}",
            std::process::id(),
            sandbox.base_url().rsplit(':').next().unwrap()
        ));
        fs::create_dir_all(&folder).unwrap();
        let world = Self { sandbox, folder };
        let client = world.client();
        let mut login = client.login(entropy().unwrap());
        let callback = world.sandbox.approve(login.url().as_str()).unwrap();
        let code = login.read_callback(&callback).unwrap();
        let tokens = Transport::new().unwrap().send(client.exchange(&code)).unwrap();
        world.write(tokens.to_saved().expose_secret());
        world
    }

    fn client(&self) -> Client {
        client(self.sandbox.base_url(), self.sandbox.client_id(), self.sandbox.client_secret().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.folder.join("tokens.json")
    }

    /// Makes the tokens two hours older than they are, so that every process finds them expired.
    fn expire(&self) {
        let saved = fs::read_to_string(self.file()).unwrap();
        let mut members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&saved).unwrap();
        let sent_at = members["sent_at"].as_str().unwrap();
        let (seconds, rest) = sent_at.split_once('.').unwrap();
        let earlier = format!("{}.{rest}", seconds.parse::<u64>().unwrap() - 7200);
        members.insert("sent_at".to_owned(), earlier.into());
        self.write(&serde_json::to_string(&members).unwrap());
    }

    fn write(&self, document: &str) {
        write_private(&self.file(), document);
    }

    fn process(&self, rounds: usize) -> Child {
        let (sandbox, file) = (&self.sandbox, self.file());
        let order = [
            sandbox.base_url(),
            sandbox.client_id(),
            sandbox.client_secret().unwrap(),
            file.to_str().unwrap(),
            &rounds.to_string(),
        ];
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_process"])
            .env(ORDER, order.join("|"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn client(server: &str, id: &str, secret: &str) -> Client {
    Client::builder(id)
        .secret(secret)
        .redirect_uri("http://127.0.0.1:8976/callback")
        .endpoints(Endpoints::at(server))
        .build()
        .unwrap()
}

#[cfg(unix)]
fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}
