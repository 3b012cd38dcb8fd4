//! steals: how long a request that would have to wait on a busy worker takes to begin on an idle one. The idle worker
//! sleeps; beside it stands what it takes to wake any such thread.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use zerver::Settings;
use zerver::prelude::*;
use zerver_trace::{Capture, Event, EventSink, MessageInfo};

use crate::client::{Connection, get};
use crate::work::{rounds_per_ms, work};
use crate::{Plan, open_loop, process, quantile, say};

/// How long a worker is kept from its sockets each time.
const ROUND_US: u64 = 1_500;

/// Says which thread it runs on.
#[step]
fn tell_where() -> Response {
    Response::text(thread())
}

/// Lets others go first again and again, and never ends.
#[step]
fn keep_busy(rounds: Option<u64>) -> Decision<(), u64> {
    work(ROUND_US);
    Yield(rounds.unwrap_or(0) + 1)
}

fn thread() -> String {
    format!("{:?}", std::thread::current().id())
}

/// Where the steps of requests ran, and how many nanoseconds after they could have.
#[derive(Default)]
struct Waits(Mutex<Vec<(String, u64)>>);

impl EventSink for Waits {
    fn accept(&self, capture: Box<Capture>) {
        let response = capture.response.as_ref().map(|response| response.describe(64));
        let Some(MessageInfo::Response(response)) = response else { return };
        let wait = capture.events.iter().find_map(|event| match event {
            Event::Ran { ready_ns, at_ns, .. } => Some(at_ns - ready_ns),
            _ => None,
        });
        let thread = String::from_utf8_lossy(&response.body.bytes).into_owned();
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waits.extend(wait.map(|wait| (thread, wait)));
    }
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::roam();
    // The first to ask measures it.
    rounds_per_ms();
    let waits = Arc::new(Waits::default());
    let running = App::new()
        .flow(flow!("where", GET "/where", steps: [tell_where]))
        .flow(flow!("busy", GET "/busy", steps: [keep_busy]))
        .deadline(Duration::from_secs(24 * 60 * 60))
        .workers(2)
        .batch_workers(0)
        .start(Settings {
            addr: Some("127.0.0.1:0".to_owned()),
            sink: Some(Arc::<Waits>::clone(&waits)),
            ..Settings::default()
        })
        .map_err(|error| error.to_string())?;
    let asked = open_loop::runtime().and_then(|runtime| runtime.block_on(ask(running.addr(), plan.many)));
    running.stop();
    let (busy, before) = asked.map_err(|error| error.to_string())?;
    let waits = waits.0.lock().unwrap_or_else(PoisonError::into_inner);
    // The first ones only asked which worker is which.
    let asked = waits.iter().skip(before);
    let stolen: Vec<_> = asked.filter(|(thread, _)| *thread != busy).map(|(_, ns)| *ns as f64).collect();
    if stolen.is_empty() {
        return Err("nothing was stolen".to_owned());
    }
    let (calls, woken) = wake(stolen.len()).ok_or("a thread could not be woken")?;
    say(&format!("two workers, one busy with steps of {ROUND_US} us; {} requests stolen", stolen.len()));
    say("| what | p50 us | p99 us | aim |");
    say("|---|---|---|---|");
    for (what, ns, aim) in [
        ("from having to wait to the step's beginning on a worker that slept", &stolen, "0.15 while hot"),
        ("waking any thread that sleeps in epoll", &woken, ""),
        ("the call which does that, on the thread that is busy", &calls, ""),
    ] {
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(ns, part) / 1e3);
        say(&format!("| {what} | {p50:.2} | {p99:.2} | {aim} |"));
    }
    Ok(())
}

/// So many connections of one worker are needed: one keeps it busy, two ask at once, so that one of them would wait.
const FEW: usize = 3;

/// Keeps a worker busy, and asks it so many times for two more. Which thread it is, and how many requests came before.
async fn ask(addr: SocketAddr, times: usize) -> io::Result<(String, usize)> {
    let (request, mut of, mut before) = (get("/where"), BTreeMap::<String, Vec<Connection>>::new(), 0);
    let (busy, [mut first, mut second, mut third]) = loop {
        let mut connection = Connection::open(addr).await?;
        let thread = String::from_utf8_lossy(connection.ask(&request).await?.body).into_owned();
        before += 1;
        let own = of.entry(thread.clone()).or_default();
        own.push(connection);
        if let Ok(three) = <[Connection; FEW]>::try_from(std::mem::take(own)).map_err(|fewer| *own = fewer) {
            break (thread, three);
        }
    };
    third.send(&get("/busy")).await?;
    for _ in 0..times {
        tokio::try_join!(first.ask(&request), second.ask(&request))?;
    }
    Ok((busy, before))
}

/// How many nanoseconds it takes to call a thread that sleeps in its reactor, while this one is as busy as a worker, and
/// from then until that one is awake.
fn wake(times: usize) -> Option<(Vec<f64>, Vec<f64>)> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Instant>();
    let (told, took) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| {
            runtime.block_on(async {
                while let Some(sent) = receiver.recv().await {
                    let _ = told.send(sent.elapsed());
                }
            })
        })
    });
    let one = |_| {
        work(ROUND_US);
        let begun = Instant::now();
        sender.send(begun).ok()?;
        let called = begun.elapsed();
        let woken = took.recv().ok()?;
        Some((called.as_nanos() as f64, woken.as_nanos() as f64))
    };
    (0..times).map(one).collect()
}
