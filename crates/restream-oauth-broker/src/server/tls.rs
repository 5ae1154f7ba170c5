//! TLS of the broker's own: a certificate that is read again when it changed, and handshakes within bounds.
//!
//! Certificates are renewed every few weeks, by a program that replaces two files one after the other. So the files are
//! compared with what is served; time stamps say nothing about a symbolic link that leads to another file. What is new and
//! cannot be served is told once it was seen twice: it may be half of a renewal.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::HEAD_LIMIT;
use super::observe::Observer;
use crate::log::{Entry, Level, Log};
use crate::metrics::Bound;
use crate::settings::{FileProblem, SecretFile, TlsFiles, TlsProblem};
use crate::tls::{Chain, Key, provider};

/// A certificate with its private key, from files that are read again while they are served.
///
/// [`serve_tls`](super::serve_tls) serves it.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    every: Duration,
    served: Arc<Served>,
    config: Arc<ServerConfig>,
    seen: Mutex<Seen>,
}

impl Tls {
    /// Reads both files. While they are served, they are read again after each `every`.
    ///
    /// # Errors
    /// [`TlsError`] if they cannot be read, or do not hold a certificate and its private key.
    pub fn open(files: TlsFiles, every: Duration) -> Result<Self, TlsError> {
        let (content, pair) = read(&files);
        let served = Arc::new(Served(RwLock::new(Arc::new(pair?))));
        let builder = ServerConfig::builder_with_provider(Arc::new(provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|_| TlsError::NoProtocol)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::<Served>::clone(&served));
        // RFC 7301: a client that speaks something else alone learns it in the handshake.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let seen = Mutex::new(Seen { served: content, broken: None });
        Ok(Self { files, every, served, config: Arc::new(config), seen })
    }

