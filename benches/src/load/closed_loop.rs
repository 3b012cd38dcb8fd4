//! A closed loop: keep-alive connections that each send the next request as soon as they have the answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::Connection;

const REQUEST: &[u8] =
    b"GET /v1/todos/7 HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ann-token\r\naccept: */*\r\n\r\n";

/// A request, and the body of its answer. Any other answer is an error, so that no server wins by failing.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) request: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    fn todo() -> Self {
        let body = br#"{"id":7,"title":"Buy milk","completed":false,"order":7}"#;
        Self { request: REQUEST.to_vec(), body: body.to_vec() }
    }
}

/// Totals of a run.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
}

/// Sends requests for a todo for `time`.
pub(crate) fn run(addr: SocketAddr, connections: usize, time: Duration) -> io::Result<Done> {
    run_asking(addr, &Asked::todo(), connections, time)
}

/// Sends requests for `time`.
pub(crate) fn run_asking(
    addr: SocketAddr,
    asked: &Asked,
    connections: usize,
    time: Duration,
) -> io::Result<Done> {
    let end = Instant::now() + time;
    run_while(addr, asked, connections, move |_| Instant::now() < end)
}

/// Sends `each` requests for a todo on every connection.
pub(crate) fn count(addr: SocketAddr, connections: usize, each: u64) -> io::Result<Done> {
    run_while(addr, &Asked::todo(), connections, move |sent| sent < each)
}

/// Sends one request and returns the body of the answer.
pub(crate) fn once(addr: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(addr).await?;
        let answer = connection.ask(request).await?;
        match answer.status {
            200 => Ok(answer.body.to_vec()),
            status => Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(answer.body)))),
        }
    })
}

/// Sends requests while `goes_on` holds for the number of requests that a connection has sent.
fn run_while(
    addr: SocketAddr,
    asked: &Asked,
    connections: usize,
    goes_on: impl Fn(u64) -> bool + Copy + Send + 'static,
) -> io::Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = Arc::new(asked.clone());
    runtime.block_on(async {
        let start = Instant::now();
        let asking = (0..connections)
            .map(|_| tokio::spawn(ask(addr, Arc::clone(&asked), goes_on)))
            .collect::<Vec<_>>();
        let mut requests = 0;
        for connection in asking {
            requests += connection.await.map_err(io::Error::other)??;
        }
        Ok(Done { requests, took: start.elapsed() })
    })
}

async fn ask(addr: SocketAddr, asked: Arc<Asked>, goes_on: impl Fn(u64) -> bool) -> io::Result<u64> {
    let mut connection = Connection::open(addr).await?;
    let mut requests = 0;
    while goes_on(requests) {
        let answer = connection.ask(&asked.request).await?;
        if answer.status != 200 || answer.body != asked.body {
            let text = String::from_utf8_lossy(answer.body);
            return Err(io::Error::other(format!("{}: {text}", answer.status)));
        }
        requests += 1;
    }
    Ok(requests)
}
