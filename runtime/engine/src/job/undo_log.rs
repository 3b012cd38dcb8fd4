//! Undoing: once a request has failed, the job performs the undos of its effects, the latest first, before it ends.

use std::sync::Arc;

use zerver_trace::{Answer, Event, Outcome, SharedValue, TypedValue};

use super::lifecycle::Next;
use super::state_machine::Job;
use crate::effect::{EffectMachine, Undo};
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
}

/// How a request ends once its effects are undone.
pub(super) struct FailedEnd {
    pub(super) outcome: Outcome,
    pub(super) response: Option<Response>,
    /// The failure to report if an effect cannot be undone. `None` if the client has left.
    pub(super) failure: Option<Failure>,
}

impl Job {
    /// Takes over the undos that the effect in progress has registered.
    pub(super) fn register_undos(&mut self, undos: Vec<Undo>, at_ns: u64) {
        let step = self.position();
        for undo in undos {
            let log = self.undo_log.get_or_insert_default();
            let number = log.registered;
            log.registered += 1;
            let call = undo.of.map(|(call, _)| call);
            log.pending.push((number, undo));
            self.log.record(|| Event::UndoRegistered { undo: number, call, step, at_ns });
        }
    }

    /// Returns true once the request has failed and its effects are being undone.
    pub fn is_undoing(&self) -> bool {
        self.undo_log.as_ref().is_some_and(|log| log.end.is_some())
    }

    pub(super) fn has_undos(&self) -> bool {
        self.undo_log.as_ref().is_some_and(|log| !log.pending.is_empty())
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
        let Some((number, effect)) = undo else { return self.end_undoing() };
        self.log.record(|| Event::UndoStarted { undo: number, at_ns });
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
        if self.has_undos() { Next::Undo } else { self.end_undoing() }
    }

    /// Ends the job although not everything is undone, because [`UNDO_GRACE`](crate::UNDO_GRACE) is over.
    pub(super) fn stop_undoing(&mut self, at_ns: u64) -> Next {
        let in_flight: Vec<u32> = self.effect.iter().flat_map(|effect| effect.calls_in_flight()).collect();
        for call in in_flight {
            self.log.record(|| Event::EffectCompleted { call, at_ns, answer: Answer::Cancelled });
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

    /// Ends the job. If an effect is not undone, the response says so.
    fn end_undoing(&mut self) -> Next {
        let Some(log) = self.undo_log.take() else { return self.next() };
        let UndoLog { end, not_undone, .. } = *log;
        let Some(FailedEnd { mut outcome, mut response, failure }) = end else { return self.next() };
        if let Some(failure) = failure.filter(|_| !not_undone.is_empty()) {
            let add =
                |failure: Failure, (kind, reason): &(&str, Failure)| failure.with_not_undone(kind, reason);
            let failure = not_undone.iter().fold(failure, add);
            response = Some(self.render(&failure));
            if matches!(outcome, Outcome::Failed(_) | Outcome::Done) {
                outcome = Outcome::Failed(failure.info(Some(self.position())));
            }
        }
        self.finish_with(outcome, response)
    }
}
