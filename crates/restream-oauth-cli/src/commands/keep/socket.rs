//! The Unix socket: a file in a folder that only its user can enter, and the connections to it.
//!
//! The mode of the folder keeps other users out. So no request has to prove anything.

use std::convert::Infallible;
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::commands::keep::answers::respond;
use crate::commands::keep::offer::Offer;
use crate::failure::Failure;
use crate::runtime::prove_descriptors;
use crate::terminal::say;

/// The most connections at a time. Further connections wait for a free place.
const MOST_CONNECTIONS: usize = 64;
/// Descriptors for the connections, and as many for the keeper: its files and requests must never lack one.
const DESCRIPTORS: usize = 128;
/// How long a connection may take to send the head of its request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long a connection may live, whatever it does. A wait for a token ends earlier.
const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// How long the last answers may take to be written.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The socket, before it is served.
pub(crate) struct Socket {
    listener: UnixListener,
    file: SocketFile,
}

impl Socket {
    /// Creates the socket with mode 0600. Replaces that of a process that has died, and nothing else.
    pub(crate) async fn bind(path: &Path) -> Result<Self, Failure> {
        prove_descriptors(DESCRIPTORS)?;
        let folder = private_folder(path)?;
        // Of two processes that replace a dead socket at once, one would remove the living socket of the other. Where a
        // folder cannot be locked, that is left to chance.
        let lock = File::open(&folder.path).and_then(|folder| folder.lock().map(|()| folder));
        remove_dead(path).await?;
        let cannot = |error: io::Error| Failure::usage(format!("cannot create {}: {error}", path.display()));
        let listener = UnixListener::bind(path).map_err(cannot)?;
        let metadata = fs::symlink_metadata(path).map_err(cannot)?;
        let file = SocketFile { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() };
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(cannot)?;
        drop(lock);
        if metadata.uid() != folder.owner {
            return Err(Failure::usage(format!("{} belongs to another user", folder.path.display())));
        }
        Ok(Self { listener, file })
    }

    /// Begins to serve.
    pub(crate) fn serve(self, offer: &Offer) -> Server {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(self.listener, offer.clone(), Arc::clone(&places)));
        Server { acceptor, places, file: self.file }
    }
}

/// The socket while it is served.
pub(crate) struct Server {
    acceptor: JoinSet<()>,
    places: Arc<Semaphore>,
    file: SocketFile,
}

impl Server {
    /// Removes the socket, and waits a moment for answers that are being written.
    pub(crate) async fn end(mut self) {
        // The file goes first: a socket that nobody listens on would look dead to the next process.
        drop(self.file);
        let all = self.places.acquire_many(u32::try_from(MOST_CONNECTIONS).unwrap_or(u32::MAX));
        let _ = timeout(LAST_ANSWERS, all).await;
        self.acceptor.shutdown().await;
    }
}

/// The file of the socket. It is removed on drop, unless another one has taken its name.
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |metadata: Metadata| (metadata.dev(), metadata.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours)
            && let Err(error) = fs::remove_file(&self.path)
        {
            say(&format!("cannot remove {}: {error}", self.path.display()));
        }
    }
}

struct Folder {
    path: PathBuf,
    owner: u32,
}

/// The folder of the socket. Fails if others can enter it.
fn private_folder(path: &Path) -> Result<Folder, Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = |reason: &str| Failure::usage(format!("cannot use {} for a socket: {reason}", parent.display()));
    let metadata = fs::metadata(parent).map_err(|error| cannot(&error.to_string()))?;
    if !metadata.is_dir() {
        return Err(cannot("it is not a folder"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(cannot("others can enter it: chmod 700 it"));
    }
    Ok(Folder { path: parent.to_owned(), owner: metadata.uid() })
}

/// Removes the socket of a process that has died.
async fn remove_dead(path: &Path) -> Result<(), Failure> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::usage(format!("cannot use {}: {error}", path.display()))),
    };
    if !metadata.file_type().is_socket() {
        return Err(Failure::usage(format!("{} is in the way, and is not a socket", path.display())));
    }
    match UnixStream::connect(path).await {
        // Nobody listens.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| Failure::usage(format!("cannot remove {}: {error}", path.display())))
        }
        _ => Err(Failure::usage(format!("{} is the socket of a process that runs", path.display()))),
    }
}

async fn accept(listener: UnixListener, offer: Offer, places: Arc<Semaphore>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Either no file descriptor is free, or the connection was closed before it was accepted.
            drop(place);
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let offer = offer.clone();
        connections.spawn(async move {
            let _ = timeout(CONNECTION_TIME, serve_connection(stream, offer)).await;
            drop(place);
        });
    }
}

async fn serve_connection(stream: UnixStream, offer: Offer) {
    let service = service_fn(move |request: Request<Incoming>| {
        let offer = offer.clone();
        async move { Ok::<_, Infallible>(respond(request, &offer).await) }
    });
    // An error of one connection affects no other.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
