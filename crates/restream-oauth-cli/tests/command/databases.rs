//! What the tests of `--database` share: a database of the test's own, and a connection to it that can be cut.
//! `.ci/postgres` starts the server; elsewhere the tests say that they did not run.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use restream_oauth_keeper::seal::KeyRing;
use restream_oauth_keeper::store::{Leftovers, Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Record};
use restream_oauth_keeper_postgres::{Config, GRANTS, PostgresStore};

use crate::keeping::MINUTE;
use crate::support::{Outcome, RunningLogin, Setup, come_back, skipped};

/// The password of the role `with_password`, which `.ci/postgres` makes, as a URL and as a file of passwords have it.
pub(crate) const PASSWORD_IN_URL: &str = "correct%20horse%3A%20battery%5Cstaple";
pub(crate) const PASSWORD_IN_FILE: &str = "correct horse\\: battery\\\\staple";

/// An empty database.
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(url) = std::env::var("RESTREAM_TEST_POSTGRES") else {
            skipped("no RESTREAM_TEST_POSTGRES; `.ci/postgres` starts what this test needs");
            return None;
        };
        let name = format!("command_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        execute(&url, &format!("CREATE DATABASE {name} TEMPLATE template0"));
        let (server, _) = url.rsplit_once('/').unwrap();
        Some(Self { server: server.to_owned(), name })
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// The URL with another role, or with a role and its password.
    pub(crate) fn url_as(&self, role: &str) -> String {
        self.url().replace("//keeper@", &format!("//{role}@"))
    }

    /// Host and port of the server.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.split_once('@').unwrap().1.parse().unwrap()
    }

    pub(crate) fn execute(&self, sql: &str) {
        execute(&self.url(), sql);
    }

    /// Lets another role work with the tables.
    pub(crate) fn grant_to(&self, role: &str) {
        self.execute(&GRANTS.replace("TO keeper", &format!("TO {role}")));
    }

    /// Changes what is stored of an account, and sets back when its pair was issued. `keys` is the file of its keys.
    pub(crate) fn change(&self, account: &str, keys: Option<&Path>, age: Duration, change: impl FnOnce(&mut Record)) {
        let config = Config::from_url(&self.url()).unwrap();
        let config = match keys {
            Some(keys) => config.sealed(KeyRing::from_file(keys).unwrap()),
            None => config,
        };
        let grant: GrantName = account.parse().unwrap();
        block_on(async {
            let store = PostgresStore::connect(&config).await.unwrap();
            let StoreOutcome::Claimed(claimed) = store.execute(&grant, StoreOp::Claim).await else { panic!("busy") };
            let mut record = claimed.stored.record().unwrap().clone();
            record.tokens = record.tokens.with_sent_at(SystemTime::now() - age);
            change(&mut record);
            let claim = claimed.claim;
            let inserted = store.execute(&grant, StoreOp::Insert { claim, record: Box::new(record) }).await;
            assert!(matches!(inserted, StoreOutcome::Done), "{inserted:?}");
            let settle = StoreOp::Settle { claim, record: None, leftovers: Leftovers::Leave };
            assert!(matches!(store.execute(&grant, settle).await, StoreOutcome::Done));
        });
    }

    /// How many pairs the account has had before its newest one.
    pub(crate) fn generation(&self, account: &str) -> u64 {
        let generation: i64 = block_on(async {
            let client = PostgresStore::connection(&Config::from_url(&self.url()).unwrap()).await.unwrap();
            let sql = format!("SELECT generation FROM restream_oauth.grants WHERE name = '{account}'");
            client.query_one(&sql, &[]).await.unwrap().get(0)
        });
        generation.try_into().unwrap()
    }

    /// Makes an account due, so that workers find it at once.
    pub(crate) fn make_due(&self, account: &str, keys: Option<&Path>) {
        self.change(account, keys, 50 * MINUTE, |record| record.usable_until = SystemTime::now() - MINUTE);
    }
}

fn execute(url: &str, sql: &str) {
    block_on(async {
        let client = PostgresStore::connection(&Config::from_url(url).unwrap()).await.unwrap();
        client.batch_execute(sql).await.unwrap();
    });
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Logs in with a browser. The tokens go into the database.
pub(crate) fn log_in(setup: &Setup, url: &str, account: &str, more: &[&str]) -> Outcome {
    let arguments = [&["--database", url, "--account", account], more].concat();
    let login = RunningLogin::start(setup, &arguments);
    come_back(&setup.sandbox.approve(&login.url).unwrap());
    login.finish().expect(0)
}

/// A file of keys that its owner alone can read. The same digit gives the same key.
pub(crate) fn keys(setup: &Setup, file: &str, name: &str, digit: char) -> PathBuf {
    private_file(setup, file, &format!("{name}:{}\n", digit.to_string().repeat(64)))
}

pub(crate) fn private_file(setup: &Setup, name: &str, content: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = setup.folder.0.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// The way to a server, which can be cut and mended.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Line {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (is_cut, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let line = Self { address, is_cut: Arc::clone(&is_cut), open: Arc::clone(&open) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    open.lock().unwrap().push(from.try_clone().unwrap());
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
            }
        });
        line
    }

    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}
