//! Finds the recorded call that answers a call of today's code.

use zerver_engine::RequestedCall;
use zerver_trace::Value;

use crate::edits::prepared_edits::MarkedInputs;
use crate::observed::ObservedCall;
use crate::run::recorded_answers::RecordedAnswers;

/// Place of a call: the run of a step that makes it, and its position there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallPlace<'p> {
    pub(crate) step: &'p str,
    /// Number of the run among the runs of the step.
    pub(crate) occurrence: u32,
    pub(crate) index: usize,
}

/// A recorded call, if there is one that answers.
pub(crate) struct FoundCall<'r> {
    pub(crate) known: Option<&'r ObservedCall<'r>>,
    /// True if only its text differs.
    pub(crate) is_reworded: bool,
}

impl<'r> RecordedAnswers<'r> {
    /// Finds the recorded call that answers a call. With marked inputs, a call is answered even if its arguments have
    /// changed.
    pub(crate) fn find(
        &mut self,
        start: &RequestedCall,
        args: &Value,
        place: CallPlace<'_>,
        marked: Option<&MarkedInputs>,
    ) -> FoundCall<'r> {
        let call = &start.call;
        let mut known = None;
        if marked.is_some_and(|marked| marked.is_positional) {
            known = self.take_at(call.kind(), place);
        }
        if known.is_none() {
            known = match start.attempt {
                0 | 1 => self.take(call.kind(), args),
                _ => self.take_retry(call.kind(), args),
            };
        }
        if known.is_none() && marked.is_some() {
            known = self.with_same_arguments(call.kind(), args).or_else(|| self.take_at(call.kind(), place));
        } else if known.is_none() {
            known = self.take_reworded(call, place.step, place.occurrence, place.index);
            return FoundCall { known, is_reworded: known.is_some() };
        }
        FoundCall { known, is_reworded: false }
    }
}
