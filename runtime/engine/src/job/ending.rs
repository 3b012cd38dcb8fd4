//! The end of a job: with a response, by its driver, or after it has undone its effects.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zerver_trace::{Answer, Event, Outcome};

use super::lifecycle::{FinishedJob, Next, StopReason};
use super::state_machine::Job;
use super::streaming::Streaming;
use super::undo_log::FailedEnd;
use crate::{Failure, Response};

impl Job {
    /// Ends the job, or makes it undo its effects. While it does, this ends the job at once. Calls in flight are
    /// canceled: the driver must drop them.
    pub fn stop(&mut self, reason: StopReason, at_ns: u64) -> Next {
        if self.end.is_some() {
            return Next::Ended;
        }
        if self.is_undoing() {
            return self.stop_undoing(at_ns);
        }
        for call in self.effect.iter().flat_map(|effect| effect.calls_in_flight()) {
            self.log.record(|| Event::EffectCompleted { call, at_ns, answer: Answer::Canceled });
        }
        if self.streaming.is_some() {
            return self.stop_stream();
        }
        let step = self.step;
        match reason {
            StopReason::ClientLeft => self.end_with(Outcome::ClientLeft { step }, None, None),
            StopReason::DeadlinePassed => {
                let failure = Failure::new(zerver_trace::FailureKind::Timeout, "request");
                let response = self.render(&failure);
                self.end_with(Outcome::TimedOut { step }, Some(response), Some(failure))
            }
        }
    }

    /// Ends the job with this response before any of its steps has run.
    pub fn reject(&mut self, response: Response, reason: String) {
        if self.end.is_none() {
            self.finish_with(Outcome::Rejected { reason }, Some(response));
        }
    }

    /// Returns the result of the job, once. A job that has not ended counts as one whose client has left.
    pub fn finish(&mut self) -> FinishedJob {
        if self.end.is_none() && self.stop(StopReason::ClientLeft, self.ready_ns) == Next::Undo {
            self.stop_undoing(self.ready_ns);
        }
        // Without recording these are the last owners of their values, and the `Drop` of a value may panic.
        let (slots, progress) = (mem::take(&mut self.slots), self.progress.take());
        let (effect, undo_log) = (self.effect.take(), self.undo_log.take());
        let _ = catch_unwind(AssertUnwindSafe(|| drop((slots, progress, effect, undo_log))));
        let (outcome, response) = self.end.take().unwrap_or((Outcome::ClientLeft { step: self.step }, None));
        let events = self.log.events.take().unwrap_or_default();
        self.flow.record_event_count(events.len());
        FinishedJob { outcome, response, events, events_dropped: self.log.dropped }
    }

    /// Ends a job that has failed, or first makes it undo its effects.
    pub(super) fn end_with(
        &mut self,
        outcome: Outcome,
        response: Option<Response>,
        failure: Option<Failure>,
    ) -> Next {
        if self.undo_log.is_none() {
            return self.finish_with(outcome, response);
        }
        self.effect = None;
        self.requested.clear();
        if let Some(log) = &mut self.undo_log {
            log.end = Some(FailedEnd { outcome, response, failure });
        }
        Next::Undo
    }

    /// Ends a job that has succeeded. Nothing is undone.
    pub(super) fn end_without_undoing(&mut self, outcome: Outcome, response: Response) -> Next {
        if let Some(log) = &mut self.undo_log {
            log.discard_undos();
        }
        self.end_with(outcome, Some(response), None)
    }

    /// Ends a job, or first has the body of its response made.
    pub(super) fn finish_with(&mut self, outcome: Outcome, response: Option<Response>) -> Next {
        match response {
            Some(response) if self.has_streamed_body(&response) => {
                self.effect = None;
                self.requested.clear();
                self.streaming = Some(Box::new(Streaming { outcome, response }));
                Next::Stream
            }
            response => self.end_now(outcome, response),
        }
    }

    /// Ends a job that has nothing left to do.
    pub(super) fn end_now(&mut self, outcome: Outcome, response: Option<Response>) -> Next {
        self.effect = None;
        self.requested.clear();
        self.end = Some((outcome, response));
        Next::Ended
    }
}
