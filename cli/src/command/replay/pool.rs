//! Hosts, one for each core, each with a few requests ahead so that none waits. A request that takes its host down costs
//! that host: another is started, the request is run once more alone to see at which step it ends, and the rest goes on.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zerver_replay::wire::Ask;
use zerver_replay::{Edits, Finding, FindingClass, Opened, Report, Seen, Source};
use zerver_trace::RequestId;

use super::host::{Host, Next, REPLAY};
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
    /// How often each flow did not end.
    endless: Mutex<BTreeMap<String, u32>>,
}

/// What all of them share.
struct Shared<'p> {
    exe: &'p PathBuf,
    endless: &'p Mutex<BTreeMap<String, u32>>,
    taken: Mutex<Receiver<Opened>>,
    tell: SyncSender<Replayed>,
    stop: &'p AtomicBool,
}

impl Pool {
    /// As many as there are cores; the first runs already.
    pub(super) fn new(exe: PathBuf, first: Host) -> Self {
        Self { exe, first, endless: Mutex::default() }
    }

    /// Runs what comes, until nothing comes any more or it is to stop.
    ///
    /// # Errors
    /// When a host cannot be started, or says what is no answer. What was run so far has been told.
    pub(super) fn run(
        self,
        taken: Receiver<Opened>,
        tell: SyncSender<Replayed>,
        stop: &AtomicBool,
    ) -> Result<(), Trouble> {
        let Self { exe, first, endless } = self;
        let shared = Shared { exe: &exe, endless: &endless, taken: Mutex::new(taken), tell, stop };
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
    asked: VecDeque<Ask>,
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
            match self.answer(None) {
                Heard::Report(report) => self.done(report),
                Heard::Trouble(trouble) => return Err(trouble),
                Heard::Gone(_) => self.recover()?,
                Heard::Stopped => return Ok(()),
            }
        }
        Ok(())
    }

    /// Asks ahead. Says whether there is anything to wait for.
    fn fill(&mut self) -> bool {
        while self.asked.len() < AHEAD && !self.shared.stop.load(Ordering::Relaxed) {
            let Some(opened) = self.take() else { break };
            if self.is_endless(&opened.trace.flow.name) {
                self.tell(&opened, not_run());
                continue;
            }
            let ask = Ask::Check(Box::new(opened));
            // Should it have ended, that is heard when it is waited for.
            let is_sent = self.host.ask(&ask).is_ok();
            self.asked.push_back(ask);
            if !is_sent {
                break;
            }
        }
        !self.asked.is_empty()
    }

    /// The next request; waits for one only where there is nothing else to do.
    fn take(&self) -> Option<Opened> {
        let taken = match self.asked.is_empty() {
            true => self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner),
            false => self.shared.taken.try_lock().ok()?,
        };
        if self.asked.is_empty() { taken.recv().ok() } else { taken.try_recv().ok() }
    }

    /// What the host says of what it is at; `at` is told the steps.
    fn answer(&mut self, mut at: Option<&mut String>) -> Heard {
        let until = Instant::now() + REPLAY;
        loop {
            match self.host.next(TICK) {
                Next::Report(report) => return Heard::Report(*report),
                Next::Before(step) => {
                    if let Some(at) = &mut at {
                        **at = step;
                    }
                }
                Next::Refused(refusal) => {
                    let causes: Vec<_> = std::iter::once(refusal.what).chain(refusal.causes).collect();
                    return Heard::Report(died(None, "", &causes.join(": ")));
                }
                Next::Died(how) => return Heard::Gone(how),
                Next::Nonsense(trouble) => return Heard::Trouble(trouble),
                Next::Nothing if self.shared.stop.load(Ordering::Relaxed) => return Heard::Stopped,
                Next::Nothing if Instant::now() < until => {}
                Next::Nothing => return Heard::Gone(format!("no answer within {} s", REPLAY.as_secs())),
            }
        }
    }

    /// A new host, which runs the request that the last one ended with, alone, and then the others.
    fn recover(&mut self) -> Result<(), Trouble> {
        self.host = Host::start(self.shared.exe)?;
        let Some(Ask::Check(opened)) = self.asked.pop_front() else { return Ok(()) };
        let ask = Ask::Replay(opened, Edits::default());
        let mut step = String::new();
        let answer = match self.host.ask(&ask) {
            Ok(()) => self.answer(Some(&mut step)),
            Err(error) => Heard::Gone(error.to_string()),
        };
        let Ask::Replay(opened, _) = ask else { return Ok(()) };
        match answer {
            Heard::Report(report) => self.tell(&opened, report),
            Heard::Trouble(trouble) => return Err(trouble),
            Heard::Stopped => return Ok(()),
            Heard::Gone(how) => {
                if how.starts_with("no answer") {
                    let mut endless = self.shared.endless.lock().unwrap_or_else(PoisonError::into_inner);
                    *endless.entry(opened.trace.flow.name.clone()).or_default() += 1;
                }
                self.tell(&opened, died(Some(&opened), &step, &how));
                self.host = Host::start(self.shared.exe)?;
            }
        }
        for ask in &self.asked {
            if self.host.ask(ask).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn is_endless(&self, flow: &str) -> bool {
        let endless = self.shared.endless.lock().unwrap_or_else(PoisonError::into_inner);
        endless.get(flow).is_some_and(|times| *times >= ENDLESS)
    }

    fn done(&mut self, report: Report) {
        if let Some(Ask::Check(opened)) = self.asked.pop_front() {
            self.tell(&opened, report);
        }
    }

    fn tell(&self, opened: &Opened, report: Report) {
        let (id, flow) = (opened.trace.id, opened.trace.flow.name.clone());
        // Nobody listens any more where it was stopped.
        let _ = self.shared.tell.send(Replayed { id, flow, report });
    }
}

/// What a host says in the end.
enum Heard {
    Report(Report),
    /// It ended, or goes on without end.
    Gone(String),
    Trouble(Trouble),
    /// It is no longer wanted.
    Stopped,
}

/// What is told of a request that took its host down.
fn died(opened: Option<&Opened>, step: &str, how: &str) -> Report {
    let steps = opened.map_or(&[][..], |opened| &opened.trace.flow.steps);
    let source = steps.iter().find(|info| info.name == step);
    let source = source.map(|info| Source { file: info.file.clone(), line: info.line });
    Report::from(Finding {
        class: FindingClass::Died,
        step: step.to_owned(),
        field: "process".to_owned(),
        expected: Seen::text("an answer"),
        got: Seen::text(how),
        source,
    })
}

fn not_run() -> Report {
    let reason = format!("it was not run: others of its flow did not end, {ENDLESS} of them");
    Report { impossible: vec![reason], ..Report::default() }
}
