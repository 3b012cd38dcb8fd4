//! Hosts, one for each core, each with a few requests ahead so that none waits. A request that takes its host down costs
//! that host: another is started, the request is run once more alone to see at which step it ends, and the rest goes on.
//! That the steps are told costs time; so they are told only then, and of flows in which it has happened before.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zerver_replay::wire::HostRequest;
use zerver_replay::{Edits, Finding, FindingClass, Recording, Report, ReportedValue, SourceLocation};
use zerver_trace::{RequestId, StepInfo};

use super::host::{Host, Next, Patience, REPLAY};
use crate::trouble::Trouble;

/// How many requests a host has been asked for at a time.
const AHEAD: usize = 8;
/// How often it is looked whether to stop.
const TICK: Duration = Duration::from_millis(100);
/// So often is waited for a flow that does not end; its other requests are not run.
const ENDLESS: u32 = 3;

/// A request that was run again.
pub(super) struct Replayed {
    pub(super) id: RequestId,
    pub(super) flow: String,
    pub(super) report: Report,
}

/// The hosts.
pub(super) struct Pool {
    exe: PathBuf,
    first: Host,
}

/// What all of them share.
struct Shared<'p> {
    exe: &'p PathBuf,
    /// The flows that took their host down, and how often each did not end.
    fatal: Mutex<BTreeMap<String, u32>>,
    taken: Mutex<Receiver<Recording>>,
    tell: SyncSender<Replayed>,
    stop: &'p AtomicBool,
}

impl Pool {
    /// As many as there are cores; the first runs already.
    pub(super) fn new(exe: PathBuf, first: Host) -> Self {
        Self { exe, first }
    }

    /// Runs what comes, until nothing comes any more or it is to stop.
    ///
    /// # Errors
    /// When a host cannot be started, or says what is no answer. What was run so far has been told.
    pub(super) fn run(
        self,
        taken: Receiver<Recording>,
        tell: SyncSender<Replayed>,
        stop: &AtomicBool,
    ) -> Result<(), Trouble> {
        let Self { exe, first } = self;
        let shared = Shared { exe: &exe, fatal: Mutex::default(), taken: Mutex::new(taken), tell, stop };
        let others = thread::available_parallelism().map_or(0, |cores| cores.get() - 1);
        thread::scope(|scope| {
            let others: Vec<_> = (0..others)
                .map(|_| scope.spawn(|| Lane::new(&shared, Host::start(shared.exe)?).run()))
                .collect();
            let mut ran = Lane::new(&shared, first).run();
            for other in others {
                let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                ran = ran.and(other);
            }
            ran
        })
    }
}

/// One host and what it has been asked for.
struct Lane<'p> {
    shared: &'p Shared<'p>,
    host: Host,
    /// The oldest is the one that the host is at.
    asked: VecDeque<HostRequest>,
}

impl<'p> Lane<'p> {
    fn new(shared: &'p Shared<'p>, host: Host) -> Self {
        Self { shared, host, asked: VecDeque::new() }
    }

    fn run(mut self) -> Result<(), Trouble> {
        let ran = self.work();
        if ran.is_err() {
            // The others need not go on for nothing.
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        ran
    }

    fn work(&mut self) -> Result<(), Trouble> {
        while self.fill() {
            match self.answer() {
                Heard::Report(report) => {
                    if let Some(ask) = self.asked.pop_front() {
                        self.tell(&ask, *report);
                    }
                }
                Heard::Trouble(trouble) => return Err(trouble),
                Heard::Gone(gone) => self.recover(gone)?,
                Heard::Stopped => return Ok(()),
            }
        }
        Ok(())
    }

    /// Asks ahead. Says whether there is anything to wait for.
    fn fill(&mut self) -> bool {
        while self.asked.len() < AHEAD && !self.shared.stop.load(Ordering::Relaxed) {
            let Some(opened) = self.take() else { break };
            let endless = self.fatal().get(&opened.trace.flow.name).copied();
            let ask = match endless {
                None => HostRequest::Check(Box::new(opened)),
                Some(0..ENDLESS) => HostRequest::Replay(Box::new(opened), Edits::default()),
                Some(_) => {
                    self.tell(&HostRequest::Check(Box::new(opened)), not_run());
                    continue;
                }
            };
            // Should the host have ended, that is heard when it is waited for.
            let is_sent = self.host.ask(&ask).is_ok();
            self.asked.push_back(ask);
            if !is_sent {
                break;
            }
        }
        !self.asked.is_empty()
    }

    /// The next request; waits for one only where there is nothing else to do.
    fn take(&self) -> Option<Recording> {
        let taken = match self.asked.is_empty() {
            true => self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner),
            false => self.shared.taken.try_lock().ok()?,
        };
        if self.asked.is_empty() { taken.recv().ok() } else { taken.try_recv().ok() }
    }

