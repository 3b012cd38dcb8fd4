//! A closed loop: keep-alive connections that each send the next request as soon as they have the answer.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::connection::Connection;

const REQUEST: &[u8] =
    b"GET /v1/todos/7 HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ann-token\r\naccept: */*\r\n\r\n";

/// Totals of a run.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
}

/// Sends requests for `time`.
pub(crate) fn run(addr: SocketAddr, connections: usize, time: Duration) -> io::Result<Done> {
    let end = Instant::now() + time;
    run_while(addr, connections, move |_| Instant::now() < end)
}

/// Sends `each` requests on every connection.
pub(crate) fn count(addr: SocketAddr, connections: usize, each: u64) -> io::Result<Done> {
    run_while(addr, connections, move |sent| sent < each)
}

/// Sends requests while `goes_on` holds for the number of requests that a connection has sent.
fn run_while(
    addr: SocketAddr,
    connections: usize,
    goes_on: impl Fn(u64) -> bool + Copy + Send + 'static,
) -> io::Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let asking = (0..connections).map(|_| tokio::spawn(ask(addr, goes_on))).collect::<Vec<_>>();
        let mut requests = 0;
        for connection in asking {
            requests += connection.await.map_err(io::Error::other)??;
        }
        Ok(Done { requests, took: start.elapsed() })
    })
}

async fn ask(addr: SocketAddr, goes_on: impl Fn(u64) -> bool) -> io::Result<u64> {
    let mut connection = Connection::open(addr).await?;
    let mut requests = 0;
    while goes_on(requests) {
        let answer = connection.ask(REQUEST).await?;
        // Any other answer is an error, so that no server wins by failing.
        if answer.status != 200
            || answer.body != br#"{"id":7,"title":"Buy milk","completed":false,"order":7}"#
        {
            let text = String::from_utf8_lossy(answer.body);
            return Err(io::Error::other(format!("{}: {text}", answer.status)));
        }
        requests += 1;
    }
    Ok(requests)
}
