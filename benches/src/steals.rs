//! steals: how long a request that would have to wait on a busy worker takes to begin on an idle one: on one that sleeps,
//! beside what it takes to wake any such thread, and on one that has just run out of work, beside what it takes to hand
//! anything to a thread that is awake.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use zerver::Settings;
use zerver::prelude::*;
use zerver_trace::{Capture, CaptureSink, Event, MessageInfo};

use crate::client::{Connection, get};
use crate::work::{rounds_per_ms, work};
use crate::{Plan, open_loop, process, quantile, say, taking};

/// How long a worker is kept from its sockets each time.
const ROUND_US: u64 = 1_500;

static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Says when it began, and on which thread it runs.
#[step]
fn tell_where() -> Response {
    Response::text(format!("{} {}", ZERO.elapsed().as_nanos(), thread()))
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

/// Requests that did not run on the busy worker.
#[derive(Default)]
struct Stolen {
    /// Its thread, as soon as it is busy.
    busy: OnceLock<String>,
    ran: Mutex<Vec<Ran>>,
}

/// When a step could have begun, began and ended, in nanoseconds.
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

    /// How long each took to begin: from having to wait, where the idle worker slept; from the end of the step before it
    /// there, where it had to wait for that.
    fn took(&self) -> (Vec<f64>, Vec<f64>) {
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
    process::roam();
    // The first to ask measures it.
    rounds_per_ms();
    let stolen = Arc::new(Stolen::default());
    let running = App::new()
        // So that who is busy goes first, and all others wait.
        .flow(flow!("where", GET "/where", steps: [tell_where]).class(Class::Batch))
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
    let (slept, was_busy) = stolen.took();
    if slept.is_empty() || was_busy.is_empty() {
        return Err("nothing was stolen".to_owned());
    }
    let (calls, woken) = hand_over(slept.len(), false).ok_or("a thread could not be woken")?;
    let (_, handed) = hand_over(slept.len(), true).ok_or("nothing could be handed over")?;
    say(&format!(
        "two workers, one busy with steps of {ROUND_US} us; {} requests stolen",
        slept.len() + was_busy.len()
    ));
    say("| what | p50 us | p99 us | aim |");
    say("|---|---|---|---|");
    for (what, ns, aim) in [
        ("from having to wait to the step's beginning on a worker that slept", &slept, ""),
        ("waking any thread that sleeps in epoll", &woken, ""),
        ("the call which does that, on the thread that is busy", &calls, ""),
        ("from the end of a step to the next one's beginning on a worker that takes it", &was_busy, ""),
        ("of that, taking one which another core has offered", &taking::take(plan.many), "0.15"),
        ("handing a number to a task of a thread that is awake", &handed, ""),
    ] {
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(ns, part) / 1e3);
        say(&format!("| {what} | {p50:.2} | {p99:.2} | {aim} |"));
    }
    Ok(())
}

/// So many connections of one worker are needed: one keeps it busy, the others ask at once.
const FEW: usize = 5;

/// So many times they ask at once for each that is to be stolen, at most.
const PATIENCE: usize = 20;

/// Keeps a worker busy, and asks it for more at once until so many have been stolen.
async fn ask(addr: SocketAddr, stolen: &Stolen, many: usize) -> io::Result<()> {
    let (request, mut of) = (get("/where"), BTreeMap::<String, Vec<Connection>>::new());
    let (busy, [mut first, mut second, mut third, mut fourth, mut last]) = loop {
        let mut connection = Connection::open(addr).await?;
        let told = String::from_utf8_lossy(connection.ask(&request).await?.body).into_owned();
        let thread = told.split_once(' ').map_or("", |(_, thread)| thread);
        let own = of.entry(thread.to_owned()).or_default();
        own.push(connection);
        if let Ok(few) = <[Connection; FEW]>::try_from(std::mem::take(own)).map_err(|fewer| *own = fewer) {
            break (thread.to_owned(), few);
        }
    };
    last.send(&get("/busy")).await?;
    stolen.busy.get_or_init(|| busy);
    for _ in 0..many * PATIENCE {
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

/// How many nanoseconds it takes to hand something to the task of another thread, while this one is as busy as a worker:
/// the call, and until that thread has it. It sleeps in its reactor, or it goes round and round.
fn hand_over(times: usize, is_awake: bool) -> Option<(Vec<f64>, Vec<f64>)> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Instant>();
    let (told, took) = mpsc::channel();
    let is_over = Arc::new(AtomicBool::new(!is_awake));
    let ends = Arc::clone(&is_over);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| {
            runtime.spawn(async move {
                while !ends.load(Ordering::Relaxed) {
                    tokio::task::yield_now().await;
                }
            });
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
    let told = (0..times).map(one).collect();
    is_over.store(true, Ordering::Relaxed);
    told
}
