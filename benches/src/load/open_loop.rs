//! An open loop: requests are sent when they are due, whether or not earlier ones have been answered. The latency of a
//! request counts from the time it was due. A server that stalls does not receive fewer requests (no coordinated omission).

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use super::connection::{Connection, get};

/// Time to wait for the last answers.
const LAST: Duration = Duration::from_secs(2);

/// Outcome of the requests.
#[derive(Default)]
pub(crate) struct Answers {
    /// Latencies of served requests, from the time they were due; sorted.
    pub(crate) served: Vec<Duration>,
    /// Number of requests served while others were still being sent.
    pub(crate) in_time: u64,
    /// Number of requests shed with 429 or 503.
    pub(crate) shed: u64,
    /// Number of requests sent.
    pub(crate) sent: u64,
}

impl Answers {
    /// Returns a quantile of the latencies in milliseconds: 990 thousandths are the 99th percentile.
    pub(crate) fn ms(&self, thousandths: usize) -> f64 {
        let at = (self.served.len() * thousandths / 1000).min(self.served.len().saturating_sub(1));
        self.served.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    }
}

/// Returns a runtime that polls its sockets after every task.
pub(crate) fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().event_interval(1).build_local(LocalOptions::default())
}

/// Requests a path `per_second` times per second, at random times, until `end`.
pub(crate) async fn ask(addr: SocketAddr, path: &str, per_second: f64, end: Instant) -> io::Result<Answers> {
    let state = Rc::new(State { end, idle: RefCell::default(), answers: RefCell::default() });
    let request: Rc<[u8]> = get(path).into();
    let (mut due, mut random, mut asking) = (Instant::now(), 0x2545_f491_4f6c_dd1d_u64, Vec::new());
    loop {
        // Exponential gaps, as between independent clients.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let uniform = ((random >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        due += Duration::from_secs_f64(-uniform.ln() / per_second);
        if due >= end {
            break;
        }
        // Spins, because a timer can be late by a millisecond.
        while Instant::now() < due {
            tokio::task::yield_now().await;
        }
        let (state, request) = (Rc::clone(&state), Rc::clone(&request));
        asking.push(tokio::task::spawn_local(async move { state.ask(addr, &request, due).await }));
    }
    state.answers.borrow_mut().sent = asking.len() as u64;
    let all = async {
        for asked in asking {
            asked.await.map_err(io::Error::other)??;
        }
        Ok::<_, io::Error>(())
    };
    if let Ok(ended) = tokio::time::timeout(LAST, all).await {
        ended?;
    }
    let mut answers = std::mem::take(&mut *state.answers.borrow_mut());
    answers.served.sort_unstable();
    Ok(answers)
}

struct State {
    end: Instant,
    idle: RefCell<Vec<Connection>>,
    answers: RefCell<Answers>,
}

impl State {
    async fn ask(&self, addr: SocketAddr, request: &[u8], due: Instant) -> io::Result<()> {
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open(addr).await?,
        };
        let status = connection.ask(request).await?.status;
        let now = Instant::now();
        let mut answers = self.answers.borrow_mut();
        match status {
            200 => {
                answers.served.push(now - due);
                answers.in_time += u64::from(now < self.end);
            }
            429 | 503 => answers.shed += 1,
            other => return Err(io::Error::other(format!("unexpected status {other}"))),
        }
        self.idle.borrow_mut().push(connection);
        Ok(())
    }
}

/// Requests a path back to back on each connection until `end`. Returns the number of answers with status 200.
pub(crate) async fn closed(
    addr: SocketAddr,
    path: &str,
    connections: usize,
    end: Instant,
) -> io::Result<u64> {
    let request: Rc<[u8]> = get(path).into();
    let asking = (0..connections).map(|_| {
        let request = Rc::clone(&request);
        tokio::task::spawn_local(async move {
            let mut connection = Connection::open(addr).await?;
            let mut answered = 0;
            while Instant::now() < end {
                answered += u64::from(connection.ask(&request).await?.status == 200 && Instant::now() < end);
            }
            Ok::<_, io::Error>(answered)
        })
    });
    let asking: Vec<_> = asking.collect();
    let mut all = 0;
    for asked in asking {
        all += asked.await.map_err(io::Error::other)??;
    }
    Ok(all)
}
