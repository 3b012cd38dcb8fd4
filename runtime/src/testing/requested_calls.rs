//! The calls that a flow under test has requested, in the order in which they are answered: those with a planned result in
//! the order of the plan, and then the others in the order of their requests.

use std::collections::{BTreeMap, VecDeque};

use zerver_engine::{Job, RequestedCall};

use super::planned_answer::{Plan, PlannedAnswer};

/// Calls in flight of a flow under test.
#[derive(Default)]
pub(super) struct RequestedCalls {
    /// By the position of their results in the plan.
    planned: BTreeMap<usize, (RequestedCall, PlannedAnswer)>,
    others: VecDeque<RequestedCall>,
}

impl RequestedCalls {
    /// Adds a call, and takes its result from the plan.
    pub(super) fn add(&mut self, start: RequestedCall, plan: &mut Plan) {
        match plan.take(&start.call) {
            Some((at, planned)) => drop(self.planned.insert(at, (start, planned))),
            None => self.others.push_back(start),
        }
    }

    /// Takes the call that is answered next. Calls that another answer has made superfluous are left out.
    pub(super) fn pop(&mut self, job: &Job) -> Option<(RequestedCall, Option<PlannedAnswer>)> {
        while let Some((_, (start, planned))) = self.planned.pop_first() {
            if job.is_waiting_for(start.number) {
                return Some((start, Some(planned)));
            }
        }
        while let Some(start) = self.others.pop_front() {
            if job.is_waiting_for(start.number) {
                return Some((start, None));
            }
        }
        None
    }
}
