//! A proxy in front of the database that kills a program at a chosen statement: before the server has all of it, or when it
//! is done and the program has not heard so.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::program::kill;

/// When the program dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Before,
    After,
}

#[derive(Default)]
struct Orders {
    /// The program to kill, and at which statement, counted from 1 and from the order.
    at: Option<(Arc<Mutex<Child>>, u32, Cut)>,
    /// How many statements were seen since the order.
    seen: u32,
    /// The statement at which the program was killed.
    killed_at: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    orders: Arc<Mutex<Orders>>,
}

impl Proxy {
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), orders: Arc::default() };
        let orders = Arc::clone(&proxy.orders);
        thread::spawn(move || {
            for client in listener.incoming() {
                let orders = Arc::clone(&orders);
                // A connection that breaks is the program's affair.
                thread::spawn(move || join(client?, TcpStream::connect(server)?, &orders));
            }
        });
        proxy
    }

    pub(crate) fn kill_at(&self, statement: u32, cut: Cut, program: &Arc<Mutex<Child>>) {
        let at = Some((Arc::clone(program), statement, cut));
        *self.orders.lock().unwrap() = Orders { at, ..Orders::default() };
    }

    pub(crate) fn seen(&self) -> u32 {
        self.orders.lock().unwrap().seen
    }

    /// The text of the statement at which the program was killed, one line of it.
    pub(crate) fn killed_at(&self) -> Option<String> {
        self.orders.lock().unwrap().killed_at.clone()
    }
}

fn join(client: TcpStream, server: TcpStream, orders: &Mutex<Orders>) -> io::Result<()> {
    let ends = [client.try_clone()?, server.try_clone()?];
    let carried = carry(client, server, orders);
    // The server must hear of it too: what is under way there holds its locks.
    for end in ends {
        let _ = end.shutdown(Shutdown::Both);
    }
    carried
}

fn carry(mut client: TcpStream, mut server: TcpStream, orders: &Mutex<Orders>) -> io::Result<()> {
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    // The first message has no type.
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
    client.read_exact(&mut startup)?;
    server.write_all(&[&length[..], &startup].concat())?;

    let is_mute = Arc::new(AtomicBool::new(false));
    let (done, is_done) = sync_channel(1);
    let (from_server, to_client, mute) = (server.try_clone()?, client.try_clone()?, Arc::clone(&is_mute));
    thread::spawn(move || answer(from_server, to_client, &mute, &done));
    let mut text = String::new();
    loop {
        let (kind, message) = read(&mut client)?;
        if kind == b'P' {
            // An unnamed statement: an empty name, then the text.
            let words = message[1..].split(|byte| *byte == 0).next().unwrap_or_default();
            text = String::from_utf8_lossy(words).split_whitespace().collect::<Vec<_>>().join(" ");
        }
        let order = if kind == b'S' { next(orders) } else { None };
        let Some((program, cut)) = order else {
            send(&mut server, kind, &message)?;
            continue;
        };
        if cut == Cut::After {
            is_mute.store(true, Ordering::SeqCst);
            send(&mut server, kind, &message)?;
            // If the server is gone, so is what this is about.
            let _ = is_done.recv();
        }
        // Without its end, the statement is rolled back.
        kill(&program);
        orders.lock().unwrap().killed_at = Some(text);
        return Ok(());
    }
}

/// Counts a statement. Returns what to kill at it.
fn next(orders: &Mutex<Orders>) -> Option<(Arc<Mutex<Child>>, Cut)> {
    let mut orders = orders.lock().unwrap();
    orders.seen += 1;
    let seen = orders.seen;
    orders.at.take_if(|(_, statement, _)| *statement == seen).map(|(program, _, cut)| (program, cut))
}

/// Carries what the server says. Once `is_mute` is set, it ends with the statement that is under way.
fn answer(mut server: TcpStream, mut client: TcpStream, is_mute: &AtomicBool, done: &SyncSender<()>) -> io::Result<()> {
    loop {
        let (kind, message) = read(&mut server)?;
        if !is_mute.load(Ordering::SeqCst) {
            send(&mut client, kind, &message)?;
        } else if kind == b'Z' {
            // Executed, and committed.
            let _ = done.send(());
            return Ok(());
        }
    }
}

fn read(from: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let mut message = vec![0; u32::from_be_bytes(length) as usize - 4];
    from.read_exact(&mut message)?;
    Ok((kind, message))
}

fn send(to: &mut TcpStream, kind: u8, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)? + 4;
    to.write_all(&[&[kind], &length.to_be_bytes()[..], message].concat())
}
