//! The effect of a step while it is in progress: the calls that it requests, and their results.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smallvec::SmallVec;
use zerver_trace::{Answer, Event, PolicyDecision};

use super::lifecycle::Next;
use super::recovery::{UndoPanicked, panic_text};
use super::state_machine::Job;
use crate::Failure;
use crate::effect::{
    AttemptEnd, CallResult, MachineContext, MachineNote, Progress, RequestedCall, RetryVerdict,
};

/// A call that has completed: its number, its result, and what decides about another attempt.
type CompletedCall<'a> = (u32, CallResult, &'a mut dyn FnMut(&AttemptEnd<'_>) -> RetryVerdict);

impl Job {
    /// Returns the calls to start, each once.
    pub fn take_requested_calls(&mut self) -> SmallVec<[RequestedCall; 2]> {
        mem::take(&mut self.requested)
    }

    /// Appends the calls to start to `calls`, each once.
    pub fn append_requested_calls(&mut self, calls: &mut SmallVec<[RequestedCall; 2]>) {
        match calls.is_empty() {
            true => mem::swap(calls, &mut self.requested),
            false => calls.append(&mut self.requested),
        }
    }

    /// Returns true if calls have become superfluous; see [`take_canceled_calls`](Self::take_canceled_calls).
    pub const fn has_canceled_calls(&self) -> bool {
        !self.canceled.is_empty()
    }

    /// Returns the calls that have become superfluous since the last time. The driver drops those that it has started.
    pub fn take_canceled_calls(&mut self) -> Vec<u32> {
        mem::take(&mut self.canceled)
    }

    /// Returns true if this call is in flight and its result still matters. Otherwise the job ignores the result.
    pub fn is_waiting_for(&self, number: u32) -> bool {
        self.effect.as_ref().is_some_and(|effect| effect.is_waiting_for(number))
    }

    /// Takes in the result of a call. It is ignored if the job no longer waits for the call.
    pub fn complete(&mut self, number: u32, at_ns: u64, result: CallResult) -> Next {
        self.complete_with(number, at_ns, result, &mut |_| RetryVerdict::Own)
    }

    /// Takes in the result of a call. `decide` decides about another attempt of the call, instead of the effect alone.
    pub fn complete_with(
        &mut self,
        number: u32,
        at_ns: u64,
        result: CallResult,
        decide: &mut dyn FnMut(&AttemptEnd<'_>) -> RetryVerdict,
    ) -> Next {
        if !self.is_waiting_for(number) {
            return self.next();
        }
        self.log.record(|| {
            let answer = match &result {
                Ok(output) => Answer::Ok(Arc::clone(output)),
                Err(error) => Answer::Err(error.clone()),
            };
            Event::EffectCompleted { call: number, at_ns, answer }
        });
        self.advance_effect(Some((number, result, decide)), at_ns)
    }

    /// Goes on with the effect in progress, after [`Next::Advance`].
    pub fn advance(&mut self, at_ns: u64) -> Next {
        self.advance_effect(None, at_ns)
    }

    /// Goes on with the effect in progress, with the result of one of its calls if there is one.
    pub(super) fn advance_effect(&mut self, result: Option<CompletedCall<'_>>, at_ns: u64) -> Next {
        let Some(effect) = &mut self.effect else { return self.next() };
        let first = self.requested.len();
        let mut context = MachineContext {
            next_call: &mut self.next_call,
            requested: &mut self.requested,
            random: self.builtins.random,
            now_ns: at_ns,
        };
        let progress = catch_unwind(AssertUnwindSafe(|| {
            if let Some((number, result, decide)) = result {
                effect.complete(number, &result, &mut context, decide);
            }
            effect.advance(&mut context)
        }));
        let registered = effect.take_registered();
        for RequestedCall { number, call, attempt, .. } in &self.requested[first..] {
            self.log.record(|| Event::EffectRequested {
                call: *number,
                step: self.step,
                at_ns,
                kind: call.kind().into(),
                args: Arc::clone(call.args_value()),
                attempt: *attempt,
                timeout_ns: call
                    .time_limit()
                    .map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)),
            });
        }
        for note in effect.take_notes() {
            let event = match note {
                MachineNote::Canceled(call) => {
                    self.canceled.push(call);
                    Event::EffectCompleted { call, at_ns, answer: Answer::Canceled }
                }
                MachineNote::Hedged(call, has_won) => {
                    let decision = if has_won { PolicyDecision::HedgeWon } else { PolicyDecision::HedgeLost };
                    Event::PolicyDecided { call, at_ns, decision, wait_ns: 0 }
                }
            };
            self.log.record(|| event);
        }
        let is_waiting = effect.is_waiting();
        // What an undo has done is not undone.
        if !registered.is_empty() && !self.is_undoing() {
            self.register(registered, at_ns);
        }
        let progress = match progress {
            Ok(Progress::Waiting) if !is_waiting => {
                Ok(Progress::Ended(Err(Failure::internal("effect").message("waits for no call"))))
            }
            progress => progress,
        };
        match progress {
            Ok(Progress::HasMore) => Next::Advance,
            Ok(Progress::Waiting) => Next::Wait,
            Ok(Progress::Ended(result)) if self.streaming.is_some() => self.stream_ended(result.map(|_| ())),
            Err(panic) if self.streaming.is_some() => {
                let failure = Failure::internal("stream").because(&UndoPanicked(panic_text(&*panic)));
                self.stream_ended(Err(failure))
            }
            Ok(Progress::Ended(result)) if self.is_undoing() => self.undo_ended(result.map(|_| ()), at_ns),
            Err(panic) if self.is_undoing() => {
                let failure = Failure::internal("undo").because(&UndoPanicked(panic_text(&*panic)));
                self.undo_ended(Err(failure), at_ns)
            }
            Ok(Progress::Ended(Ok(writes))) => {
                self.effect = None;
                self.ready_ns = at_ns;
                self.continue_with(writes, at_ns)
            }
            Ok(Progress::Ended(Err(failure))) => self.fail(failure, at_ns),
            Err(panic) => self.panicked(&*panic, at_ns),
        }
    }

    pub(super) const fn next_call_number(&self) -> u32 {
        self.next_call
    }

    pub(super) fn discard_requested_calls(&mut self) {
        self.requested.clear();
    }
}
