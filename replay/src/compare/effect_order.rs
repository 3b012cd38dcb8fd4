//! Compares which answers effects waited for. The order of calls and answers shows how the effects are composed.

use std::collections::BTreeMap;

use crate::compare::call_links::CallLinks;
use crate::compare::comparison::Comparison;
use crate::observed::{ObservedCall, ObservedRun};
use crate::report::{FindingClass, ReportedValue};

/// Number of calls that one answer starts before other answers can arrive in between.
const BATCH: usize = 256;

/// Calls of a run, by number and by the order of their answers.
pub(crate) struct CallOrder<'r> {
    pub(crate) calls: &'r [ObservedCall<'r>],
    /// Index of each call, by its number.
    pub(crate) by_number: BTreeMap<u32, usize>,
    /// Index of each answered call, by the position of its answer among the request's answers.
    by_answer: BTreeMap<usize, usize>,
}

impl<'r> CallOrder<'r> {
    pub(crate) fn new(run: Option<&'r ObservedRun<'r>>) -> Self {
        let calls = run.map_or(&[][..], |run| &run.calls);
        let indexed = || calls.iter().enumerate();
        Self {
            calls,
            by_number: indexed().map(|(at, call)| (call.number, at)).collect(),
            by_answer: indexed().filter_map(|(at, call)| Some((call.answered?.0, at))).collect(),
        }
    }

    /// Returns the last call answered before this one was made.
    fn last_answered_before(&self, call: &ObservedCall<'_>) -> Option<&'r ObservedCall<'r>> {
        let (_, at) = self.by_answer.range(..call.asked_after).next_back()?;
        Some(&self.calls[*at])
    }

    /// Returns true if the call with this number was answered before `call` was made.
    fn was_answered_before(&self, number: u32, call: &ObservedCall<'_>) -> bool {
        let other = self.by_number.get(&number).map(|at| &self.calls[*at]);
        other.and_then(|other| other.answered).is_some_and(|(position, _)| position < call.asked_after)
    }
}

impl Comparison<'_> {
    /// Compares after which answers a recorded call and today's call were made.
    ///
    /// Only an answer lets effects continue, so a call waited for the last answer before it. If answers arrive in
    /// another order, that may be another of the answers that it waited for; this one then arrived before the call in
    /// both.
    pub(crate) fn effect_order(
        &mut self,
        (then, known): (&CallOrder<'_>, &ObservedCall<'_>),
        (now, call): (&CallOrder<'_>, &ObservedCall<'_>),
        (run, label): (&ObservedRun<'_>, &str),
        links: &CallLinks,
    ) {
        let (a, b) = (then.last_answered_before(known), now.last_answered_before(call));
        let is_same = match (a, b) {
            (None, None) => true,
            // The awaited call is gone, which is a finding already.
            (Some(a), None) => links.today_of(a.number).is_none(),
            (None, Some(_)) => false,
            // While a batch starts, other answers may arrive before its last call is made.
            (Some(_), Some(_)) if then.calls.len().max(now.calls.len()) > BATCH => true,
            (Some(a), Some(b)) => {
                links.today_of(a.number).is_none_or(|number| now.was_answered_before(number, call))
                    && links
                        .recorded_of(b.number)
                        .is_none_or(|number| then.was_answered_before(number, known))
            }
        };
        if is_same {
            return;
        }
        let label_of = |of: Option<&ObservedCall<'_>>| of.map(|of| self.mask.text(of.label()));
        let is_alike = a.is_some() && label_of(a) == label_of(b);
        let side = |of: Option<&ObservedCall<'_>>| match (of, label_of(of)) {
            (Some(of), Some(name)) if is_alike => {
                format!("requested after the answer of {name} (call {})", of.number)
            }
            (_, Some(name)) => format!("requested after the answer of {name}"),
            (_, None) => "requested at once".to_owned(),
        };
        let (expected, got) = (ReportedValue::text(side(a)), ReportedValue::text(side(b)));
        self.add_finding(Some(run), FindingClass::ReorderedEffect, label, expected, got);
    }
}
