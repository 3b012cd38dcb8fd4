//! Runs today's code once: a fresh job gets the recorded inputs at the times of the clock. No real time passes.

mod call_end;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use zerver_engine::{Call, CallResult, Flow, Job, Next, RequestedCall, RetryVerdict, StopReason, UNDO_GRACE};
use zerver_trace::Value;

use crate::edits::faults::{FaultKind, past_deadline};
use crate::edits::live_kind::LiveKind;
use crate::edits::prepared_edits::PreparedEdits;
use crate::mask::Mask;
use crate::observed::{ObservedCall, retry_verdict};
use crate::replay_error::ReplayError;
use crate::report::AppliedEdit;
use crate::run::call_names::CallNames;
use crate::run::clock::{Due, ReplayClock};
use crate::run::context::{LivePerformer, Progress, TargetLimits, TimerPerformer};
use crate::run::found_call::{CallPlace, FoundCall};
use crate::run::input::ReplayInput;
use crate::run::recorded_answers::{FlowPosition, NoAnswer, RecordedAnswers};
use crate::run::run_result::{RunResult, Unanswered};

/// End of a call in flight.
struct Pending {
    number: u32,
    performed: CallResult,
    is_replayed: bool,
    /// Recorded decision about another attempt.
    verdict: RetryVerdict,
}

/// End of a call.
enum CallEnd {
    Answered(CallResult, Due),
    Performed(CallResult, Due),
    Never,
}

pub(crate) struct Runner<'r> {
    answers: RecordedAnswers<'r>,
    edits: &'r mut PreparedEdits,
    clock: ReplayClock<'r>,
    access: LiveAccess<'r>,
    applied: Vec<AppliedEdit>,
    /// Calls in flight, by when they end and in the order in which they were made. Calls that never end are left out.
    pending: BTreeMap<(Due, u32), Pending>,
    live: BTreeSet<u32>,
    reworded: BTreeMap<u32, u32>,
    replayed: u32,
    position: FlowPosition,
    /// Time by which everything must be undone, once the request has failed.
    undo_until_ns: Option<u64>,
    /// True if an undo without a recorded answer counts as successful.
    assumes_undos: bool,
    /// Labels of the calls that change something.
    performed: BTreeMap<u32, String>,
}

const ASSUMED_UNDONE: &str = "undos and conclusions without a recorded answer count as successful";

/// Services that a run with edits may use besides the recording. A run without edits has none.
#[derive(Default)]
pub(crate) struct LiveAccess<'r> {
    pub(crate) timers: Option<&'r dyn TimerPerformer>,
    /// Time limits of calls that have none of their own.
    pub(crate) targets: Option<&'r dyn TargetLimits>,
    pub(crate) live: Option<&'r dyn LivePerformer>,
    /// Kinds that may be performed for real.
    pub(crate) kinds: &'r [LiveKind],
    /// Secrets to mask in the labels of calls before they are performed.
    pub(crate) mask: Mask,
}

/// Reason why a run stops early.
enum Halt {
    Unanswered(String, NoAnswer),
    Invalid(ReplayError),
}

impl<'r> Runner<'r> {
    pub(crate) fn new(
        answers: RecordedAnswers<'r>,
        edits: &'r mut PreparedEdits,
        clock: ReplayClock<'r>,
        access: LiveAccess<'r>,
    ) -> Self {
        Self {
            answers,
            edits,
            clock,
            access,
            applied: Vec::new(),
            pending: BTreeMap::new(),
            live: BTreeSet::new(),
            reworded: BTreeMap::new(),
            replayed: 0,
            position: FlowPosition::default(),
            undo_until_ns: None,
            assumes_undos: false,
            performed: BTreeMap::new(),
        }
    }

