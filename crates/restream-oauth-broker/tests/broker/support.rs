//! A broker in front of a sandbox, a browser, and a device of the plain door.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use restream_oauth_broker::limits::Rates;
use restream_oauth_broker::log::{Level, Log};
use restream_oauth_broker::protocol::{Client, Rules};
pub(crate) use restream_oauth_broker::server::RELAY_MEMORY;
use restream_oauth_broker::server::{Broker, Clock, Options, Tls, serve, serve_admin, serve_tls};
use restream_oauth_broker::settings::{Mode, RedirectUri, Store};
use restream_oauth_core::{Client as Registered, Endpoints};
use restream_oauth_hyper::Transport;
use restream_oauth_keeper::Now;
use restream_oauth_sandbox::{Builder, Sandbox};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use crate::answer::{Answer, Tokens};

pub(crate) const CALLBACK: &str = "https://overlay.example/callback";
pub(crate) const SECRET: &str = "canaryOfTheClientSecret4711";
/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Far more than anything takes, also on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A sandbox with a broker in front of it.
pub(crate) struct World {
    pub(crate) sandbox: Arc<Sandbox>,
    /// The address of this broker.
    pub(crate) base: String,
    /// What all instances call themselves: the address of the first.
    issuer: String,
    mode: Mode,
    relay_memory: usize,
    /// Where the broker of a program listens, if it is not at that address.
    door: Mutex<Option<String>>,
    runtime: Runtime,
    running: Option<Running>,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) folder: PathBuf,
    /// How far the clocks are set forward.
    ahead: Arc<AtomicU64>,
    rates: Rates,
    pub(crate) log: Lines,
}

