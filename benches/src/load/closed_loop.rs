//! The load: connections that are kept open, each asking again as soon as it has its answer.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::Connection;

const REQUEST: &[u8] =
    b"GET /v1/todos/7 HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ann-token\r\naccept: */*\r\n\r\n";

/// What the load amounted to.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
}

/// For so long.
pub(crate) fn run(addr: SocketAddr, connections: usize, time: Duration) -> io::Result<Done> {
    let end = Instant::now() + time;
    all(addr, connections, move |_| Instant::now() < end)
}

/// So often on each connection.
pub(crate) fn count(addr: SocketAddr, connections: usize, each: u64) -> io::Result<Done> {
    all(addr, connections, move |asked| asked < each)
}

/// As long as `goes_on`, told how often a connection has asked, says so.
fn all(
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
        // Anything but the todo is an error, so that no server wins by failing.
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
