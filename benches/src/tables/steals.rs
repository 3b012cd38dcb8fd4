//! steals: time until a request that would have to wait on a busy worker starts on an idle one. The idle worker sleeps, or has
//! just run out of work; waking a sleeping thread, and sending to a thread that is awake, are measured for comparison.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use zerver::StartOptions;
use zerver::prelude::*;
use zerver_trace::{Capture, CaptureSink, Event, MessageInfo};

use super::steal_queue;
use crate::load::connection::{Connection, get};
use crate::load::open_loop;
use crate::plan::Plan;
use crate::report::{print_line, quantile};
use crate::servers::cpu_work::{rounds_per_ms, work};
use crate::servers::process;

/// Duration of a step that keeps a worker from its sockets.
const STEP_US: u64 = 1_500;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Answers with its start time and its thread.
#[step]
fn locate() -> Response {
    Response::text(format!("{} {}", START.elapsed().as_nanos(), thread()))
}

/// Yields forever.
#[step]
fn keep_busy(rounds: Option<u64>) -> Decision<Final, u64> {
    work(STEP_US);
    Yield(rounds.unwrap_or(0) + 1)
}

fn thread() -> String {
    format!("{:?}", std::thread::current().id())
}

/// Requests that did not run on the busy worker.
#[derive(Default)]
struct Stolen {
    /// Thread of the busy worker, once it is busy.
    busy: OnceLock<String>,
    ran: Mutex<Vec<Ran>>,
}

/// Times at which a step was ready, started and ended, in nanoseconds.
#[derive(Clone, Copy)]
struct Ran {
    ready: f64,
    began: f64,
    ended: f64,
}

impl Stolen {
    fn ran(&self) -> MutexGuard<'_, Vec<Ran>> {
        self.ran.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the delays before the start of each step: from being ready, if the idle worker slept; from the end of the
    /// previous step there, if the worker was running one.
    fn delays(&self) -> (Vec<f64>, Vec<f64>) {
        let mut ran = self.ran().clone();
        ran.sort_by(|one, other| one.began.total_cmp(&other.began));
        let (mut slept, mut was_busy) = (Vec::new(), Vec::new());
        for pair in ran.windows(2) {
            let (before, Ran { ready, began, .. }) = (pair[0].ended, pair[1]);
            if ready < before {
                was_busy.push(began - before);
            } else {
                slept.push(began - ready);
            }
        }
        (slept, was_busy)
    }
}

impl CaptureSink for Stolen {
    fn accept(&self, capture: Box<Capture>) {
        let response = capture.response.as_ref().map(|response| response.describe(64));
        let (Some(busy), Some(MessageInfo::Response(response))) = (self.busy.get(), response) else { return };
        let text = String::from_utf8_lossy(&response.body.bytes);
        let Some((began, thread)) = text.split_once(' ') else { return };
        let Ok(began) = began.parse::<f64>() else { return };
        if thread != busy {
            self.ran().extend(capture.events.iter().find_map(|event| match *event {
                Event::StepRan { ready_ns, at_ns, cpu_ns, .. } => Some(Ran {
                    ready: began - (at_ns - ready_ns) as f64,
                    began,
                    ended: began + cpu_ns as f64,
                }),
                _ => None,
            }));
        }
    }
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::unpin();
    // The first call measures it.
    rounds_per_ms();
    let stolen = Arc::new(Stolen::default());
    let running = App::new()
        // The busy flow has a more urgent class, so that all others wait.
        .flow(flow!("where", GET "/where", steps: [locate]).class(Class::Batch))
        .flow(flow!("busy", GET "/busy", steps: [keep_busy]))
        .deadline(Duration::from_secs(24 * 60 * 60))
        .workers(2)
        .batch_workers(0)
        .start(StartOptions {
            addr: Some("127.0.0.1:0".to_owned()),
            sink: Some(Arc::<Stolen>::clone(&stolen)),
            ..StartOptions::default()
        })
        .map_err(|error| error.to_string())?;
    let runtime = open_loop::runtime();
    let sent = runtime.and_then(|runtime| runtime.block_on(send(running.addr(), &stolen, plan.count)));
    running.stop();
    sent.map_err(|error| error.to_string())?;
    let (slept, was_busy) = stolen.delays();
    if slept.is_empty() || was_busy.is_empty() {
        return Err("no request was stolen".to_owned());
    }
    let (calls, woken) = hand_over(slept.len(), false).ok_or("could not wake a thread")?;
    let (_, handed) = hand_over(slept.len(), true).ok_or("could not send to a thread")?;
    print_line(&format!(
        "two workers, one busy with steps of {STEP_US} us; {} requests stolen",
        slept.len() + was_busy.len()
    ));
    print_line("| what | p50 us | p99 us | aim |");
    print_line("|---|---|---|---|");
    for (what, ns, aim) in [
        ("from having to wait to the start of the step on a worker that slept", &slept, ""),
        ("waking any thread that sleeps in epoll", &woken, ""),
        ("the system call for it, on the busy thread", &calls, ""),
        ("from the end of a step to the start of a stolen one", &was_busy, ""),
        ("of that, taking a request that another core has offered", &steal_queue::take(plan.count), "0.15"),
        ("sending a number to a task on a thread that is awake", &handed, ""),
    ] {
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(ns, part) / 1e3);
        print_line(&format!("| {what} | {p50:.2} | {p99:.2} | {aim} |"));
    }
    Ok(())
}

