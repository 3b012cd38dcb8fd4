//! Fast path of a replay, for one of many recordings.
//!
//! Today's code runs once, along the recording, and every event must be equal to the recorded one. The recording serves
//! as the other run: a nondeterministic step differs from it, at the latest in another of the many. If anything
//! differs, the full replay runs instead and reports the difference. The full replay first checks whether both its runs
//! are plainly equal, too.

use std::collections::BTreeMap;

use http::HeaderMap;
use zerver_engine::{FinishedJob, Job, Next, RequestedCall, Response, RetryVerdict};
use zerver_trace::{Answer, Event, FlowInfo, Outcome, PolicyDecision, Recorded, SharedValue, Trace, Value};

use crate::observed::retry_verdict;
use crate::replay::Replay;
use crate::replay_error::ReplayError;
use crate::report::{Coverage, Report};
use crate::run::context::Progress;
use crate::run::input::{ReplayInput, input};
use crate::run::run_result::RunResult;

impl Replay<'_> {
    /// Replays one of many recordings, like [`Replay::run`] but without the response. A run along the recording reports
    /// no progress.
    ///
    /// # Errors
    /// Fails if an edit does not fit the flow or the recording.
    pub fn check(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Report, ReplayError> {
        match self.is_same() {
            Some(coverage) => Ok(Report { coverage, ..Report::default() }),
            None => Ok(Report { response: None, ..self.run(progress)? }),
        }
    }

    fn is_same(&self) -> Option<Coverage> {
        let trace = &self.recording.trace;
        if !self.is_plain() {
            return None;
        }
        let input = input(self.recording, self.edits, self.route, &self.context.rule()).ok()?;
        if !input.unknown.is_empty() {
            return None;
        }
        self.does_the_same(input)?.then(|| {
            let count = |is: fn(&Event<Recorded>) -> bool| {
                trace.events.iter().filter(|event| is(event)).count() as u32
            };
            let decisions = count(|event| matches!(event, Event::StepRan { .. }));
            Coverage {
                decisions_reproduced: decisions,
                decisions_recorded: decisions,
                effects_replayed: count(|event| matches!(event, Event::EffectCompleted { .. })),
                ..Coverage::default()
            }
        })
    }

    /// Returns true if a run can be compared with the recording event by event.
    fn is_plain(&self) -> bool {
        let trace = &self.recording.trace;
        let has_ended =
            matches!(trace.outcome, Outcome::Done | Outcome::Failed(_) | Outcome::Panicked { .. });
        let is_whole = trace.is_complete() && trace.redaction.texts.is_empty();
        self.edits.is_empty() && is_whole && has_ended && is_alike(&trace.flow, self.flow.info())
    }

    /// Returns true if a run plainly equals the recording.
    pub(crate) fn is_plainly_same(&self, input: &ReplayInput, run: &RunResult) -> bool {
        let outcome = run.outcome.as_ref();
        self.is_plain()
            && input.unknown.is_empty()
            && outcome.is_some_and(|outcome| self.is_same_end(outcome, &run.events, run.response.as_ref()))
    }

    fn is_same_end(
        &self,
        outcome: &Outcome,
        events: &[Event<SharedValue>],
        response: Option<&Response>,
    ) -> bool {
        let trace = &self.recording.trace;
        *outcome == trace.outcome
            && self.are_same_events(events, trace)
            && self.is_same_response(trace, response)
    }

    /// Returns whether the run equals the recording, or `None` if it cannot follow the recording.
    fn does_the_same(&self, input: ReplayInput) -> Option<bool> {
        let trace = &self.recording.trace;
        let mut ran = trace.events.iter().filter_map(|event| match event {
            Event::StepRan { step, at_ns, cpu_ns, .. } => Some((*step, *at_ns, *cpu_ns)),
            _ => None,
        });
        let mut answered = trace.events.iter().filter_map(|event| match event {
            // The job itself cancels calls that another answer has made superfluous.
            Event::EffectCompleted { answer: Answer::Canceled, .. } => None,
            Event::EffectCompleted { call, at_ns, answer } => Some((*call, *at_ns, answer)),
            _ => None,
        });
        let decided: BTreeMap<u32, (PolicyDecision, u64)> = trace
            .events
            .iter()
            .filter_map(|event| match *event {
                Event::PolicyDecided { call, decision, wait_ns, .. } => Some((call, (decision, wait_ns))),
                _ => None,
            })
            .collect();
        let mut job = Job::new(self.flow.clone(), input.arrival, input.received_ns);
        let (mut next, mut now_ns) = (Next::Run, input.received_ns);
        let mut pending: BTreeMap<u32, RequestedCall> = BTreeMap::new();
        while next != Next::Ended {
            pending.extend(job.take_requested_calls().into_iter().map(|start| (start.number, start)));
            next = match next {
                Next::Run => {
                    let (_, at_ns, cpu_ns) = ran.next().filter(|(step, ..)| *step == job.position())?;
                    now_ns = at_ns.saturating_add(cpu_ns);
                    job.run(at_ns, || now_ns)
                }
                Next::Advance => job.advance(now_ns),
                Next::Undo => job.undo(now_ns),
                Next::Stream => job.start_stream(now_ns),
                _ => {
                    let (call, at_ns, answer) = answered.next()?;
                    let start = pending.remove(&call)?;
                    let performed = match answer {
                        Answer::Ok(output) => {
                            Ok(start.call.decode_output(self.recording.secrets.plain(output).ok()?).ok()?)
                        }
                        Answer::Err(error) => Err(error.clone()),
                        Answer::Canceled => return None,
                    };
                    now_ns = at_ns;
                    let decision = decided.get(&call);
                    let verdict =
                        decision.and_then(|(decision, ns)| retry_verdict(*decision, *ns, &start.call));
                    let verdict = verdict.unwrap_or(RetryVerdict::Own);
                    job.complete_with(call, at_ns, performed, &mut |_| verdict.clone())
                }
            };
        }
        let FinishedJob { outcome, response, events, .. } = job.finish();
        Some(self.is_same_end(&outcome, &events, response.as_ref()))
    }

    fn are_same_events(&self, now: &[Event<SharedValue>], trace: &Trace) -> bool {
        // The class, the thread, durations and waits are not decided by a step.
        let is_outside = |event: &Event<_>| {
            matches!(
                event,
                Event::Reclassified { .. }
                    | Event::Migrated { .. }
                    | Event::QuantumExceeded { .. }
                    | Event::EffectQueued { .. }
                    | Event::EffectStarted { .. }
                    | Event::PolicyDecided { .. }
                    | Event::CompletionDelayed { .. }
                    | Event::ReadDelayed { .. }
                    | Event::EffectPoint { .. }
                    | Event::FaultInjected { .. }
                    | Event::Logged { .. }
                    | Event::StepLogged { .. }
            )
        };
        let mut then = trace.events.iter().filter(|event| !is_outside(event));
        now.iter().all(|now| then.next().is_some_and(|then| self.is_same_event(now, then)))
            && then.next().is_none()
    }

    /// Compares two events. Their times are equal because the run used the recorded ones.
    fn is_same_event(&self, now: &Event<SharedValue>, then: &Event<Recorded>) -> bool {
        match (now, then) {
            (Event::BodyReceived { .. }, Event::BodyReceived { .. }) => true,
            (Event::StepRan { step: a, decision, .. }, Event::StepRan { step: b, decision: then, .. }) => {
                (a, decision) == (b, then)
            }
            (Event::StepYielded { step: a, progress }, Event::StepYielded { step: b, progress: then }) => {
                a == b && self.is_same_value(progress, then)
            }
            (
                Event::SlotWritten { step: a, slot, value, .. },
                Event::SlotWritten { step: b, slot: other, value: then, .. },
            ) => (a, slot) == (b, other) && self.is_same_value(value, then),
            (
                Event::EffectRequested { call: a, step, kind, args, timeout_ns, .. },
                Event::EffectRequested {
                    call: b, step: at, kind: other, args: then, timeout_ns: limit, ..
                },
            ) => (a, step, kind, timeout_ns) == (b, at, other, limit) && self.is_same_value(args, then),
            // The output comes from the recording.
            (Event::EffectCompleted { call: a, .. }, Event::EffectCompleted { call: b, .. }) => a == b,
            // The location may have moved, and the message is part of the outcome.
            (Event::StepPanicked { step: a, .. }, Event::StepPanicked { step: b, .. }) => a == b,
            (
                Event::UndoRegistered { undo: a, call, step, .. },
                Event::UndoRegistered { undo: b, call: of, step: at, .. },
            ) => (a, call, step) == (b, of, at),
            (Event::UndoStarted { undo: a, .. }, Event::UndoStarted { undo: b, .. }) => a == b,
            (Event::UndoEnded { undo: a, failure, .. }, Event::UndoEnded { undo: b, failure: then, .. }) => {
                a == b && failure.is_none() == then.is_none()
            }
            _ => false,
        }
    }

    fn is_same_value(&self, now: &SharedValue, then: &Recorded) -> bool {
        let Ok(then) = self.recording.secrets.plain(then) else { return false };
        Value::from_recordable(&**now).is_ok_and(|now| now == *then)
    }

    fn is_same_response(&self, trace: &Trace, now: Option<&Response>) -> bool {
        let Some(now) = now else { return trace.status == 0 };
        let body = &trace.response_body;
        let is_whole = || body.kept_len == body.full_len && body.full_len == now.body.len() as u64;
        let is_same_body = || body.full_len == 0 || self.is_bytes(&body.bytes, &now.body);
        now.status.as_u16() == trace.status
            // A streamed body is made by an effect.
            && (now.stream.is_some() || is_whole() && is_same_body())
            && self.are_same_headers(trace, &now.headers)
    }

    fn are_same_headers(&self, trace: &Trace, now: &HeaderMap) -> bool {
        trace.response_headers.len() == now.len()
            && std::iter::zip(&trace.response_headers, now).all(|(then, (name, value))| {
                then.name == name.as_str() && self.is_bytes(&then.value, value.as_bytes())
            })
    }

    fn is_bytes(&self, then: &Recorded, now: &[u8]) -> bool {
        let Ok(then) = self.recording.secrets.plain(then) else { return false };
        then.root().as_bytes().is_some_and(|then| *then == *now)
    }
}

/// Returns true if indexes mean the same in both flows.
fn is_alike(then: &FlowInfo, now: &FlowInfo) -> bool {
    then.steps.len() == now.steps.len()
        && then.slots.len() == now.slots.len()
        && std::iter::zip(&then.steps, &now.steps).all(|(a, b)| a.name == b.name)
        && std::iter::zip(&then.slots, &now.slots)
            .all(|(a, b)| (&a.name, &a.path, a.is_secret) == (&b.name, &b.path, b.is_secret))
}
