//! Recovery from a failure: the recovery step of the flow takes over. Also the texts of panics.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use zerver_trace::{Event, Outcome, SharedValue, TypedValue};

use super::lifecycle::Next;
use super::state_machine::Job;
use crate::flow::Recovery;
use crate::panics::{self, PanicLocation};
use crate::{Failure, Response};

impl Job {
    pub(super) fn fail_without_response(&mut self, at_ns: u64) -> Next {
        self.step = self.step.saturating_sub(1);
        self.fail(Failure::internal("flow").message("its last step did not respond"), at_ns)
    }

    /// Goes on with the recovery step of the flow, or ends the job if there is none or it has run.
    pub(super) fn fail(&mut self, failure: Failure, at_ns: u64) -> Next {
        match self.flow.recovery() {
            Some(recovery) if self.step != recovery.step => self.recover(failure, recovery, at_ns),
            _ => {
                let response = self.render(&failure);
                let outcome = Outcome::Failed(failure.info(Some(self.step)));
                self.end_with(outcome, Some(response), Some(failure))
            }
        }
    }

    pub(super) fn panicked(&mut self, panic: &(dyn Any + Send), at_ns: u64) -> Next {
        if let Some(PanicLocation { file, line, column }) = panics::take_last_location() {
            self.log.record(|| Event::StepPanicked { step: self.step, at_ns, file, line, column });
        }
        let failure = Failure::internal("step");
        let response = self.render(&failure);
        let outcome = Outcome::Panicked { step: self.step, message: panic_text(panic) };
        self.end_with(outcome, Some(response), Some(failure))
    }

    /// Goes on with the recovery step, which reads the failure as a slot.
    fn recover(&mut self, failure: Failure, recovery: Recovery, at_ns: u64) -> Next {
        let (step, slot) = (self.step, recovery.failure);
        let name = self.flow.info().steps.get(usize::from(step)).map_or("", |step| &step.name);
        let value: SharedValue = Arc::new(TypedValue(failure.with_step(step, name)));
        self.log.record(|| Event::SlotWritten { step, slot, at_ns, value: Arc::clone(&value) });
        self.slots[usize::from(slot)] = Some(value);
        self.effect = None;
        self.requested.clear();
        self.step = recovery.step;
        self.ready_ns = at_ns;
        Next::Run
    }

    /// Ends the job with the response of a step. A recovery step that reports an error has not recovered anything.
    pub(super) fn respond(&mut self, response: Response) -> Next {
        let recovered_from = self.flow.recovery().filter(|recovery| self.step == recovery.step);
        match recovered_from {
            Some(recovery) if response.status.as_u16() >= 400 => {
                let failure = self.slot(recovery.failure).and_then(|value| {
                    let any: &dyn Any = &**value;
                    any.downcast_ref::<TypedValue<Failure>>().map(|failure| failure.0.clone())
                });
                self.end_with(Outcome::Done, Some(response), failure)
            }
            _ => self.end_without_undoing(Outcome::Done, response),
        }
    }
}

/// A panic of the code that undoes an effect.
#[derive(Debug)]
pub(super) struct UndoPanicked(pub(super) String);

impl fmt::Display for UndoPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.0)
    }
}

impl std::error::Error for UndoPanicked {}

/// Returns the message of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}
