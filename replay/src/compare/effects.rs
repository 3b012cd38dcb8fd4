//! Compares the effects requested by today's run with the recorded ones.

use std::collections::{BTreeMap, VecDeque};

use crate::compare::call_links::CallLinks;
use crate::compare::comparison::Comparison;
use crate::compare::effect_order::CallOrder;
use crate::observed::{Observed, ObservedCall, ObservedRun};
use crate::report::{FindingClass, ReportedValue};
use crate::value::path::{differences, joined};

impl Comparison<'_> {
    pub(crate) fn links(&self, recorded: &Observed<'_>, now: &Observed<'_>) -> CallLinks {
        let mut links = CallLinks::default();
        self.reworded.iter().for_each(|(today, recorded)| links.add(*today, *recorded));
        let mut left: BTreeMap<(&str, &[u8]), VecDeque<u32>> = BTreeMap::new();
        for call in recorded.calls().filter(|call| links.today_of(call.number).is_none()) {
            if let Ok(args) = self.secrets.plain(&call.args) {
                left.entry((&call.kind, args.tokens())).or_default().push_back(call.number);
            }
        }
        for call in now.calls().filter(|call| !self.reworded.contains_key(&call.number)) {
            let Ok(args) = self.secrets.plain(&call.args) else { continue };
            let key: (&str, &[u8]) = (&call.kind, args.tokens());
            if let Some(number) = left.get_mut(&key).and_then(VecDeque::pop_front) {
                links.add(call.number, number);
            }
        }
        links
    }

    /// Compares the effects of one step run. `is_stopped` is true if today's run ended before it could request all of
    /// them.
    pub(crate) fn effects(
        &mut self,
        then: Option<&ObservedRun<'_>>,
        now: Option<&ObservedRun<'_>>,
        links: &CallLinks,
        is_stopped: bool,
    ) {
        let (order_then, order_now) = (CallOrder::new(then), CallOrder::new(now));
        let recorded = order_then.calls;
        let mut open: Vec<&ObservedCall<'_>> =
            recorded.iter().filter(|call| links.today_of(call.number).is_none()).collect();
        // Last recorded position among the calls that today's run made at the same moment.
        let mut reached: Option<(usize, usize)> = None;
        for call in order_now.calls {
            let label = self.marked(call, call.label());
            let Some(linked) = links.recorded_of(call.number) else {
                self.unlinked(now, call, &label, &mut open);
                continue;
            };
            let Some(&at) = order_then.by_number.get(&linked) else {
                let (expected, got) = ("requested by another step", "requested here");
                self.reordered(now, &label, expected, got);
                continue;
            };
            let known = &recorded[at];
            if let Some(run) = now.filter(|_| self.reworded.contains_key(&call.number)) {
                self.reworded(run, &label, known, call);
            }
            reached = reached.filter(|(_, asked_after)| *asked_after == call.asked_after);
            let is_reordered =
                reached.is_some_and(|(last, _)| at < last && known.asked_after == recorded[last].asked_after);
            if is_reordered {
                self.reordered(now, &label, "requested first", "requested later");
            } else if let Some(now) = now {
                self.effect_order((&order_then, known), (&order_now, call), (now, &label), links);
            }
            reached = reached.max(Some((at, call.asked_after)));
            self.timeout(now, &label, known.timeout_ns, call.timeout_ns);
        }
        if is_stopped {
            return;
        }
        for call in open {
            let label = self.mask.text(call.label());
            match self.secrets.plain(&call.args) {
                Ok(_) => {
                    let expected = ReportedValue::text("requested");
                    self.add_finding(
                        now.or(then),
                        FindingClass::MissingEffect,
                        &label,
                        expected,
                        ReportedValue::Absent,
                    );
                }
                Err(reason) => self.skip(format!("the arguments of {label}: {reason}")),
            }
        }
    }

    fn reordered(&mut self, run: Option<&ObservedRun<'_>>, label: &str, expected: &str, got: &str) {
        let (expected, got) = (ReportedValue::text(expected), ReportedValue::text(got));
        self.add_finding(run, FindingClass::ReorderedEffect, label, expected, got);
    }

    /// Adds a finding for a call that was recorded with other arguments or not at all.
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
            _ => self.add_finding(
                run,
                FindingClass::ExtraEffect,
                label,
                ReportedValue::Absent,
                ReportedValue::text("requested"),
            ),
        }
    }

    /// Adds a finding for a reworded call, with the first place that differs.
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
        self.add_finding(Some(run), FindingClass::RewordedEffect, &field, expected, got);
    }

    /// Returns the label of a call, marked if it was performed for real.
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
            self.add_finding(run, FindingClass::CodeChanged, &field, side(then), side(now));
        }
    }
}
