//! A running service, a client, and an issuer that publishes keys.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use zerver::prelude::*;
use zerver::{Server, StartOptions};
use zerver_auth::Jwk;

/// Starts a service on a free port.
pub(crate) fn start(app: App, options: StartOptions) -> Server {
    app.start(StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..options }).unwrap()
}

/// Sends a GET with a token, and returns the status and the body.
pub(crate) fn get(addr: SocketAddr, path: &str, token: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// An issuer that publishes keys.
pub(crate) struct Issuer {
    pub(crate) addr: SocketAddr,
    keys: Arc<Mutex<Vec<Jwk>>>,
    fetches: Arc<AtomicUsize>,
}

impl Issuer {
    /// Starts an issuer with these keys. It ends with the process.
    pub(crate) fn start(keys: Vec<Jwk>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let issuer = Self { addr, keys: Arc::new(Mutex::new(keys)), fetches: Arc::default() };
        let (keys, fetches) = (Arc::clone(&issuer.keys), Arc::clone(&issuer.fetches));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                fetches.fetch_add(1, Ordering::SeqCst);
                let body = json!({ "keys": *keys.lock().unwrap() }).to_string();
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/jwk-set+json\r\ncontent-length: {length}\r\n\
                     connection: close\r\n\r\n{body}"
                );
            }
        });
        issuer
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/jwks.json", self.addr)
    }

    pub(crate) fn publish(&self, keys: Vec<Jwk>) {
        *self.keys.lock().unwrap() = keys;
    }

    /// Number of times that the keys were fetched.
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}