struct Running {
    broker: Arc<Broker>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    admin: JoinHandle<()>,
    admin_url: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|sandbox| sandbox, generous())
    }

    /// A sandbox alone. `address` is free for a broker.
    pub(crate) fn without_broker(change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::prepare(change, generous()).0
    }

    pub(crate) fn with(change: impl FnOnce(Builder) -> Builder, rates: Rates) -> Self {
        let (mut world, listener) = Self::prepare(change, rates);
        world.start(Some(listener));
        world
    }

    /// A broker with this store in place of files.
    pub(crate) fn on(store: Store) -> Self {
        let (mut world, listener) = Self::prepare(|sandbox| sandbox, generous());
        world.mode = Mode::Handle(store);
        world.start(Some(listener));
        world
    }

    /// A relay that remembers so many answers.
    pub(crate) fn relay(relay_memory: usize) -> Self {
        let (mut world, listener) = Self::prepare(|sandbox| sandbox, generous());
        world.mode = Mode::Relay;
        world.relay_memory = relay_memory;
        world.start(Some(listener));
        world
    }

    /// Another instance of the same broker, in front of the same sandbox and on the same clock.
    pub(crate) fn beside(&self) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let mut world = Self {
            door: Mutex::default(),
            sandbox: Arc::clone(&self.sandbox),
            base: format!("http://{address}"),
            issuer: self.issuer.clone(),
            mode: self.mode.clone(),
            relay_memory: self.relay_memory,
            runtime,
            running: None,
            address,
            folder: self.folder.clone(),
            ahead: Arc::clone(&self.ahead),
            rates: self.rates,
            log: Lines::default(),
        };
        world.start(Some(listener));
        world
    }

    pub(crate) fn prepare(change: impl FnOnce(Builder) -> Builder, rates: Rates) -> (Self, TcpListener) {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let base = format!("http://{address}");
        let sandbox = Sandbox::builder().client_secret(SECRET).redirect_uri(format!("{base}/callback"));
        let sandbox = change(sandbox).start().unwrap();
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let folder = std::env::temp_dir().join(format!("restream-oauth-broker-{:x}", u64::from_ne_bytes(random)));
        let world = Self {
            sandbox: Arc::new(sandbox),
            issuer: base.clone(),
            base,
            mode: Mode::Handle(Store::File(folder.clone())),
            relay_memory: RELAY_MEMORY,
            door: Mutex::default(),
            runtime,
            running: None,
            address,
            folder,
            ahead: Arc::default(),
            rates,
            log: Lines::default(),
        };
        (world, listener)
    }

    fn start(&mut self, listener: Option<TcpListener>) {
        let client = |id: &str, redirect_uris: &[&str]| Client {
            id: id.into(),
            redirect_uris: redirect_uris.iter().map(|uri| RedirectUri::new(uri).unwrap()).collect(),
            origins: vec![format!("https://{id}.example")],
        };
        let registered = Registered::builder(self.sandbox.client_id())
            .secret(SECRET)
            .redirect_uri(format!("{}/callback", self.issuer))
            .endpoints(Endpoints::at(self.sandbox.base_url()))
            .build()
            .unwrap();
        let (begun, ahead) = (Instant::now(), Arc::clone(&self.ahead));
        let options = Options {
            rules: Rules {
                issuer: self.issuer.clone(),
                clients: vec![client("overlay", &[CALLBACK]), client("bot", &["https://bot.example/callback"])],
                // The settings of a relay refuse it.
                obs_prefix: matches!(self.mode, Mode::Handle(_)).then(|| "/obs/".into()),
                is_relay: matches!(self.mode, Mode::Relay),
            },
            client: registered,
            transport: Transport::new().unwrap(),
            mode: self.mode.clone(),
            relay_memory: self.relay_memory,
            rates: self.rates,
            trusted_proxies: Vec::new(),
            log: Log::to(self.log.clone(), Level::Debug),
            clock: Clock::of(move || {
                let ahead = Duration::from_secs(ahead.load(Ordering::SeqCst));
                Now { wall: SystemTime::now() + ahead, steady: begun.elapsed() + ahead }
            }),
        };
        let (stop, stopped) = oneshot::channel();
        let address = self.address;
        let running = self.runtime.block_on(async {
            let listener = match listener {
                Some(listener) => listener,
                None => TcpListener::bind(address).await.unwrap(),
            };
            let broker = Broker::start(options).await.unwrap();
            let served = tokio::spawn(serve(listener, Arc::clone(&broker), async move { drop(stopped.await) }));
            let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let admin_url = format!("http://{}", admin.local_addr().unwrap());
            let admin = tokio::spawn(serve_admin(admin, Arc::clone(&broker), std::future::pending()));
            Running { broker, stop, served, admin, admin_url }
        });
        self.running = Some(running);
    }

    /// Sets the clocks of the sandbox and of the broker forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.sandbox.advance(by);
        self.ahead.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    /// Stops the broker and starts another one on the same folder and address.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start(None);
    }

    pub(crate) fn stop(&mut self) {
        let Some(Running { broker, stop, served, admin, .. }) = self.running.take() else { return };
        let _ = stop.send(());
        self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, served).await.unwrap().unwrap();
            admin.abort();
            let _ = admin.await;
            let left = tokio::time::timeout(PATIENCE, broker.stop(|_| {})).await.unwrap();
            assert!(left.in_doubt.is_empty() && left.stranded.is_empty(), "{left:?}");
        });
    }

    /// Serves the running broker over TLS as well.
    pub(crate) fn serve_tls(&self, tls: Tls) -> std::net::SocketAddr {
        let broker = Arc::clone(&self.running.as_ref().unwrap().broker);
        self.runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(serve_tls(listener, broker, Arc::new(tls), std::future::pending()));
            address
        })
    }

    /// Where operators read.
    pub(crate) fn admin_url(&self) -> String {
        self.running.as_ref().unwrap().admin_url.clone()
    }

    pub(crate) fn metrics(&self) -> String {
        self.browse(&format!("{}/metrics", self.admin_url()), None).body
    }

    /// Everything that the broker would print of itself.
    pub(crate) fn debug(&self) -> String {
        let broker = &self.running.as_ref().unwrap().broker;
        format!("{broker:?}\n{broker:#?}")
    }

    /// What a supervisor reads: the status and the body.
    pub(crate) fn health(&self) -> (u16, String) {
        let url = format!("{}/healthz", self.running.as_ref().unwrap().admin_url);
        let answer = Answer::of(agent().get(url).call().unwrap());
        (answer.status, answer.body)
    }

    /// The names of the devices that are stored.
    pub(crate) fn devices(&self) -> Vec<String> {
        let names = names(&self.folder.join("devices"));
        names.into_iter().filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect()
    }

    /// What is stored of the device with this handle.
    pub(crate) fn document(&self, handle: &str) -> String {
        std::fs::read_to_string(self.folder.join(format!("devices/{}.json", &handle[..32]))).unwrap()
    }

    pub(crate) fn get(&self, url: &str) -> Answer {
        self.browse(url, None)
    }

    /// Sends what is for the issuer to a program that says that it is ready.
    pub(crate) fn reach_at(&self, ready: &Value) {
        *self.door.lock().unwrap() = Some(ready["base_url"].as_str().unwrap().to_owned());
    }

    /// The URL of a path of the broker, or a URL as it is reached.
    fn reached(&self, url: &str) -> String {
        let door = self.door.lock().unwrap().clone().unwrap_or_else(|| self.base.clone());
        // What leads to the broker leads to whichever instance the test means.
        let path = url.strip_prefix(&self.issuer).or_else(|| url.strip_prefix(&self.base)).unwrap_or(url);
        if path.starts_with('/') { format!("{door}{path}") } else { url.to_owned() }
    }

    /// A browser opens a URL, of the broker unless it is absolute.
    pub(crate) fn browse(&self, url: &str, cookie: Option<&str>) -> Answer {
        self.try_browse(url, cookie).unwrap()
    }

    fn try_browse(&self, url: &str, cookie: Option<&str>) -> Result<Answer, ureq::Error> {
        open(&self.reached(url), cookie)
    }

    /// `None` if the connection breaks.
    pub(crate) fn try_get(&self, url: &str, cookie: Option<&str>) -> Option<Answer> {
        self.try_browse(url, cookie).ok()
    }

    pub(crate) fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(path, form).unwrap()
    }

    /// A form with header fields.
    pub(crate) fn post_with(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let request = agent().post(self.reached(path));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send_form(form.iter().copied()).map(Answer::of).unwrap()
    }

    /// `None` if the connection breaks.
    pub(crate) fn try_post(&self, path: &str, form: &[(&str, &str)]) -> Option<Answer> {
        self.send(path, form).ok()
    }

    fn send(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer, ureq::Error> {
        agent().post(self.reached(path)).send_form(form.iter().copied()).map(Answer::of)
    }

    /// A user opens the authorization URL of the overlay, and goes on to Restream. Returns the URL of the consent page
    /// there, and the cookie.
    pub(crate) fn leave(&self, changes: &[(&str, &str)], cookie: Option<&str>) -> (String, String) {
        let mut parameters = vec![
            ("client_id", "overlay"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "s&t=é"),
        ];
        for change in changes {
            parameters.retain(|(name, _)| *name != change.0);
            parameters.push(*change);
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let page = self.browse(&format!("/authorize?{query}"), cookie);
        assert_eq!(page.status, 200, "{page:?}");
        let cookie = page.cookie().or(cookie.map(str::to_owned)).expect("a cookie");
        let link = page.body.split_once("href=\"").unwrap().1.split_once('"').unwrap().0.replace("&amp;", "&");
        let away = self.browse(&link, Some(&cookie));
        assert_eq!(away.status, 303, "{away:?}");
        (away.location().to_owned(), cookie)
    }

    /// A user logs in for the overlay, up to the callback of the overlay. Returns its code.
    pub(crate) fn code(&self) -> String {
        let (consent, cookie) = self.leave(&[], None);
        let callback = self.sandbox.approve(&consent).unwrap();
        let back = self.browse(&callback, Some(&cookie));
        assert_eq!(back.status, 303, "{back:?}");
        back.parameter("code")
    }

    /// The overlay redeems a code.
    pub(crate) fn redeem(&self, code: &str) -> Answer {
        self.post(
            "/token",
            &[
                ("grant_type", "authorization_code"),
                ("client_id", "overlay"),
                ("code", code),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
            ],
        )
    }

    /// A user logs in for the overlay.
    pub(crate) fn log_in(&self) -> Tokens {
        self.redeem(&self.code()).tokens()
    }

    /// The overlay refreshes.
    pub(crate) fn refresh(&self, handle: &str) -> Answer {
        self.post("/token", &[("grant_type", "refresh_token"), ("client_id", "overlay"), ("refresh_token", handle)])
    }

    /// The overlay refreshes at a broker that may die meanwhile.
    pub(crate) fn try_refresh(&self, handle: &str) -> Option<Answer> {
        let form = [("grant_type", "refresh_token"), ("client_id", "overlay"), ("refresh_token", handle)];
        agent().post(format!("{}/token", self.base)).send_form(form).ok().map(Answer::of)
    }

    /// True if the API accepts an access token.
    pub(crate) fn accepts(&self, access_token: &str) -> bool {
        accepts(&self.sandbox, access_token)
    }

    /// Waits until the ledger of the sandbox is as wanted.
    pub(crate) fn wait_until(&self, wanted: impl FnMut(&restream_oauth_sandbox::Ledger) -> bool) {
        assert!(self.sandbox.wait_until(PATIENCE, wanted), "{:?}", self.sandbox.ledger());
    }

    /// Waits until something is true that the ledger does not show.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Self) -> bool) {
        self.wait_longer(PATIENCE, what, wanted);
    }

    pub(crate) fn wait_longer(&self, limit: Duration, what: &str, wanted: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !wanted(self) {
            assert!(begun.elapsed() < limit, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A browser opens a URL, and follows no redirect.
pub(crate) fn open(url: &str, cookie: Option<&str>) -> Result<Answer, ureq::Error> {
    let mut request = agent().get(url);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    request.call().map(Answer::of)
}

/// True if the API accepts an access token.
pub(crate) fn accepts(sandbox: &Sandbox, access_token: &str) -> bool {
    let url = format!("{}/v2/user/profile", sandbox.base_url());
    let request = agent().get(url).header("authorization", format!("Bearer {access_token}"));
    Answer::of(request.call().unwrap()).status == 200
}

/// The names in a folder.
pub(crate) fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Reports that a test proved nothing. Writes to standard error directly, because the test runner captures `eprintln!`.
/// Fails in CI, which must have everything that the tests need.
pub(crate) fn skipped(why: &str) {
    let message = format!("SKIPPED: {why}\n");
    std::io::stderr().write_all(message.as_bytes()).unwrap();
    assert!(std::env::var_os("CI").is_none(), "{message}");
}

/// Limits that no test runs into by accident.
pub(crate) fn generous() -> Rates {
    let many = std::num::NonZeroU32::new(100_000).unwrap();
    Rates { per_device: many, per_address: many }
}

pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build();
    config.into()
}

/// What the broker has logged.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
