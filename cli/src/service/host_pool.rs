//! Replay hosts, one per core, each with a few requests ahead so that none idles.
//!
//! A request that takes its host down costs that host: another is started, the request runs once more alone to learn at
//! which step it ends, and the rest goes on. Reporting each step costs time, so only such a run does it, and runs of flows
//! that have taken a host down before.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zerver_replay::wire::HostRequest;
use zerver_replay::{
    Edits, Finding, FindingClass, MissingInput, Recording, Report, ReportedValue, SourceLocation,
};
use zerver_trace::{RequestId, StepInfo};

use super::host::{HostEvent, RUN_TIMEOUT, ReplayHost, RunDeadline};
use crate::error::CommandError;

/// Maximum number of requests that a host has been sent and has not replied to.
const MAX_AHEAD: usize = 8;
/// Interval at which the stop flag is read.
const TICK: Duration = Duration::from_millis(100);
/// Maximum number of requests of one flow that run into the timeout. Further requests of the flow are not run.
const MAX_ENDLESS: u32 = 3;

/// A replayed request.
pub(crate) struct Replayed {
    pub(crate) id: RequestId,
    pub(crate) flow: String,
    pub(crate) report: Report,
}

/// A replay host for each core.
pub(crate) struct HostPool {
    exe: PathBuf,
    first: ReplayHost,
}

/// State that the hosts share.
struct PoolState<'p> {
    exe: &'p PathBuf,
    /// Flows that took a host down, each with the number of its requests that did not end.
    fatal_flows: Mutex<BTreeMap<String, u32>>,
    requests: Mutex<Receiver<Recording>>,
    replayed: SyncSender<Replayed>,
    stop: &'p AtomicBool,
}

impl HostPool {
    /// Returns a pool of which the first host runs already.
    pub(crate) fn new(exe: PathBuf, first: ReplayHost) -> Self {
        Self { exe, first }
    }

    /// Replays requests until there are no more or `stop` is set.
    ///
    /// # Errors
    /// If a host cannot be started, or sends a malformed reply. What was replayed before that has been sent.
    pub(crate) fn run(
        self,
        requests: Receiver<Recording>,
        replayed: SyncSender<Replayed>,
        stop: &AtomicBool,
    ) -> Result<(), CommandError> {
        let Self { exe, first } = self;
        let state = PoolState {
            exe: &exe,
            fatal_flows: Mutex::default(),
            requests: Mutex::new(requests),
            replayed,
            stop,
        };
        let others = thread::available_parallelism().map_or(0, |cores| cores.get() - 1);
        thread::scope(|scope| {
            let others: Vec<_> = (0..others)
                .map(|_| scope.spawn(|| PooledHost::new(&state, ReplayHost::start(state.exe)?).run()))
                .collect();
            let mut result = PooledHost::new(&state, first).run();
            for other in others {
                let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                result = result.and(other);
            }
            result
        })
    }
}

/// A host, and the requests that it has been sent.
struct PooledHost<'p> {
    state: &'p PoolState<'p>,
    host: ReplayHost,
    /// Oldest first: the host is running the first one.
    sent: VecDeque<HostRequest>,
}

impl<'p> PooledHost<'p> {
    fn new(state: &'p PoolState<'p>, host: ReplayHost) -> Self {
        Self { state, host, sent: VecDeque::new() }
    }

    fn run(mut self) -> Result<(), CommandError> {
        let result = self.replay_all();
        if result.is_err() {
            // The work of the other hosts would be lost.
            self.state.stop.store(true, Ordering::Relaxed);
        }
        result
    }

    fn replay_all(&mut self) -> Result<(), CommandError> {
        while self.send_ahead() {
            match self.wait_for_report() {
                HostResult::Report(report) => {
                    if let Some(request) = self.sent.pop_front() {
                        self.submit(&request, *report);
                    }
                }
                HostResult::Error(error) => return Err(error),
                HostResult::Died(death) => self.recover(death)?,
                HostResult::Stopped => return Ok(()),
            }
        }
        Ok(())
    }

    /// Sends requests ahead. Returns true if there is a reply to wait for.
    fn send_ahead(&mut self) -> bool {
        while self.sent.len() < MAX_AHEAD && !self.state.stop.load(Ordering::Relaxed) {
            let Some(opened) = self.take() else { break };
            let endless = self.fatal_flows().get(&opened.trace.flow.name).copied();
            let request = match endless {
                None => HostRequest::Check(Box::new(opened)),
                Some(0..MAX_ENDLESS) => HostRequest::Replay(Box::new(opened), Edits::default()),
                Some(_) => {
                    self.submit(&HostRequest::Check(Box::new(opened)), not_run());
                    continue;
                }
            };
            // If the host has ended, the wait for its reply will notice.
            let is_sent = self.host.send(&request).is_ok();
            self.sent.push_back(request);
            if !is_sent {
                break;
            }
        }
        !self.sent.is_empty()
    }

