//! Which answers an effect waited for: how effects are composed, as far as the order of what happened shows it.

use crate::compare::comparison::Comparison;
use crate::compare::effects::Links;
use crate::observed::{ObservedCall, ObservedRun};
use crate::report::{FindingClass, ReportedValue};

/// What one answer brings is asked for in portions of so many.
const MANY: usize = 256;

impl Comparison<'_> {
    /// Compares after which answers a recorded call and today's were asked for. Nothing but an answer moves a plan, so
    /// the last one before a call is one that it waited for. With other arrival times that may be another one of those
    /// that it waited for: then it had come before the call in both.
    pub(crate) fn waiting(
        &mut self,
        (then, known): (&ObservedRun<'_>, &ObservedCall<'_>),
        (now, call): (&ObservedRun<'_>, &ObservedCall<'_>),
        label: &str,
        links: &Links,
    ) {
        let (a, b) = (last_before(then, known), last_before(now, call));
        let today = |of: &ObservedCall<'_>| {
            links.iter().find(|(_, known)| **known == of.number).map(|(call, _)| *call)
        };
        let is_same = match (a, b) {
            (None, None) => true,
            // What it waited for is no longer asked for, and that is said.
            (Some(a), None) => today(a).is_none(),
            (None, Some(_)) => false,
            // While so many begin, other answers may come before the last of them is asked for.
            (Some(_), Some(_)) if then.calls.len().max(now.calls.len()) > MANY => true,
            (Some(a), Some(b)) => {
                today(a).is_none_or(|number| had(now, call, number))
                    && links.get(&b.number).is_none_or(|number| had(then, known, *number))
            }
        };
        if is_same {
            return;
        }
        let label_of = |of: Option<&ObservedCall<'_>>| of.map(|of| self.mask.text(of.label()));
        let is_alike = a.is_some() && label_of(a) == label_of(b);
        let side = |of: Option<&ObservedCall<'_>>| match (of, label_of(of)) {
            (Some(of), Some(name)) if is_alike => {
                format!("asked after the answer of {name} (call {})", of.number)
            }
            (_, Some(name)) => format!("asked after the answer of {name}"),
            (_, None) => "asked at once".to_owned(),
        };
        let (expected, got) = (ReportedValue::text(side(a)), ReportedValue::text(side(b)));
        self.find(Some(now), FindingClass::ReorderedEffect, label, expected, got);
    }
}

/// The calls of a run whose answers had come when this one was asked for.
fn answered_before<'r>(
    run: &'r ObservedRun<'_>,
    call: &ObservedCall<'_>,
) -> impl Iterator<Item = (usize, &'r ObservedCall<'r>)> {
    let asked_after = call.asked_after;
    let answered = run.calls.iter().filter_map(|other| Some((other.answered?.0, other)));
    answered.filter(move |(place, _)| *place < asked_after)
}

fn last_before<'r>(run: &'r ObservedRun<'_>, call: &ObservedCall<'_>) -> Option<&'r ObservedCall<'r>> {
    answered_before(run, call).max_by_key(|(place, _)| *place).map(|(_, other)| other)
}

/// Whether the answer of the call with this number had come when this one was asked for.
fn had(run: &ObservedRun<'_>, call: &ObservedCall<'_>, number: u32) -> bool {
    answered_before(run, call).any(|(_, other)| other.number == number)
}
