//! Where the effects that are asked for differ from those that were recorded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::compare::comparison::Comparison;
use crate::observed::{Observed, ObservedCall, ObservedRun};
use crate::report::{FindingClass, ReportedValue};
use crate::value::path::{differences, joined};

/// For calls of today's run, the recorded ones that they are: of the same kind, with the same arguments, and the same
/// one of several such.
pub(crate) type Links = BTreeMap<u32, u32>;

impl Comparison<'_> {
    pub(crate) fn links(&self, recorded: &Observed<'_>, now: &Observed<'_>) -> Links {
        let mut links = self.reworded.clone();
        let reworded: BTreeSet<u32> = links.values().copied().collect();
        let mut left: BTreeMap<(&str, &[u8]), VecDeque<u32>> = BTreeMap::new();
        for call in recorded.calls().filter(|call| !reworded.contains(&call.number)) {
            if let Ok(args) = self.secrets.plain(&call.args) {
                left.entry((&call.kind, args.tokens())).or_default().push_back(call.number);
            }
        }
        for call in now.calls().filter(|call| !self.reworded.contains_key(&call.number)) {
            let Ok(args) = self.secrets.plain(&call.args) else { continue };
            let key: (&str, &[u8]) = (&call.kind, args.tokens());
            if let Some(number) = left.get_mut(&key).and_then(VecDeque::pop_front) {
                links.insert(call.number, number);
            }
        }
        links
    }

    /// Compares what one run of a step asks for; `is_stopped` where today's could not ask for all that it would have.
    pub(crate) fn effects(
        &mut self,
        then: Option<&ObservedRun<'_>>,
        now: Option<&ObservedRun<'_>>,
        links: &Links,
        is_stopped: bool,
    ) {
        let none = Vec::new();
        let asked = then.map_or(&none, |run| &run.calls);
        let mut open: Vec<&ObservedCall<'_>> =
            asked.iter().filter(|call| !self.linked.contains(&call.number)).collect();
        // The one that comes last in the recording, of those that today's run asked for at the same moment.
        let mut reached: Option<(usize, usize)> = None;
        for call in now.map_or(&none, |run| &run.calls) {
            let label = self.marked(call, call.label());
            match links.get(&call.number) {
                Some(linked) => match asked.iter().position(|known| known.number == *linked) {
                    Some(at) => {
                        if let Some(run) = now.filter(|_| self.reworded.contains_key(&call.number)) {
                            self.reworded(run, &label, &asked[at], call);
                        }
                        reached = reached.filter(|(_, asked_after)| *asked_after == call.asked_after);
                        let is_reordered = reached.is_some_and(|(last, _)| {
                            at < last && asked[at].asked_after == asked[last].asked_after
                        });
                        if is_reordered {
                            let (expected, got) = (
                                ReportedValue::text("asked for later"),
                                ReportedValue::text("asked for first"),
                            );
                            self.find(now, FindingClass::ReorderedEffect, &label, got, expected);
                        } else if let (Some(then), Some(now)) = (then, now) {
                            self.waiting((then, &asked[at]), (now, call), &label, links);
                        }
                        reached = reached.max(Some((at, call.asked_after)));
                        self.timeout(now, &label, asked[at].timeout_ns, call.timeout_ns);
                    }
                    None => {
                        let (expected, got) = (
                            ReportedValue::text("asked for by another step"),
                            ReportedValue::text("asked for here"),
                        );
                        self.find(now, FindingClass::ReorderedEffect, &label, expected, got);
                    }
                },
                None => self.unlinked(now, call, &label, &mut open),
            }
        }
        if is_stopped {
            return;
        }
        for call in open {
            let label = self.mask.text(call.label());
            match self.secrets.plain(&call.args) {
                Ok(_) => {
                    let expected = ReportedValue::text("asked for");
                    self.find(
                        now.or(then),
                        FindingClass::MissingEffect,
                        &label,
                        expected,
                        ReportedValue::Absent,
                    );
                }
                Err(gone) => self.skip(format!("the arguments of {label}: {gone}")),
            }
        }
    }

    /// A call that was not recorded like this: with other arguments, or not at all.
    fn unlinked(
        &mut self,
        run: Option<&ObservedRun<'_>>,
        call: &ObservedCall<'_>,
        label: &str,
        open: &mut Vec<&ObservedCall<'_>>,
    ) {
        let near = open.iter().position(|known| known.kind == call.kind);
        match (near.map(|at| open.remove(at)), run) {
            (Some(known), Some(run)) => {
                let field = format!("{} arguments", self.marked(call, known.label()));
                self.value(run, FindingClass::CodeChanged, &field, &known.args, &call.args, false);
            }
            _ => self.find(
                run,
                FindingClass::ExtraEffect,
                label,
                ReportedValue::Absent,
                ReportedValue::text("asked for"),
            ),
        }
    }

    /// A call whose text changed: one finding, with the first place that differs.
    fn reworded(
        &mut self,
        run: &ObservedRun<'_>,
        label: &str,
        known: &ObservedCall<'_>,
        call: &ObservedCall<'_>,
    ) {
        const NAMED: usize = 3;
        let (Ok(a), Ok(b)) = (self.secrets.plain(&known.args), self.secrets.plain(&call.args)) else {
            return;
        };
        let found = differences(a, b);
        let Some(first) = found.first() else { return };
        let side = |node: Option<&zerver_trace::Node<'_>>| {
            node.map_or(ReportedValue::Absent, |node| self.mask.side(node, &first.path))
        };
        let (mut expected, mut got) = (side(first.expected.as_ref()), side(first.got.as_ref()));
        if expected == got {
            (expected, got) = (ReportedValue::Secret, ReportedValue::Secret);
        }
        let places = found.iter().take(NAMED).map(|difference| joined("", &difference.path));
        let places: Vec<String> = places.map(|place| place.trim_start_matches('.').to_owned()).collect();
        let more = if found.len() > NAMED { ", .." } else { "" };
        let text = if found.len() == 1 && first.path.is_empty() { "" } else { "." };
        let field = format!("{label} arguments{text}{}{more}", self.mask.text(&places.join(", ")));
        self.find(Some(run), FindingClass::RewordedEffect, &field, expected, got);
    }

    /// The name of a call, which says whether that was performed for real.
    fn marked(&self, call: &ObservedCall<'_>, label: &str) -> String {
        let live = if self.live.contains(&call.number) { "(live) " } else { "" };
        format!("{live}{}", self.mask.text(label))
    }

    fn timeout(&mut self, run: Option<&ObservedRun<'_>>, label: &str, then: Option<u64>, now: Option<u64>) {
        if then != now {
            let side = |ns: Option<u64>| match ns {
                Some(ns) => ReportedValue::text(format!("{:?}", std::time::Duration::from_nanos(ns))),
                None => ReportedValue::Absent,
            };
            let field = format!("{label} timeout");
            self.find(run, FindingClass::CodeChanged, &field, side(then), side(now));
        }
    }
}
