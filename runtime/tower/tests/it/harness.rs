//! A served application, and the traces that it leaves behind.

use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zerver_recorder::Reader;
use zerver_tower::{Keep, Record, Recording};
use zerver_trace::{Query, Recorded, Trace};

/// An application that records everything into a folder of its own.
pub(crate) struct Served {
    pub(crate) addr: SocketAddr,
    dir: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Served {
    /// Serves the application behind the layer.
    pub(crate) async fn start(app: Router) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let record = record(dir.path());
        Self::start_layered(app.layer(record), dir).await
    }

    /// Serves an application that records into this folder already.
    pub(crate) async fn start_layered(app: Router, dir: tempfile::TempDir) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            axum::serve(listener, app).with_graceful_shutdown(stopped).await.unwrap();
        });
        Self { addr, dir, stop, serving }
    }

    /// Sends one request on a connection of its own, and returns all that comes back.
    pub(crate) async fn send(&self, request: &str) -> String {
        let mut socket = TcpStream::connect(self.addr).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        socket.read_to_end(&mut response).await.unwrap();
        String::from_utf8_lossy(&response).into_owned()
    }

    /// Sends a GET, with further header lines.
    pub(crate) async fn get(&self, target: &str, headers: &str) -> String {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n")).await
    }

    /// Ends the server as a program does that ends normally.
    pub(crate) async fn end(self) -> tempfile::TempDir {
        drop(self.stop);
        self.serving.await.unwrap();
        self.dir
    }

    /// Ends the server, and returns the traces, oldest first.
    pub(crate) async fn stop(self) -> Vec<Trace> {
        traces(self.end().await.path())
    }

    /// Returns the only trace.
    pub(crate) async fn only_trace(self) -> Trace {
        let mut traces = self.stop().await;
        assert_eq!(traces.len(), 1, "{traces:?}");
        traces.remove(0)
    }
}

/// Returns a layer that records everything.
pub(crate) fn record(dir: &Path) -> Record {
    let recording = Recording { store: Some(dir.to_owned()), keep: Keep::All, ..Recording::default() };
    zerver_tower::try_record_with(recording).unwrap()
}

/// Returns the traces of a store, oldest first.
pub(crate) fn traces(dir: &Path) -> Vec<Trace> {
    let reader = Reader::open(dir).unwrap();
    let newest_first = reader.list(&Query::default()).unwrap();
    newest_first.iter().rev().map(|summary| reader.load(summary.id).unwrap().unwrap()).collect()
}

/// Returns the text of a recorded value, with secrets masked.
pub(crate) fn text(recorded: &Recorded) -> String {
    let Some(value) = recorded.value() else { return "-".to_owned() };
    match (value.root().as_str(), value.root().as_bytes()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        (None, None) => value.to_string(),
    }
}

/// Returns the value of a recorded request header.
pub(crate) fn header(trace: &Trace, name: &str) -> String {
    let found = trace.request_headers.iter().find(|header| header.name == name);
    found.map_or_else(String::new, |header| text(&header.value))
}
