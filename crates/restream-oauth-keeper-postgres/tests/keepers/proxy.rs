//! A proxy before the database that ends a connection at a chosen statement: before the server sees it, or before the
//! client sees that it was executed.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// When the connection ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut {
    Before,
    After,
}

#[derive(Default)]
struct Orders {
    /// The statement at which to cut, counted from the order.
    at: Option<(usize, Cut)>,
    /// Nobody gets a connection any more.
    dead: bool,
    /// Whether the client's process goes on after the cut.
    survives: bool,
    /// The text of the statement at which a connection was cut.
    cut: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    orders: Arc<Mutex<Orders>>,
}

impl Proxy {
    pub(crate) async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let orders = Arc::new(Mutex::new(Orders::default()));
        let (server, watched) = (server.to_owned(), Arc::clone(&orders));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if watched.lock().unwrap().dead {
                    continue;
                }
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&watched)));
            }
        });
        Self { port, orders }
    }

    /// Cuts at the n-th statement from now on, counted from 1.
    pub(crate) fn cut_at(&self, statement: usize, cut: Cut, survives: bool) {
        *self.orders.lock().unwrap() = Orders { at: Some((statement, cut)), survives, ..Orders::default() };
    }

    /// From now on, clients get connections again.
    pub(crate) fn comes_back(&self) {
        self.orders.lock().unwrap().dead = false;
    }

    /// The text of the statement at which the connection was cut; `None` if it was not.
    pub(crate) fn was_cut(&self) -> Option<String> {
        self.orders.lock().unwrap().cut.clone()
    }
}

async fn carry(client: TcpStream, server: TcpStream, orders: Arc<Mutex<Orders>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    // The first message has no type.
    let length = from_client.read_u32().await.unwrap();
    let mut startup = vec![0; length as usize - 4];
    from_client.read_exact(&mut startup).await.unwrap();
    to_server.write_u32(length).await.unwrap();
    to_server.write_all(&startup).await.unwrap();
    // While a statement is held back, what the server says waits too.
    let (cut_after, mut must_cut) = tokio::sync::mpsc::channel::<()>(1);
    let mute = Arc::new(Mutex::new(false));
    let is_mute = Arc::clone(&mute);
    let downstream = tokio::spawn(async move {
        while let Some((kind, message)) = read(&mut from_server).await {
            if *is_mute.lock().unwrap() {
                // Executed, committed, and ready for the next one: the client never hears of it.
                if kind == b'Z' {
                    let _ = cut_after.send(()).await;
                    return;
                }
                continue;
            }
            if write(&mut to_client, kind, &message).await.is_none() {
                return;
            }
        }
    });
    let mut text = String::new();
    while let Some((kind, message)) = read(&mut from_client).await {
        if kind == b'P' {
            // An unnamed statement: an empty name, then the text.
            let end = message[1..].iter().position(|byte| *byte == 0).unwrap();
            text = String::from_utf8(message[1..=end].to_vec()).unwrap();
        }
        if kind == b'S' {
            let cut = {
                let mut orders = orders.lock().unwrap();
                match &mut orders.at {
                    Some((1, cut)) => {
                        let cut = *cut;
                        *orders = Orders {
                            dead: !orders.survives,
                            survives: orders.survives,
                            cut: Some(text.clone()),
                            at: None,
                        };
                        Some(cut)
                    }
                    Some((left, _)) => {
                        *left -= 1;
                        None
                    }
                    None => None,
                }
            };
            match cut {
                // The parts of the statement may have reached the server. Without the end it is rolled back.
                Some(Cut::Before) => break,
                Some(Cut::After) => {
                    *mute.lock().unwrap() = true;
                    write(&mut to_server, kind, &message).await;
                    must_cut.recv().await;
                    break;
                }
                None => {}
            }
        }
        if write(&mut to_server, kind, &message).await.is_none() {
            break;
        }
    }
    downstream.abort();
}

async fn read(from: &mut OwnedReadHalf) -> Option<(u8, Vec<u8>)> {
    let kind = from.read_u8().await.ok()?;
    let length = from.read_u32().await.ok()?;
    let mut message = vec![0; length as usize - 4];
    from.read_exact(&mut message).await.ok()?;
    Some((kind, message))
}

async fn write(to: &mut OwnedWriteHalf, kind: u8, message: &[u8]) -> Option<()> {
    let mut all = vec![kind];
    all.extend((u32::try_from(message.len()).unwrap() + 4).to_be_bytes());
    all.extend(message);
    to.write_all(&all).await.ok()
}
