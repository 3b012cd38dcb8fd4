//! From two traces to their diff.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zerver_replay::RecordedJson;
use zerver_trace::{Recorded, Redaction, Trace, Value};

use super::ignored_headers::IgnoredHeaders;
use super::model::{Diff, DiffSide, Difference, DifferenceKind, NotCompared};
use super::value_changes::{Change, Changes, How, recorded};
use super::{causes, http_message, pairing, run_differences};
use crate::time_attribution::shares;
use crate::{Gap, SlotWrite, Step, Timeline};

/// More differences than these are counted and not listed.
const MAX_DIFFERENCES: usize = 5_000;

pub(super) fn diff(a: &Trace, b: &Trace, ignored: &IgnoredHeaders) -> Diff {
    let (of_a, of_b) = (Timeline::of(a), Timeline::of(b));
    let (shares_a, shares_b) = (shares(&of_a), shares(&of_b));
    let rows = pairing::rows(&of_a, &of_b);
    let causes = causes::causes((&of_a, &shares_a), (&of_b, &shares_b), &rows);

    let lacks = [a, b].map(|trace| trace.events_dropped > 0);
    let mut found = Found::new(ignored, [&a.redaction, &b.redaction], lacks);
    if a.flow.name != b.flow.name {
        found.add(At::whole(DifferenceKind::Flow), "", Some(text(&a.flow.name)), Some(text(&b.flow.name)));
    }
    http_message::request(a, b, &mut found);
    run_differences::rows((&of_a, &shares_a), (&of_b, &shares_b), &rows, &mut found);
    http_message::response((a, &of_a), (b, &of_b), &mut found);
    let slots = slots(&of_a, &of_b, &mut found);
    gaps(&of_a, &of_b, &mut found);
    Diff {
        a: side(a, of_a),
        b: side(b, of_b),
        causes,
        rows,
        differences: found.list,
        slots,
        unlisted: found.unlisted,
        not_compared: found.not_compared,
        ignored: found.ignored.into_iter().collect(),
    }
}

fn side(trace: &Trace, timeline: Timeline) -> DiffSide {
    DiffSide {
        id: trace.id,
        flow: trace.flow.name.clone(),
        build: trace.build.clone(),
        timeline,
        status: trace.status,
        has_succeeded: trace.has_succeeded(),
    }
}

/// The slots whose last values differ, in the order of their writing.
fn slots(a: &Timeline, b: &Timeline, found: &mut Found<'_>) -> Vec<Difference> {
    let mut slots = Found::new(found.ignored_by, found.redactions, found.lacks);
    fn placed(of: &Timeline) -> Vec<Placed<'_>> {
        of.slots.iter().map(|write| Placed { write, effect: None }).collect()
    }
    writes(&At::whole(DifferenceKind::Slot), &placed(a), &placed(b), &mut slots);
    found.ignored.append(&mut slots.ignored);
    // What cannot be compared was said where it was written.
    slots.list
}

/// What the traces lack, so that it is nowhere to be compared.
fn gaps(a: &Timeline, b: &Timeline, found: &mut Found<'_>) {
    for (side, timeline) in [("a", a), ("b", b)] {
        for gap in &timeline.gaps {
            if matches!(
                gap,
                Gap::Dropped(_) | Gap::StrayAnswers(_) | Gap::WithoutRun(_) | Gap::UnknownNames(_)
            ) {
                found.skip(&At::whole(DifferenceKind::Step), "", format!("{gap} in {side}"));
            }
        }
    }
}

/// A write, and the effect from whose answer it came: its place in the row, and its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'t> {
    pub(super) write: &'t SlotWrite,
    pub(super) effect: Option<(usize, &'t str)>,
}

/// Compares what was written, slot by slot: those of `a` in their order, then those that only `b` has. Of several
/// writes to a slot the last counts.
pub(super) fn writes(at: &At<'_>, a: &[Placed<'_>], b: &[Placed<'_>], found: &mut Found<'_>) {
    let by_name = |list| -> BTreeMap<&str, usize> {
        let list: &[Placed<'_>] = list;
        list.iter().enumerate().map(|(place, placed)| (placed.write.name.as_str(), place)).collect()
    };
    let (in_a, in_b) = (by_name(a), by_name(b));
    let last = |names: &BTreeMap<&str, usize>, (place, placed): &(usize, &Placed<'_>)| {
        names.get(placed.write.name.as_str()) == Some(place)
    };
    let of_a = a.iter().enumerate().filter(|placed| last(&in_a, placed)).map(|(_, placed)| placed);
    let of_b = b.iter().enumerate().filter(|placed| last(&in_b, placed)).map(|(_, placed)| placed);
    let only_b = of_b.filter(|placed| !in_a.contains_key(placed.write.name.as_str()));
    for Placed { write, .. } in of_a.chain(only_b) {
        let name = write.name.as_str();
        let (a, b) = (in_a.get(name).map(|at| a[*at]), in_b.get(name).map(|at| b[*at]));
        if found.may_lack(a.is_some(), b.is_some()) {
            found.skip(at, name, "events were left out while recording");
            continue;
        }
        let secret = [a, b].into_iter().flatten().any(|placed| placed.write.is_secret);
        let effect = b.or(a).and_then(|placed| placed.effect);
        let at = match (effect, at.row) {
            (Some((place, label)), Some((row, _))) => {
                At { row: Some((row, Some(place))), effect: Some(label), ..*at }
            }
            _ => *at,
        };
        fn value(placed: Option<Placed<'_>>) -> Option<&Recorded> {
            placed.map(|placed| &placed.write.value)
        }
        found.compare(&at, name, value(a), value(b), secret);
    }
}

/// What a difference is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'t> {
    pub(super) what: DifferenceKind,
    pub(super) step: Option<&'t Arc<Step>>,
    pub(super) row: Option<(usize, Option<usize>)>,
    pub(super) effect: Option<&'t str>,
}