    /// Runs the flow and reports its progress.
    pub(crate) fn run(
        mut self,
        flow: &Arc<Flow>,
        input: &ReplayInput,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<RunResult, ReplayError> {
        progress(Progress::RunStarted);
        let mut job = Job::new(Arc::clone(flow), input.arrival.clone(), input.received_ns);
        let (mut next, mut runs, mut unanswered) = (Next::Run, 0, None);
        loop {
            let starts = job.take_requested_calls();
            for canceled in job.take_canceled_calls() {
                self.pending.retain(|(_, number), _| *number != canceled);
            }
            let mut needed = starts.into_iter().filter(|start| job.is_waiting_for(start.number));
            let started = needed.try_for_each(|start| self.begin(&start, flow, &job, input));
            let halted = match started {
                Err(halt) => Some(halt),
                Ok(()) => match next {
                    Next::Ended => break,
                    Next::Run => match self.clock.stopped(runs) {
                        Some((at_ns, stop)) => {
                            next = job.stop(stop, at_ns);
                            None
                        }
                        None => {
                            self.step(flow, &mut job, progress, &mut next)?;
                            runs += 1;
                            None
                        }
                    },
                    Next::Advance => {
                        next = job.advance(self.clock.now_ns);
                        None
                    }
                    Next::Undo => {
                        next = self.undo(&mut job);
                        None
                    }
                    Next::Stream => {
                        next = job.start_stream(self.clock.now_ns);
                        None
                    }
                    // Neither the deadline nor anything else ends a stream before its recorded end.
                    Next::Wait if job.streamed_response().is_some() => {
                        next = match self.take_next() {
                            Some(Pending { number, performed, .. }) => {
                                job.complete(number, self.clock.now_ns, performed)
                            }
                            None => job.stop(StopReason::ClientLeft, self.clock.now_ns),
                        };
                        None
                    }
                    Next::Wait => {
                        let due = self.pending.first_key_value().map(|((due, _), _)| *due);
                        if let Some((at_ns, stop)) = self.stops_before(due, job.is_undoing()) {
                            self.clock.now_ns = at_ns;
                            self.pending.clear();
                            next = job.stop(stop, at_ns);
                            continue;
                        }
                        match self.take_next() {
                            Some(Pending { number, performed, verdict, .. }) => {
                                let now_ns = self.clock.now_ns;
                                next = job.complete_with(number, now_ns, performed, &mut |_| verdict.clone());
                                None
                            }
                            None => Some(Halt::Unanswered(
                                "an effect".into(),
                                NoAnswer::new("it was recorded without an answer"),
                            )),
                        }
                    }
                },
            };
            match halted {
                None => {}
                // The recording need not tell how undos and conclusions end that this code or an edit has caused. The
                // comparison reports them as additional effects.
                Some(Halt::Unanswered(..)) if job.is_undoing() => {
                    next = job.assume_undone(self.clock.now_ns);
                    self.assumes_undos = true;
                }
                // Everything else is decided, and the comparison reports the stream.
                Some(Halt::Unanswered(..)) if job.streamed_response().is_some() => {
                    next = job.assume_streamed();
                }
                Some(Halt::Invalid(error)) => return Err(error),
                Some(Halt::Unanswered(label, reason)) => {
                    unanswered = Some(Unanswered { run: runs.saturating_sub(1), label, reason });
                    break;
                }
            }
        }
        let ended = job.finish();
        let (outcome, response) = match &unanswered {
            None => (Some(ended.outcome), ended.response),
            Some(_) => (None, None),
        };
        let performed = std::mem::take(&mut self.performed);
        let assumed = self.assumes_undos.then(|| ASSUMED_UNDONE.to_owned());
        let Self { replayed, live, reworded, applied, clock, .. } = self;
        let ended_ns = clock.now_ns;
        let notes = clock.note().into_iter().chain(assumed).collect();
        let events = ended.events;
        Ok(RunResult {
            events,
            performed,
            outcome,
            response,
            replayed,
            live,
            reworded,
            unanswered,
            applied,
            ended_ns,
            notes,
        })
    }

    /// Starts the next undo. What was in flight when the request failed does not matter any more.
    fn undo(&mut self, job: &mut Job) -> Next {
        self.pending.clear();
        let now_ns = self.clock.now_ns;
        self.undo_until_ns.get_or_insert(now_ns.saturating_add(nanos(UNDO_GRACE)));
        job.undo(now_ns)
    }

    /// Returns what ends the request, or its undoing, before `due`.
    fn stops_before(&self, due: Option<Due>, is_undoing: bool) -> Option<(u64, StopReason)> {
        if !is_undoing {
            return self.clock.stops_before(due);
        }
        let until_ns = self.undo_until_ns.unwrap_or(self.clock.now_ns);
        let is_late = due.is_none_or(|due| self.clock.is_virtual() && due.at_ns > until_ns);
        let at_ns = if self.clock.is_virtual() { until_ns } else { self.clock.now_ns };
        is_late.then_some((at_ns, StopReason::DeadlinePassed))
    }

    fn step(
        &mut self,
        flow: &Arc<Flow>,
        job: &mut Job,
        progress: &mut dyn FnMut(Progress<'_>),
        next: &mut Next,
    ) -> Result<(), ReplayError> {
        let at = job.position();
        let name = flow.info().steps.get(usize::from(at)).map_or("", |step| step.name.as_str());
        progress(Progress::StepStarting(name));
        self.position.enter(at);
        self.edits.edit_slots(at, flow, job, &mut self.applied)?;
        let at_ns = self.clock.step(name);
        let end_ns = self.clock.now_ns;
        *next = job.run(at_ns, || end_ns);
        Ok(())
    }

    fn begin(
        &mut self,
        start: &RequestedCall,
        flow: &Flow,
        job: &Job,
        input: &ReplayInput,
    ) -> Result<(), Halt> {
        let call = &start.call;
        let Ok(args) = Value::from_recordable(&**call.args_value()) else {
            let label = CallNames::new(call, start.number, None).label().to_owned();
            return Err(Halt::Unanswered(label, NoAnswer::new("its arguments cannot be serialized")));
        };
        let index = self.position.next_call();
        let edits_before = self.applied.len();
        let until_ns =
            start.deadline_ns.filter(|until_ns| self.clock.is_virtual() && *until_ns <= self.clock.now_ns);
        if let Some(until_ns) = until_ns {
            self.past_deadline(start, None, until_ns);
            return Ok(());
        }
        let step = flow.info().steps.get(usize::from(self.position.step)).map_or("", |step| &step.name);
        let place = CallPlace { step, occurrence: self.position.occurrence(), index };
        let FoundCall { known, is_reworded } =
            self.answers.find(start, &args, place, self.edits.marked_inputs());
        if let Some(known) = known.filter(|_| is_reworded) {
            self.reworded.insert(start.number, known.number);
        }
        if known.is_some_and(|known| self.answers.was_performed(known)) {
            self.live.insert(start.number);
        }
        let names = &CallNames::new(call, start.number, known);
        if !call.is_safe() && !job.is_undoing() {
            self.performed.insert(start.number, names.label().to_owned());
        }
        let wrong = self.edits.fault(names, known.and_then(ObservedCall::took_ns), &mut self.applied);
        let limit = call.time_limit().or_else(|| self.access.targets?.time_limit(&call.target()?));
        let is_failing = !matches!(wrong, None | Some(FaultKind::Latency { .. }));
        known.filter(|_| is_failing).into_iter().for_each(|known| self.answers.put_back(known));
        let end = match &wrong {
            Some(FaultKind::Timeout) => limit.map_or(CallEnd::Never, |limit| self.timed_out(known, limit)),
            Some(FaultKind::Latency { ns }) if limit.is_some_and(|limit| *ns > nanos(limit)) => {
                limit.map_or(CallEnd::Never, |limit| self.timed_out(known, limit))
            }
            Some(FaultKind::Latency { ns }) => {
                let after = self.clock.after(known, *ns);
                match self.call_end(&CallContext { call, names, known, flow, job, input })? {
                    CallEnd::Answered(performed, _) => CallEnd::Answered(performed, after),
                    CallEnd::Performed(performed, _) => CallEnd::Performed(performed, after),
                    CallEnd::Never => CallEnd::Never,
                }
            }
            wrong => match wrong.as_ref().and_then(FaultKind::error) {
                Some(error) => CallEnd::Answered(Err(error), self.clock.due(known)),
                None => self.call_end(&CallContext { call, names, known, flow, job, input })?,
            },
        };
        let later = |due| self.clock.later(due, nanos(start.pause));
        let ends_ns = match &end {
            CallEnd::Answered(_, due) | CallEnd::Performed(_, due) => later(*due).at_ns,
            CallEnd::Never => u64::MAX,
        };
        let until_ns = start.deadline_ns.filter(|until_ns| self.clock.is_virtual() && ends_ns > *until_ns);
        if let Some(until_ns) = until_ns {
            self.past_deadline(start, known, until_ns);
            return Ok(());
        }
        // A decision belongs to its answer: without it, the effect decides by itself. An answer that is only late is the
        // recorded one.
        let is_late = |ns: u64| limit.is_none_or(|limit| ns <= nanos(limit));
        let late = usize::from(matches!(wrong, Some(FaultKind::Latency { ns }) if is_late(ns)));
        let is_recorded = self.applied.len() == edits_before + late;
        let decided = known.filter(|_| is_recorded).and_then(|known| known.retry_decision);
        let verdict = decided.and_then(|(decision, wait_ns)| retry_verdict(decision, wait_ns, call));
        match end {
            CallEnd::Answered(performed, due) => {
                self.schedule_end(start.number, performed, later(due), true, verdict);
            }
            CallEnd::Performed(performed, due) => {
                self.live.insert(start.number);
                self.schedule_end(start.number, performed, later(due), false, None);
            }
            CallEnd::Never => {}
        }
        Ok(())
    }

    /// Ends a call that has no answer when the deadline of its effect passes.
    fn past_deadline(&mut self, start: &RequestedCall, known: Option<&ObservedCall<'_>>, until_ns: u64) {
        let due = self.clock.after(known, until_ns.saturating_sub(self.clock.now_ns));
        self.schedule_end(start.number, Err(past_deadline()), due, true, None);
    }

    fn schedule_end(
        &mut self,
        number: u32,
        performed: CallResult,
        due: Due,
        is_replayed: bool,
        verdict: Option<RetryVerdict>,
    ) {
        let verdict = verdict.unwrap_or(RetryVerdict::Own);
        self.pending.insert((due, number), Pending { number, performed, is_replayed, verdict });
    }

    /// Takes the call that ends first.
    fn take_next(&mut self) -> Option<Pending> {
        let ((due, _), pending) = self.pending.pop_first()?;
        self.clock.now_ns = self.clock.now_ns.max(due.at_ns);
        self.replayed += u32::from(pending.is_replayed);
        Some(pending)
    }
}

/// A call made by today's code.
struct CallContext<'a> {
    call: &'a Call,
    names: &'a CallNames<'a>,
    known: Option<&'a ObservedCall<'a>>,
    flow: &'a Flow,
    job: &'a Job,
    input: &'a ReplayInput,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
