//! Undoing: once a request has failed, the job performs the undos of its effects, the latest first, before it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use zerver_trace::{Answer, Event, Outcome, SharedValue, TypedValue};

use super::lifecycle::Next;
use super::state_machine::Job;
use crate::effect::{Conclusion, EffectMachine, Registered, RequestEnd, Undo};
use crate::{Failure, FailureKind, Response};

/// The undos of a job. A job without any has none.
#[derive(Default)]
pub(super) struct UndoLog {
    /// Undos with their numbers, the latest last.
    pending: Vec<(u32, Undo)>,
    registered: u32,
    /// End of the request once it has failed.
    pub(super) end: Option<FailedEnd>,
    /// Number of the undo in progress, and the kind of the effect that it undoes.
    current: Option<(u32, &'static str)>,
    not_undone: Vec<(&'static str, Failure)>,
    /// True if the response says that an effect is not undone.
    is_not_undone: bool,
    conclusion: Option<Conclusion>,
}

impl UndoLog {
    /// Forgets the undos, because the request has succeeded.
    pub(super) fn discard_undos(&mut self) {
        self.pending.clear();
    }
}

/// End of a request, once its effects are undone.
pub(super) struct FailedEnd {
    pub(super) outcome: Outcome,
    pub(super) response: Option<Response>,
    /// The failure to report if an effect cannot be undone. `None` if the client has left.
    pub(super) failure: Option<Failure>,
}

impl Job {
    /// Takes over what the effect in progress has registered.
    pub(super) fn register(&mut self, registered: Registered, at_ns: u64) {
        let Registered { undos, conclusion } = registered;
        let step = self.position();
        let log = self.undo_log.get_or_insert_default();
        log.conclusion = conclusion.or(log.conclusion.take());
        for undo in undos {
            let number = log.registered;
            log.registered += 1;
            let call = undo.of.map(|(call, _)| call);
            log.pending.push((number, undo));
            self.log.record(|| Event::UndoRegistered { undo: number, call, step, at_ns });
        }
    }

    /// Returns true once the steps have ended the request, while effects are undone or the conclusion is performed.
    pub fn is_undoing(&self) -> bool {
        self.undo_log.as_ref().is_some_and(|log| log.end.is_some())
    }

    fn has_more_to_do(&self) -> bool {
        self.undo_log.as_ref().is_some_and(|log| !log.pending.is_empty() || log.conclusion.is_some())
    }

    /// Starts the next undo, after [`Next::Undo`].
    pub fn undo(&mut self, at_ns: u64) -> Next {
        if !self.is_undoing() || self.effect.is_some() {
            return self.next();
        }
        let undo = self.undo_log.as_mut().and_then(|log| {
            let (number, Undo { of, effect }) = log.pending.pop()?;
            log.current = Some((number, of.map_or("effect", |(_, kind)| kind)));
            Some((number, effect))
        });
        let Some((number, effect)) = undo else { return self.conclude(at_ns) };
        self.log.record(|| Event::UndoStarted { undo: number, at_ns });
        self.effect = Some(Box::new(EffectMachine::from_effect(effect, self.next_call_number())));
        self.advance(at_ns)
    }

    /// Starts the conclusion once everything is undone, or ends the job.
    fn conclude(&mut self, at_ns: u64) -> Next {
        self.report_not_undone();
        let Some(log) = &mut self.undo_log else { return self.next() };
        let (Some(conclusion), Some(end)) = (log.conclusion.take(), &log.end) else {
            return self.end_undoing();
        };
        let end = RequestEnd { response: end.response.as_ref(), is_not_undone: log.is_not_undone };
        let Ok(effect) = catch_unwind(AssertUnwindSafe(|| conclusion(end))) else {
            return self.end_undoing();
        };
        self.effect = Some(Box::new(EffectMachine::from_effect(effect, self.next_call_number())));
        self.advance(at_ns)
    }

    /// Ends the undo in progress as if it had succeeded. A replay does so if nothing is known about its effects.
    pub fn assume_undone(&mut self, at_ns: u64) -> Next {
        if self.is_undoing() && self.effect.is_some() { self.undo_ended(Ok(()), at_ns) } else { self.next() }
    }

    /// Takes in how the undo in progress ended.
    pub(super) fn undo_ended(&mut self, result: Result<(), Failure>, at_ns: u64) -> Next {
        self.effect = None;
        self.discard_requested_calls();
        let Some(log) = &mut self.undo_log else { return self.next() };
        if let Some((undo, kind)) = log.current.take() {
            let failure = result.err();
            let value = failure.clone().map(|failure| Arc::new(TypedValue(failure)) as SharedValue);
            log.not_undone.extend(failure.map(|failure| (kind, failure)));
            self.log.record(|| Event::UndoEnded { undo, at_ns, failure: value });
        }
        if self.has_more_to_do() { Next::Undo } else { self.end_undoing() }
    }

    /// Ends the job although not everything is undone, because [`UNDO_GRACE`](crate::UNDO_GRACE) is over.
    pub(super) fn stop_undoing(&mut self, at_ns: u64) -> Next {
        let in_flight: Vec<u32> = self.effect.iter().flat_map(|effect| effect.calls_in_flight()).collect();
        for call in in_flight {
            self.log.record(|| Event::EffectCompleted { call, at_ns, answer: Answer::Canceled });
        }
        let late = || Failure::new(FailureKind::Timeout, "undo");
        if self.undo_log.as_ref().is_some_and(|log| log.current.is_some()) {
            self.undo_ended(Err(late()), at_ns);
        }
        while let Some((undo, Undo { of, .. })) = self.undo_log.as_mut().and_then(|log| log.pending.pop()) {
            let value: SharedValue = Arc::new(TypedValue(late()));
            self.log.record(|| Event::UndoEnded { undo, at_ns, failure: Some(value) });
            let kind = of.map_or("effect", |(_, kind)| kind);
            self.undo_log.iter_mut().for_each(|log| log.not_undone.push((kind, late())));
        }
        self.end_undoing()
    }

    /// Lets the response say which effects are not undone.
    fn report_not_undone(&mut self) {
        let Some(log) = &mut self.undo_log else { return };
        let not_undone = std::mem::take(&mut log.not_undone);
        let Some(failure) = log.end.as_mut().filter(|_| !not_undone.is_empty()).map(|end| end.failure.take())
        else {
            return;
        };
        log.is_not_undone = true;
        let Some(failure) = failure else { return };
        let add = |failure: Failure, (kind, reason): &(&str, Failure)| failure.with_not_undone(kind, reason);
        let failure = not_undone.iter().fold(failure, add);
        let (response, step) = (self.render(&failure), self.position());
        let Some(end) = self.undo_log.as_mut().and_then(|log| log.end.as_mut()) else { return };
        end.response = Some(response);
        if matches!(end.outcome, Outcome::Failed(_) | Outcome::Done) {
            end.outcome = Outcome::Failed(failure.info(Some(step)));
        }
    }

    /// Ends the job.
    fn end_undoing(&mut self) -> Next {
        self.report_not_undone();
        let Some(end) = self.undo_log.take().and_then(|log| log.end) else { return self.next() };
        self.finish_with(end.outcome, end.response)
    }
}