impl<'t> At<'t> {
    /// Nothing in particular.
    pub(super) const fn whole(what: DifferenceKind) -> Self {
        Self { what, step: None, row: None, effect: None }
    }

    /// The same place, another sort of difference.
    pub(super) const fn is(&self, what: DifferenceKind) -> Self {
        Self { what, ..*self }
    }
}

/// The differences found so far.
#[derive(Debug)]
pub(super) struct Found<'i> {
    pub(super) list: Vec<Difference>,
    pub(super) ignored_by: &'i IgnoredHeaders,
    /// What the recorder changed in both.
    pub(super) redactions: [&'i Redaction; 2],
    /// Whether hashes in both were made under one key.
    pub(super) one_key: bool,
    /// Whether events of the first, and of the second, were left out.
    pub(super) lacks: [bool; 2],
    pub(super) not_compared: Vec<NotCompared>,
    unlisted: usize,
    ignored: BTreeSet<String>,
}

impl<'i> Found<'i> {
    fn new(ignored_by: &'i IgnoredHeaders, redactions: [&'i Redaction; 2], lacks: [bool; 2]) -> Self {
        let [a, b] = redactions;
        Self {
            list: Vec::new(),
            ignored_by,
            redactions,
            one_key: a.has_same_key(b),
            lacks,
            not_compared: Vec::new(),
            unlisted: 0,
            ignored: BTreeSet::new(),
        }
    }

    /// Takes in what could not be compared, and why.
    pub(super) fn skip(&mut self, at: &At<'_>, path: &str, why: impl Into<String>) {
        if self.not_compared.len() < MAX_DIFFERENCES {
            self.not_compared.push(NotCompared {
                step: at.step.map(|step| step.name.clone()),
                kind: at.what,
                effect: at.effect.map(str::to_owned),
                path: path.to_owned(),
                why: why.into(),
            });
        }
    }

    /// Whether what is not in the one, and in the other, may only have been left out.
    pub(super) fn may_lack(&self, in_a: bool, in_b: bool) -> bool {
        (!in_a && self.lacks[0]) || (!in_b && self.lacks[1])
    }

    pub(super) const fn how(&self, secret: bool) -> How<'i> {
        How { ignored: self.ignored_by, secret, one_key: self.one_key, masks_lie: None }
    }

    pub(super) fn add(&mut self, at: At<'_>, path: &str, a: Option<RecordedJson>, b: Option<RecordedJson>) {
        self.add_written(at, path, a, b, None);
    }

    fn add_written(
        &mut self,
        at: At<'_>,
        path: &str,
        a: Option<RecordedJson>,
        b: Option<RecordedJson>,
        written_at: Option<u64>,
    ) {
        if self.list.len() >= MAX_DIFFERENCES {
            self.unlisted += 1;
            return;
        }
        self.list.push(Difference {
            step: at.step.cloned(),
            row: at.row,
            kind: at.what,
            effect: at.effect.map(str::to_owned),
            path: path.to_owned(),
            a,
            b,
            first_differing_byte: written_at,
        });
    }

    /// Takes in a name which is not compared, and differs.
    pub(super) fn ignore(&mut self, name: &str) {
        self.ignored.insert(name.to_owned());
    }

    /// Compares two values.
    pub(super) fn compare(
        &mut self,
        at: &At<'_>,
        path: &str,
        a: Option<&Recorded>,
        b: Option<&Recorded>,
        secret: bool,
    ) {
        let mut changes = Changes::default();
        recorded(path, a, b, self.how(secret), &mut changes);
        self.take(at, changes);
    }

    pub(super) fn take(&mut self, at: &At<'_>, mut changes: Changes) {
        self.unlisted += changes.more;
        self.ignored.append(&mut changes.ignored);
        for Change { path, a, b, written_at } in changes.list {
            self.add_written(*at, &path, a, b, written_at);
        }
        for (path, why) in changes.not_compared {
            self.skip(at, &path, why);
        }
    }
}

/// Something that was not recorded as a value, as one.
pub(super) fn text(text: &str) -> RecordedJson {
    plain(&text)
}

pub(super) fn number(n: u64) -> RecordedJson {
    plain(&n)
}

fn plain(value: &impl serde::Serialize) -> RecordedJson {
    RecordedJson::Value(match Value::from_serialize(value) {
        Ok(value) => Recorded::Plain { value, summary: None },
        Err(_) => Recorded::Missing(zerver_trace::MissingReason::TooLarge),
    })
}
