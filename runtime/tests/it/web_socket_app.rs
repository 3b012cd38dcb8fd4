//! A service with sessions over WebSockets, and a client of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket as Client, client};
use zerver::Server;
use zerver::effects::websocket::WebSocketClosed;
use zerver::prelude::*;
use zerver_trace::Outcome;

use crate::collector::{Collector, ended, start};
use crate::raw_client::PATIENCE;

/// State that the sessions of a service share with its test.
#[derive(Default)]
pub(crate) struct Probe {
    pub(crate) sent: AtomicU64,
    pub(crate) proceed: Notify,
    /// Receives a message when a session is dropped or ends.
    pub(crate) ended: std::sync::Mutex<Option<Sender<()>>>,
}

struct OnDrop<'p>(&'p Probe);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.ended.lock().unwrap().iter().for_each(|ended| ended.send(()).unwrap());
    }
}

/// Sends each message back, and obeys some texts.
#[websocket]
async fn echo(name: String, mut socket: WebSocket) -> Result<(), String> {
    while let Some(message) = socket.receive().await {
        match message.as_text() {
            Some("fail") => return Err("the room is gone".to_owned()),
            Some("panic") => panic!("a bug in a session"),
            Some("return") => return Ok(()),
            Some("leave") => {
                socket.close(4001, "you asked for it").await;
                return Ok(());
            }
            Some(text) => socket.send(format!("{name}: {text}")).await.map_err(|error| error.to_string())?,
            None => socket.send(message).await.map_err(|error| error.to_string())?,
        }
    }
    Ok(())
}

/// Sends messages as fast as the client takes them.
#[websocket]
async fn flood(count: u64, #[resource] probe: &Arc<Probe>, socket: WebSocket) -> Result<(), WebSocketClosed> {
    let _on_drop = OnDrop(probe);
    for _ in 0..count {
        socket.send(vec![0; 64 << 10]).await?;
        probe.sent.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Receives nothing until the test says so.
#[websocket]
async fn hold(#[resource] probe: &Arc<Probe>, mut socket: WebSocket) {
    let _on_drop = OnDrop(probe);
    probe.proceed.notified().await;
    while let Some(message) = socket.receive().await {
        probe.sent.fetch_add(message.as_bytes().len() as u64, Ordering::SeqCst);
    }
}

#[step]
fn check_token(request: &Request) -> Result<(), Failure> {
    match request.header("authorization") {
        Some("Bearer no") => Err(Failure::unauthorized("token")),
        _ => Ok(()),
    }
}

#[step]
fn open_echo(Path(name): Path<String>) -> Response {
    Response::websocket(echo(name).protocols(&["v2", "v1"]).max_message(1 << 20))
}

#[step]
fn open_flood(Path(count): Path<u64>) -> Response {
    Response::websocket(flood(count))
}

#[step]
fn open_hold() -> Response {
    Response::websocket(hold())
}

pub(crate) fn app(probe: &Arc<Probe>) -> App {
    App::new()
        .flow(flow!("echo", GET "/echo/{name}", steps: [check_token, open_echo]))
        .flow(flow!("flood", GET "/flood/{count}", steps: [open_flood]))
        .flow(flow!("hold", GET "/hold", steps: [open_hold]))
        .effect::<echo>()
        .effect::<flood>()
        .effect::<hold>()
        .resource(Arc::clone(probe))
        .stuck_after(1.hours())
}

pub(crate) fn start_app() -> (Server, Arc<Collector>, Arc<Probe>) {
    let probe = Arc::new(Probe::default());
    let (server, collector) = start(app(&probe));
    (server, collector, probe)
}

pub(crate) fn connect(addr: SocketAddr, path: &str) -> Client<TcpStream> {
    let socket = TcpStream::connect(addr).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    client(format!("ws://{addr}{path}"), socket).unwrap().0
}

/// Receives what is left, up to the close of the service. Returns its code and its reason, or `None` if the connection is lost.
pub(crate) fn close_of<S: Read + Write>(client: &mut Client<S>) -> Option<(u16, String)> {
    let mut close = None;
    loop {
        match client.read() {
            Ok(Message::Close(frame)) => {
                close = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
            }
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return close,
            Err(_) => return close,
        }
    }
}

pub(crate) fn end_of(collector: &Collector, at: usize) -> (Outcome, u16, String, bool) {
    let capture = &collector.wait_for(at + 1)[at];
    (capture.outcome.clone(), capture.status, ended(capture).0, capture.is_undelivered)
}