    /// Reads both files again, and serves them from now on if they have changed and can be served.
    fn read_again(&self) -> Change {
        let (content, pair) = read(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if content == seen.served {
            seen.broken = None;
            return Change::None;
        }
        match pair {
            Ok(pair) => {
                *self.served.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                *seen = Seen { served: content, broken: None };
                Change::Renewed
            }
            Err(error) => {
                let times = match &seen.broken {
                    Some((known, times)) if *known == content => times.saturating_add(1),
                    _ => 1,
                };
                seen.broken = Some((content, times));
                if times == 2 { Change::Broken(error) } else { Change::None }
            }
        }
    }

    /// Reads the files again and again, and logs what came of it. Never ends.
    pub(super) async fn keep_reading(self: Arc<Self>, log: Log) {
        loop {
            tokio::time::sleep(self.every).await;
            let tls = Arc::clone(&self);
            let Ok(change) = tokio::task::spawn_blocking(move || tls.read_again()).await else { continue };
            match change {
                Change::None => {}
                Change::Renewed => {
                    log.write(Entry::new(Level::Info, "certificate_renewed", "serving the new certificate"));
                }
                Change::Broken(error) => {
                    let message =
                        format!("the new certificate cannot be served, and the old one is served on: {error}");
                    log.write(Entry::new(Level::Error, "certificate_broken", &message));
                }
            }
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// Makes the handshake on a connection (RFC 8446 §2). It ends early if the broker stops.
///
/// Returns `None` if it fails. That is the other end's affair: it speaks no TLS, takes too long, or hangs up.
pub(super) async fn handshake<S>(
    acceptor: &TlsAcceptor,
    stream: S,
    observer: &Observer,
    mut stopping: watch::Receiver<bool>,
) -> Option<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let result = tokio::select! {
        result = timeout(HEAD_LIMIT, acceptor.accept(stream)) => result,
        _ = stopping.wait_for(|stopping| *stopping) => return None,
    };
    if result.is_err() {
        observer.metrics.turned_away(Bound::Time);
    }
    result.ok()?.ok()
}

/// What handshakes get.
struct Served(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Served {
    /// One certificate for all names, whatever name the client expects.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Served")
    }
}

/// What the files held.
#[derive(Debug)]
struct Seen {
    served: Content,
    /// What cannot be served, and how often it was seen.
    broken: Option<(Content, u32)>,
}

/// The hash of both files, or why one cannot be read.
type Content = Result<[u8; 32], TlsError>;

/// What came of reading the files again.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    None,
    Renewed,
    Broken(TlsError),
}

fn read(files: &TlsFiles) -> (Content, Result<CertifiedKey, TlsError>) {
    let file =
        |path: &PathBuf| SecretFile::read(path).map_err(|problem| TlsError::File { path: path.clone(), problem });
    match file(&files.certificate).and_then(|certificate| Ok((certificate, file(&files.key)?))) {
        Ok((certificate, key)) => {
            let about = |path: &PathBuf| {
                let path = path.clone();
                move |problem| TlsError::Content { path, problem }
            };
            let (certificate, key) = (certificate.text(), key.text());
            let hashes = [Sha256::digest(certificate), Sha256::digest(key)].concat();
            let chain = Chain::from_pem(certificate).map_err(about(&files.certificate));
            let key = Key::from_pem(key).map_err(about(&files.key));
            let pair = chain.and_then(|chain| chain.with(key?).map_err(about(&files.key)));
            (Ok(Sha256::digest(hashes).into()), pair)
        }
        Err(error) => (Err(error.clone()), Err(error)),
    }
}

/// Why a certificate cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: FileProblem,
    },
    /// A file was read, and cannot be used.
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: TlsProblem,
    },
    /// The cryptography serves no version of TLS.
    NoProtocol,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, problem } => write!(f, "{} cannot be used: {problem}", path.display()),
            Self::Content { path, problem } => write!(f, "{} cannot be used: {problem}", path.display()),
            Self::NoProtocol => f.write_str("the cryptography serves no version of TLS"),
        }
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const EVERY: Duration = Duration::from_secs(10);

    struct Folder {
        path: PathBuf,
        files: TlsFiles,
    }

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("restream-oauth-broker-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            let files = TlsFiles { certificate: path.join("cert.pem"), key: path.join("key.pem") };
            Self { path, files }
        }

        fn write(&self, certificate: &str, key: &str) {
            fs::write(&self.files.certificate, certificate).unwrap();
            fs::write(&self.files.key, key).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (
            CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().pem(),
            key.serialize_pem(),
        )
    }

    #[test]
    fn a_renewed_pair_is_served_and_a_broken_one_is_told_once_and_not_served() {
        let folder = Folder::new("tls-renewal");
        let (old, new) = (pair(), pair());
        folder.write(&old.0, &old.1);
        let tls = Tls::open(folder.files.clone(), EVERY).unwrap();
        let served = || tls.served.0.read().unwrap().cert[0].to_vec();
        let first = served();
        assert_eq!(tls.read_again(), Change::None);

        // Between the two files of a renewal.
        folder.write(&new.0, &old.1);
        assert_eq!((tls.read_again(), served()), (Change::None, first.clone()));
        folder.write(&new.0, &new.1);
        assert_eq!(tls.read_again(), Change::Renewed);
        let second = served();
        assert_ne!(first, second);

        let mismatch = TlsError::Content { path: folder.files.key.clone(), problem: TlsProblem::Mismatch };
        folder.write(&old.0, &new.1);
        let told: Vec<_> = (0..4).map(|_| tls.read_again()).collect();
        assert_eq!(told, [Change::None, Change::Broken(mismatch), Change::None, Change::None]);
        fs::remove_file(&folder.files.key).unwrap();
        let missing = TlsError::File { path: folder.files.key.clone(), problem: FileProblem::Missing };
        let told: Vec<_> = (0..3).map(|_| tls.read_again()).collect();
        assert_eq!(told, [Change::None, Change::Broken(missing), Change::None]);
        assert_eq!(served(), second);

        // Back as it was, and broken again: that is another event.
        folder.write(&new.0, &new.1);
        assert_eq!(tls.read_again(), Change::None);
        folder.write("", &new.1);
        assert_eq!(tls.read_again(), Change::None);
        assert!(matches!(tls.read_again(), Change::Broken(_)));
        folder.write(&old.0, &old.1);
        assert_eq!((tls.read_again(), served()), (Change::Renewed, first));
    }

    #[test]
    fn nothing_of_the_key_is_shown() {
        let folder = Folder::new("tls-shown");
        let (certificate, key) = pair();
        folder.write(&certificate, &key);
        let tls = Tls::open(folder.files.clone(), EVERY).unwrap();
        folder.write(&certificate, &key[..key.len() - 30]);
        let error = Tls::open(folder.files.clone(), EVERY).unwrap_err();
        let shown = format!("{tls:?} {error:?} {error}");
        assert!(key.lines().all(|line| !shown.contains(line)), "{shown}");
        assert!(error.to_string().contains("key.pem cannot be used: expected PEM"), "{error}");
    }

    /// What a handshake needs besides its connection.
    struct Server {
        _folder: Folder,
        acceptor: TlsAcceptor,
        observer: Observer,
        stop: watch::Sender<bool>,
    }

    impl Server {
        fn new(name: &str) -> Self {
            let folder = Folder::new(name);
            let (certificate, key) = pair();
            folder.write(&certificate, &key);
            let acceptor = Tls::open(folder.files.clone(), EVERY).unwrap().acceptor();
            let observer = Observer::new(Log::to(std::io::sink(), Level::Error));
            Self { _folder: folder, acceptor, observer, stop: watch::channel(false).0 }
        }

        async fn refuses(&self, stream: DuplexStream) -> bool {
            handshake(&self.acceptor, stream, &self.observer, self.stop.subscribe()).await.is_none()
        }

        fn turned_away(&self) -> bool {
            self.observer.metrics.text().contains("turned_away_total{bound=\"time\"} 1\n")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_does_not_come_to_its_end_is_given_up_after_30_seconds() {
        let server = Server::new("tls-silent");
        let begun = tokio::time::Instant::now();
        let (silent, _theirs) = duplex(1024);
        assert!(server.refuses(silent).await && server.turned_away());
        assert_eq!(begun.elapsed(), Duration::from_secs(30));

        let server = Server::new("tls-slow");
        let (slow, mut theirs) = duplex(1024);
        let dripping = tokio::spawn(async move {
            // The head of a record with a ClientHello of 508 bytes, which never comes to its end.
            for byte in [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC].into_iter().chain(std::iter::repeat(0)) {
                tokio::time::sleep(Duration::from_secs(4)).await;
                if theirs.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
        });
        let begun = tokio::time::Instant::now();
        assert!(server.refuses(slow).await && server.turned_away());
        assert_eq!(begun.elapsed(), Duration::from_secs(30));
        dripping.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_no_handshake() {
        let server = Server::new("tls-stop");
        let begun = tokio::time::Instant::now();
        let (silent, _theirs) = duplex(1024);
        server.stop.send_replace(true);
        assert!(server.refuses(silent).await);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn plain_http_ends_the_handshake_and_gets_no_answer_of_http() {
        let server = Server::new("tls-plain");
        let (ours, mut theirs) = duplex(1024);
        theirs.write_all(b"GET /token HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(server.refuses(ours).await && !server.turned_away());
        let mut answer = Vec::new();
        theirs.read_to_end(&mut answer).await.unwrap();
        // An alert of TLS (RFC 8446 §6), or nothing.
        assert!(matches!(answer.first(), None | Some(0x15)), "{answer:?}");
    }
}
