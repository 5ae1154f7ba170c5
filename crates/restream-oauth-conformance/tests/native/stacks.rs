//! The native stacks behind one trait. Each is set up for one server and one time limit.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use restream_oauth_conformance::stack;
use restream_oauth_core::{Answer, Call, Error};
use restream_oauth_sandbox::Sandbox;
use rustls::pki_types::CertificateDer;
use tokio::runtime::Runtime;

/// An HTTP stack that is ready to send calls.
pub(crate) trait Stack {
    /// The name in the table: a constant of [`stack`].
    const NAME: &'static str;

    /// Sets up the stack. It trusts the certificate authority of `sandbox`, if the sandbox has one.
    fn new(limit: Duration, sandbox: Option<&Sandbox>) -> Self;

    /// Sends a call and returns its answer, not yet interpreted.
    fn receive<T>(&self, call: Call<T>) -> Answer<T>;

    /// Sends a call and interprets its answer. An adapter has a method of its own for this.
    fn send<T>(&self, call: Call<T>) -> Result<T, Error> {
        self.receive(call).interpret()
    }
}

pub(crate) struct Hyper(Runtime, restream_oauth_hyper::Transport);

impl Stack for Hyper {
    const NAME: &'static str = stack::HYPER;

    fn new(limit: Duration, sandbox: Option<&Sandbox>) -> Self {
        let limits = restream_oauth_hyper::Limits::default().connect(limit).total(limit);
        let transport = restream_oauth_hyper::Transport::builder().limits(limits).root_certificates(root(sandbox));
        Self(runtime(), transport.build().unwrap())
    }

    fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        self.0.block_on(self.1.receive(call))
    }

    fn send<T>(&self, call: Call<T>) -> Result<T, Error> {
        self.0.block_on(self.1.send(call))
    }
}

pub(crate) struct Ureq(restream_oauth_ureq::Transport);

impl Stack for Ureq {
    const NAME: &'static str = stack::UREQ;

    fn new(limit: Duration, sandbox: Option<&Sandbox>) -> Self {
        let limits = restream_oauth_ureq::Limits::default().connect(limit).total(limit);
        let transport = restream_oauth_ureq::Transport::builder().limits(limits).only_root_certificates(root(sandbox));
        Self(transport.build().unwrap())
    }

    fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        self.0.receive(call)
    }

    fn send<T>(&self, call: Call<T>) -> Result<T, Error> {
        self.0.send(call)
    }
}

pub(crate) struct Reqwest(Runtime, reqwest::Client);

impl Stack for Reqwest {
    const NAME: &'static str = stack::REQWEST;

    fn new(limit: Duration, sandbox: Option<&Sandbox>) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(root(sandbox));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        // The environment can set such a proxy. It refuses connections, so the glue must not use it.
        let proxy = reqwest::Proxy::all("http://127.0.0.1:1").unwrap();
        let builder = reqwest::Client::builder().proxy(proxy).tls_backend_preconfigured(tls);
        Self(runtime(), super::reqwest_glue::configure(builder, limit).build().unwrap())
    }

    fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        self.0.block_on(super::reqwest_glue::receive(&self.1, call))
    }
}

pub(crate) struct Minreq(Duration);

impl Stack for Minreq {
    const NAME: &'static str = stack::MINREQ;

    fn new(limit: Duration, _: Option<&Sandbox>) -> Self {
        Self(limit)
    }

    fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        super::minreq_glue::receive(call, self.0)
    }
}

pub(crate) struct Tcp(Duration);

impl Stack for Tcp {
    const NAME: &'static str = stack::TCP;

    fn new(limit: Duration, _: Option<&Sandbox>) -> Self {
        Self(limit)
    }

    fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        super::tcp::receive(call, self.0)
    }
}

pub(crate) struct Curl {
    limit: Duration,
    /// A file, because curl does not read certificates from elsewhere.
    root_certificate: Option<PathBuf>,
}

impl Stack for Curl {
    const NAME: &'static str = stack::CURL;

    fn new(limit: Duration, sandbox: Option<&Sandbox>) -> Self {
        let pem = sandbox.and_then(Sandbox::ca_certificate_pem);
        Self { limit, root_certificate: pem.map(file_with) }
    }

    fn receive<T>(&self, call: Call<T>) -> Answer<T> {
        let cacert = self.root_certificate.as_ref().map(|path| format!("cacert=\"{}\"", path.display()));
        super::curl::receive(call, self.limit, &cacert.unwrap_or_default())
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        if let Some(path) = &self.root_certificate {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn file_with(pem: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("restream-oauth-conformance-{}-{number}.pem", std::process::id()));
    let mut file = std::fs::File::create_new(&path).unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    path
}

fn root(sandbox: Option<&Sandbox>) -> Option<CertificateDer<'static>> {
    sandbox.and_then(Sandbox::ca_certificate_der).map(|der| CertificateDer::from(der.to_vec()))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
