//! The end of each call of a run: the one that an edit sets, the recorded one, or that of a call performed now.

use std::time::Duration;

use zerver_trace::Value;

use super::{CallContext, CallEnd, Halt, Runner, nanos};
use crate::edits::faults::out_of_time;
use crate::observed::ObservedCall;
use crate::run::context::LivePerformer;
use crate::run::recorded_answers::{NoAnswer, RecordedEnd};

impl Runner<'_> {
    /// Returns the end of a call without a fault.
    pub(super) fn call_end(&mut self, asked: &CallContext<'_>) -> Result<CallEnd, Halt> {
        let CallContext { call, known, .. } = *asked;
        if let Some(said) = known.and_then(|known| self.edits.marked_answer(known.number, call)) {
            return Ok(CallEnd::Answered(said.map_err(Halt::Invalid)?, self.clock.due(known)));
        }
        if let Some(said) = self.edits.answer(asked.names, call, &mut self.applied) {
            return Ok(CallEnd::Answered(said.map_err(Halt::Invalid)?, self.clock.due(known)));
        }
        let reason = match known.map(|known| (known, self.answers.answer(known, call))) {
            Some((known, RecordedEnd::Answered(performed))) => {
                // A new time limit may expire before the recorded answer.
                let limit = call.time_limit().filter(|limit| known.timeout_ns != Some(nanos(*limit)));
                let took_ns = known.took_ns().filter(|_| self.clock.is_virtual() && performed.is_ok());
                let ran_ns = took_ns.map(|took_ns| took_ns.saturating_sub(known.queued_ns));
                return Ok(match (limit, ran_ns) {
                    (Some(limit), Some(ran_ns)) if ran_ns > nanos(limit) => {
                        self.timed_out(Some(known), limit)
                    }
                    _ => CallEnd::Answered(performed, self.clock.due(Some(known))),
                });
            }
            Some((_, RecordedEnd::Canceled)) => return Ok(CallEnd::Never),
            Some((_, RecordedEnd::InFlight)) if self.clock.recorded_stop().is_some() => {
                return Ok(CallEnd::Never);
            }
            Some((_, RecordedEnd::InFlight)) => NoAnswer::new("it was recorded without an answer"),
            Some((_, RecordedEnd::Unavailable(reason))) => reason,
            None => self.answers.no_answer(call.kind()),
        };
        let unix_ns = asked.input.arrival.unix_ns.saturating_add(self.clock.now_ns);
        if let Some((performed, took)) = self.access.timers.and_then(|timers| timers.answer(call, unix_ns)) {
            return Ok(CallEnd::Answered(performed, self.clock.after(known, nanos(took))));
        }
        let mut kinds = self.access.kinds.iter().filter(|live| live.kind == call.kind()).peekable();
        let is_named = kinds.peek().is_some();
        match self.access.live.filter(|_| kinds.any(|live| !live.reads_only || call.is_safe())) {
            Some(live) => Ok(self.perform(live, asked)),
            None => Err(Halt::Unanswered(
                asked.names.label().to_owned(),
                match is_named {
                    true => NoAnswer {
                        why: format!("not a read; --live {}:reads performs only reads", call.kind()),
                        ..reason
                    },
                    false => reason,
                },
            )),
        }
    }

    /// Performs a call for real.
    fn perform(&self, live: &dyn LivePerformer, asked: &CallContext<'_>) -> CallEnd {
        let mut mask = self.access.mask.clone();
        let secret = asked.flow.info().slots.iter().enumerate().filter(|(_, slot)| slot.is_secret);
        for held in secret.filter_map(|(slot, _)| asked.job.slot(slot as u16)) {
            if let Ok(value) = Value::from_recordable(&**held) {
                mask.add(&value.root());
            }
        }
        let left = Duration::from_nanos(self.clock.left_ns());
        let within = asked.call.time_limit().map_or(left, |limit| limit.min(left));
        let (performed, took) = live.perform(asked.call, &mask.text(asked.names.label()), within);
        CallEnd::Performed(performed, self.clock.after(asked.known, nanos(took)))
    }

    /// Returns the end of a call that exceeds its time limit.
    pub(super) fn timed_out(&self, known: Option<&ObservedCall<'_>>, limit: Duration) -> CallEnd {
        let held_ns = known.map_or(0, |known| known.queued_ns);
        let ns = nanos(limit).saturating_add(held_ns);
        CallEnd::Answered(Err(out_of_time(limit)), self.clock.after(known, ns))
    }
}
