//! A proxy for tests, on loopback. It accepts `CONNECT` (RFC 9110 §9.3.6), and opens each tunnel to this machine,
//! whatever the name in the request. The tests of hyper, ureq and the command include this file.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    /// Opens the tunnel.
    Tunnel,
    /// Answers with this status, and opens no tunnel.
    Answer(&'static str),
    /// Closes the connection instead of answering.
    Close,
    /// Keeps the connection open and sends nothing.
    Nothing,
    /// Refuses connections.
    NotListen,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    /// The head of the request on each connection.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let seen = Arc::clone(&heads);
        if !matches!(behaviour, Behaviour::NotListen) {
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let seen = Arc::clone(&seen);
                    thread::spawn(move || serve(stream.unwrap(), behaviour, &seen));
                }
            });
        }
        Self { address, heads }
    }

    pub(crate) fn url(&self, credentials: &str) -> String {
        format!("http://{credentials}{}", self.address)
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

fn serve(mut client: TcpStream, behaviour: Behaviour, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.clone());
    match behaviour {
        Behaviour::Tunnel => {
            let port = head.split(' ').nth(1).unwrap().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(Shutdown::Write);
            });
            let _ = io::copy(&mut server, &mut client);
            let _ = client.shutdown(Shutdown::Write);
        }
        Behaviour::Answer(status) => {
            client.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        }
        // Waits until the client closes.
        Behaviour::Nothing => drop(client.read(&mut [0])),
        Behaviour::Close | Behaviour::NotListen => {}
    }
}