/// Number of connections on one worker: one keeps it busy, the others send requests at the same time.
const CONNECTIONS: usize = 5;

/// Maximum number of rounds per request to be stolen.
const MAX_ROUNDS: usize = 20;

/// Keeps a worker busy, and sends more requests to it until `many` have been stolen.
async fn send(addr: SocketAddr, stolen: &Stolen, many: usize) -> io::Result<()> {
    let (request, mut of) = (get("/where"), BTreeMap::<String, Vec<Connection>>::new());
    let (busy, [mut first, mut second, mut third, mut fourth, mut last]) = loop {
        let mut connection = Connection::open(addr).await?;
        let answer = String::from_utf8_lossy(connection.ask(&request).await?.body).into_owned();
        let thread = answer.split_once(' ').map_or("", |(_, thread)| thread);
        let own = of.entry(thread.to_owned()).or_default();
        own.push(connection);
        if let Ok(few) =
            <[Connection; CONNECTIONS]>::try_from(std::mem::take(own)).map_err(|fewer| *own = fewer)
        {
            break (thread.to_owned(), few);
        }
    };
    last.send(&get("/busy")).await?;
    stolen.busy.get_or_init(|| busy);
    for _ in 0..many * MAX_ROUNDS {
        tokio::try_join!(
            first.ask(&request),
            second.ask(&request),
            third.ask(&request),
            fourth.ask(&request)
        )?;
        if stolen.ran().len() >= many {
            break;
        }
    }
    Ok(())
}

/// Measures sending to a task on another thread, while this thread is as busy as a worker. Returns, in nanoseconds, the
/// duration of the call and the time until the other thread has received. The other thread sleeps in its reactor, or spins
/// if `is_awake`.
fn hand_over(times: usize, is_awake: bool) -> Option<(Vec<f64>, Vec<f64>)> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Instant>();
    let (sender_back, received) = mpsc::channel();
    let is_done = Arc::new(AtomicBool::new(!is_awake));
    let stop = Arc::clone(&is_done);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| {
            runtime.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    tokio::task::yield_now().await;
                }
            });
            runtime.block_on(async {
                while let Some(sent) = receiver.recv().await {
                    let _ = sender_back.send(sent.elapsed());
                }
            })
        })
    });
    let one = |_| {
        work(STEP_US);
        let begun = Instant::now();
        sender.send(begun).ok()?;
        let called = begun.elapsed();
        let woken = received.recv().ok()?;
        Some((called.as_nanos() as f64, woken.as_nanos() as f64))
    };
    let delays = (0..times).map(one).collect();
    is_done.store(true, Ordering::Relaxed);
    delays
}
