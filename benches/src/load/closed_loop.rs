//! A closed loop: keep-alive connections that each send the next request as soon as they have the answer, or at their pace.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::traffic::Requests;

/// Totals of a run.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
}

/// Sends requests for `time`.
pub(crate) fn run(
    addr: SocketAddr,
    requests: &Requests,
    connections: usize,
    time: Duration,
) -> io::Result<Done> {
    let end = Instant::now() + time;
    run_while(addr, requests, connections, move |_| Instant::now() < end)
}

/// Sends `each` requests on every connection.
pub(crate) fn count(
    addr: SocketAddr,
    requests: &Requests,
    connections: usize,
    each: u64,
) -> io::Result<Done> {
    run_while(addr, requests, connections, move |sent| sent < each)
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
    requests: &Requests,
    connections: usize,
    goes_on: impl Fn(u64) -> bool + Copy + Send + 'static,
) -> io::Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let asking = (0..connections)
            .map(|client| {
                let interval = requests.interval(connections);
                // The clients do not start together.
                let due = interval.map(|interval| start + interval * client as u32 / connections as u32);
                tokio::spawn(ask(addr, requests.of_client(client), due.zip(interval), goes_on))
            })
            .collect::<Vec<_>>();
        let mut requests = 0;
        for connection in asking {
            requests += connection.await.map_err(io::Error::other)??;
        }
        Ok(Done { requests, took: start.elapsed() })
    })
}

/// `pace` is the time of the first request and the time between two of them.
async fn ask(
    addr: SocketAddr,
    mut asked: Requests,
    mut pace: Option<(Instant, Duration)>,
    goes_on: impl Fn(u64) -> bool,
) -> io::Result<u64> {
    let mut connection = Connection::open(addr).await?;
    let mut requests = 0;
    while goes_on(requests) {
        asked.advance();
        if let Some((due, interval)) = &mut pace {
            tokio::time::sleep_until((*due).into()).await;
            *due += *interval;
        }
        let answer = connection.ask(asked.request()).await?;
        if answer.status != 200 || answer.body != asked.body() {
            let text = String::from_utf8_lossy(answer.body);
            return Err(io::Error::other(format!("{}: {text}", answer.status)));
        }
        requests += 1;
    }
    Ok(requests)
}