    /// Returns the next request. Waits for one only if the host has nothing to do.
    fn take(&self) -> Option<Recording> {
        let requests = match self.sent.is_empty() {
            true => self.state.requests.lock().unwrap_or_else(PoisonError::into_inner),
            false => self.state.requests.try_lock().ok()?,
        };
        if self.sent.is_empty() { requests.recv().ok() } else { requests.try_recv().ok() }
    }

    /// Waits for the report on the first request that was sent.
    fn wait_for_report(&mut self) -> HostResult {
        let mut deadline = RunDeadline::new(Instant::now());
        let mut step = String::new();
        loop {
            let event = self.host.next_event(TICK);
            deadline.update(&event, Instant::now());
            match event {
                HostEvent::Report(report) => return HostResult::Report(report),
                HostEvent::RunStarted => step.clear(),
                HostEvent::StepStarting(next) => step = next,
                // Nothing is performed for real here.
                // No host of a pool is asked for explanations or slices.
                HostEvent::LiveEffect(..)
                | HostEvent::Explained(_)
                | HostEvent::TrialStarting(_)
                | HostEvent::Sliced(_) => {}
                HostEvent::Refused(refusal) => {
                    let causes: Vec<_> = std::iter::once(refusal.message).chain(refusal.causes).collect();
                    return HostResult::Report(Box::new(died(&[], "", &causes.join(": "))));
                }
                HostEvent::Died(how) => return HostResult::Died(HostDeath { step, how, is_endless: false }),
                HostEvent::Malformed(error) => return HostResult::Error(error),
                HostEvent::TimedOut if self.state.stop.load(Ordering::Relaxed) => return HostResult::Stopped,
                HostEvent::TimedOut if !deadline.remaining(Instant::now()).is_zero() => {}
                HostEvent::TimedOut => {
                    let how = format!("no reply within {} s", RUN_TIMEOUT.as_secs());
                    return HostResult::Died(HostDeath { step, how, is_endless: true });
                }
            }
        }
    }

    /// Starts another host. Runs the request that the last host died of once more, to learn at which step, and sends the
    /// requests after it again.
    fn recover(&mut self, mut death: HostDeath) -> Result<(), CommandError> {
        self.host = ReplayHost::start(self.state.exe)?;
        let Some(mut request) = self.sent.pop_front() else { return Ok(()) };
        let mut report = None;
        if let HostRequest::Check(opened) = request {
            request = HostRequest::Replay(opened, Edits::default());
            self.host
                .send(&request)
                .map_err(|error| CommandError::new("a host accepted no request").caused_by(&error))?;
            match self.wait_for_report() {
                HostResult::Report(received) => report = Some(*received),
                HostResult::Error(error) => return Err(error),
                HostResult::Stopped => return Ok(()),
                HostResult::Died(again) => {
                    death = again;
                    self.host = ReplayHost::start(self.state.exe)?;
                }
            }
        }
        let report = report.unwrap_or_else(|| {
            let flow = &opened(&request).trace.flow;
            *self.fatal_flows().entry(flow.name.clone()).or_default() += u32::from(death.is_endless);
            died(&flow.steps, &death.step, &death.how)
        });
        self.submit(&request, report);
        let mut is_sent = true;
        for request in std::mem::take(&mut self.sent) {
            let request = match request {
                HostRequest::Check(opened) if self.fatal_flows().contains_key(&opened.trace.flow.name) => {
                    HostRequest::Replay(opened, Edits::default())
                }
                request => request,
            };
            is_sent = is_sent && self.host.send(&request).is_ok();
            self.sent.push_back(request);
        }
        Ok(())
    }

    fn fatal_flows(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.state.fatal_flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, request: &HostRequest, report: Report) {
        let trace = &opened(request).trace;
        // After a stop, nothing receives it.
        let _ = self.state.replayed.send(Replayed { id: trace.id, flow: trace.flow.name.clone(), report });
    }
}

const fn opened(request: &HostRequest) -> &Recording {
    match request {
        HostRequest::Replay(opened, _)
        | HostRequest::Check(opened)
        | HostRequest::Slice(opened, _)
        | HostRequest::Explain { recording: opened, .. } => opened,
    }
}

/// Result of the wait for a report.
enum HostResult {
    Report(Box<Report>),
    Died(HostDeath),
    Error(CommandError),
    Stopped,
}

/// End of a host.
struct HostDeath {
    /// Step that was running; empty if steps were not reported.
    step: String,
    how: String,
    /// True if the host ran into the timeout.
    is_endless: bool,
}

/// Returns the report on a request that took its host down.
fn died(steps: &[StepInfo], step: &str, how: &str) -> Report {
    let source = steps.iter().find(|info| info.name == step);
    let source = source.map(|info| SourceLocation { file: info.file.clone(), line: info.line });
    Report::from(Finding {
        class: FindingClass::Died,
        step: step.to_owned(),
        field: "process".to_owned(),
        expected: ReportedValue::text("a reply"),
        got: ReportedValue::text(how),
        source,
    })
}

fn not_run() -> Report {
    let reason = "not run: too many requests of its flow did not end".to_owned();
    Report { missing_inputs: vec![MissingInput::Other(reason)], ..Report::default() }
}