    /// What the host says of what it is at. Each run has its own time.
    fn answer(&mut self) -> Heard {
        let mut patience = Patience::begin(Instant::now());
        let mut step = String::new();
        loop {
            let next = self.host.next(TICK);
            patience.hear(&next, Instant::now());
            match next {
                Next::Report(report) => return Heard::Report(report),
                Next::Run => step.clear(),
                Next::Before(next) => step = next,
                // Nobody asked for that.
                Next::Live(..) => {}
                Next::Refused(refusal) => {
                    let causes: Vec<_> = std::iter::once(refusal.message).chain(refusal.causes).collect();
                    return Heard::Report(Box::new(died(&[], "", &causes.join(": "))));
                }
                Next::Died(how) => return Heard::Gone(Gone { step, how, is_endless: false }),
                Next::Nonsense(trouble) => return Heard::Trouble(trouble),
                Next::Nothing if self.shared.stop.load(Ordering::Relaxed) => return Heard::Stopped,
                Next::Nothing if !patience.left(Instant::now()).is_zero() => {}
                Next::Nothing => {
                    let how = format!("no answer within {} s", REPLAY.as_secs());
                    return Heard::Gone(Gone { step, how, is_endless: true });
                }
            }
        }
    }

    /// A new host; it goes on after the request that the last one ended with, once it is known at which step that was.
    fn recover(&mut self, mut gone: Gone) -> Result<(), Trouble> {
        self.host = Host::start(self.shared.exe)?;
        let Some(mut ask) = self.asked.pop_front() else { return Ok(()) };
        let mut report = None;
        if let HostRequest::Check(opened) = ask {
            ask = HostRequest::Replay(opened, Edits::default());
            let answer = match self.host.ask(&ask) {
                Ok(()) => self.answer(),
                Err(error) => return Err(Trouble::new("a host took no request").because(&error)),
            };
            match answer {
                Heard::Report(came) => report = Some(*came),
                Heard::Trouble(trouble) => return Err(trouble),
                Heard::Stopped => return Ok(()),
                Heard::Gone(again) => {
                    gone = again;
                    self.host = Host::start(self.shared.exe)?;
                }
            }
        }
        let report = report.unwrap_or_else(|| {
            let flow = &opened(&ask).trace.flow;
            *self.fatal().entry(flow.name.clone()).or_default() += u32::from(gone.is_endless);
            died(&flow.steps, &gone.step, &gone.how)
        });
        self.tell(&ask, report);
        let mut is_sent = true;
        for ask in std::mem::take(&mut self.asked) {
            let ask = match ask {
                HostRequest::Check(opened) if self.fatal().contains_key(&opened.trace.flow.name) => {
                    HostRequest::Replay(opened, Edits::default())
                }
                ask => ask,
            };
            is_sent = is_sent && self.host.ask(&ask).is_ok();
            self.asked.push_back(ask);
        }
        Ok(())
    }

    fn fatal(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.shared.fatal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, ask: &HostRequest, report: Report) {
        let trace = &opened(ask).trace;
        // Nobody listens any more where it was stopped.
        let _ = self.shared.tell.send(Replayed { id: trace.id, flow: trace.flow.name.clone(), report });
    }
}

const fn opened(ask: &HostRequest) -> &Recording {
    match ask {
        HostRequest::Replay(opened, _) | HostRequest::Check(opened) => opened,
    }
}

/// What a host says in the end.
enum Heard {
    Report(Box<Report>),
    Gone(Gone),
    Trouble(Trouble),
    /// It is no longer wanted.
    Stopped,
}

/// How a host ended.
struct Gone {
    /// The step that it was at; empty where steps are not told.
    step: String,
    how: String,
    /// Whether it was still at it.
    is_endless: bool,
}

/// What is told of a request that took its host down.
fn died(steps: &[StepInfo], step: &str, how: &str) -> Report {
    let source = steps.iter().find(|info| info.name == step);
    let source = source.map(|info| SourceLocation { file: info.file.clone(), line: info.line });
    Report::from(Finding {
        class: FindingClass::Died,
        step: step.to_owned(),
        field: "process".to_owned(),
        expected: ReportedValue::text("an answer"),
        got: ReportedValue::text(how),
        source,
    })
}

fn not_run() -> Report {
    let reason = "it was not run: too many of its flow did not come to an end".to_owned();
    Report { missing_inputs: vec![reason], ..Report::default() }
}
