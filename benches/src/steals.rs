//! steals: how long a request that would have to wait on a busy worker takes to begin on an idle one. The idle worker
//! sleeps; beside it stands what it takes to wake any such thread.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
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
fn keep_busy(rounds: Option<u64>) -> Decision<Ends, u64> {
    work(ROUND_US);
    Yield(rounds.unwrap_or(0) + 1)
}

fn thread() -> String {
    format!("{:?}", std::thread::current().id())
}

/// How many nanoseconds after they could have the steps of requests began that did not run on the busy worker.
#[derive(Default)]
struct Stolen {
    /// Its thread, as soon as it is busy.
    busy: OnceLock<String>,
    waits: Mutex<Vec<f64>>,
}

impl Stolen {
    fn waits(&self) -> MutexGuard<'_, Vec<f64>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Stolen {
    fn accept(&self, capture: Box<Capture>) {
        let response = capture.response.as_ref().map(|response| response.describe(64));
        let (Some(busy), Some(MessageInfo::Response(response))) = (self.busy.get(), response) else { return };
        if response.body.bytes != busy.as_bytes() {
            self.waits().extend(capture.events.iter().find_map(|event| match event {
                Event::Ran { ready_ns, at_ns, .. } => Some((at_ns - ready_ns) as f64),
                _ => None,
            }));
        }
    }
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::roam();
    // The first to ask measures it.
    rounds_per_ms();
    let stolen = Arc::new(Stolen::default());
    let running = App::new()
        .flow(flow!("where", GET "/where", steps: [tell_where]))
        .flow(flow!("busy", GET "/busy", steps: [keep_busy]))
        .deadline(Duration::from_secs(24 * 60 * 60))
        .workers(2)
        .batch_workers(0)
        .start(Settings {
            addr: Some("127.0.0.1:0".to_owned()),
            sink: Some(Arc::<Stolen>::clone(&stolen)),
            ..Settings::default()
        })
        .map_err(|error| error.to_string())?;
    let runtime = open_loop::runtime();
    let asked = runtime.and_then(|runtime| runtime.block_on(ask(running.addr(), &stolen, plan.many)));
    running.stop();
    asked.map_err(|error| error.to_string())?;
    let stolen = stolen.waits();
    if stolen.is_empty() {
        return Err("nothing was stolen".to_owned());
    }
    let (calls, woken) = wake(stolen.len()).ok_or("a thread could not be woken")?;
    say(&format!("two workers, one busy with steps of {ROUND_US} us; {} requests stolen", stolen.len()));
    say("| what | p50 us | p99 us | aim |");
    say("|---|---|---|---|");
    for (what, ns, aim) in [
        ("from having to wait to the step's beginning on a worker that slept", &*stolen, "0.15 while hot"),
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

/// So many times two at once are asked for each that is to be stolen, at most.
const PATIENCE: usize = 20;

/// Keeps a worker busy, and asks it for two more at once until so many have been stolen.
async fn ask(addr: SocketAddr, stolen: &Stolen, many: usize) -> io::Result<()> {
    let (request, mut of) = (get("/where"), BTreeMap::<String, Vec<Connection>>::new());
    let (busy, [mut first, mut second, mut third]) = loop {
        let mut connection = Connection::open(addr).await?;
        let thread = String::from_utf8_lossy(connection.ask(&request).await?.body).into_owned();
        let own = of.entry(thread.clone()).or_default();
        own.push(connection);
        if let Ok(three) = <[Connection; FEW]>::try_from(std::mem::take(own)).map_err(|fewer| *own = fewer) {
            break (thread, three);
        }
    };
    third.send(&get("/busy")).await?;
    stolen.busy.get_or_init(|| busy);
    for _ in 0..many * PATIENCE {
        tokio::try_join!(first.ask(&request), second.ask(&request))?;
        if stolen.waits().len() >= many {
            break;
        }
    }
    Ok(())
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
