//! From two traces to their diff.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zerver_trace::{Recorded, Trace, Value};

use super::ignored::Ignored;
use super::model::{Diff, Difference, Side, What};
use super::value::{Change, Changes, How, recorded};
use super::{align, causes, message, walk};
use crate::shares::shares;
use crate::{Json, Step, Timeline, Write};

/// More differences than these are counted and not listed.
const MAX_DIFFERENCES: usize = 5_000;

pub(super) fn diff(a: &Trace, b: &Trace, ignored: &Ignored) -> Diff {
    let (of_a, of_b) = (Timeline::of(a), Timeline::of(b));
    let (shares_a, shares_b) = (shares(&of_a), shares(&of_b));
    let rows = align::rows(&of_a, &of_b);
    let causes = causes::causes((&of_a, &shares_a), (&of_b, &shares_b), &rows);

    let mut found = Found::new(ignored);
    if a.flow.name != b.flow.name {
        found.add(At::whole(What::Flow), "", Some(text(&a.flow.name)), Some(text(&b.flow.name)));
    }
    message::request(a, b, &mut found);
    walk::rows((&of_a, &shares_a), (&of_b, &shares_b), &rows, &mut found);
    message::response((a, &of_a), (b, &of_b), &mut found);
    let slots = slots(&of_a, &of_b, &mut found);
    Diff {
        a: side(a, of_a),
        b: side(b, of_b),
        causes,
        rows,
        differences: found.list,
        slots,
        unlisted: found.unlisted,
        ignored: found.ignored.into_iter().collect(),
    }
}

fn side(trace: &Trace, timeline: Timeline) -> Side {
    Side { id: trace.id, flow: trace.flow.name.clone(), build: trace.build.clone(), timeline }
}

/// The slots whose last values differ, in the order of their writing.
fn slots(a: &Timeline, b: &Timeline, found: &mut Found<'_>) -> Vec<Difference> {
    let mut slots = Found::new(found.ignored_by);
    writes(&At::whole(What::Slot), &a.slots, &b.slots, &mut slots);
    found.ignored.append(&mut slots.ignored);
    slots.list
}

/// Compares what was written, slot by slot: those of `a` in their order, then those that only `b` has. Of several
/// writes to a slot the last counts.
pub(super) fn writes(at: &At<'_>, a: &[Write], b: &[Write], found: &mut Found<'_>) {
    let by_name = |list| -> BTreeMap<&str, &Write> {
        let list: &[Write] = list;
        list.iter().map(|write| (write.name.as_str(), write)).collect()
    };
    let (in_a, in_b) = (by_name(a), by_name(b));
    let only_b = b.iter().filter(|write| !in_a.contains_key(write.name.as_str()));
    for write in a.iter().chain(only_b) {
        let (a, b) = (in_a.get(write.name.as_str()), in_b.get(write.name.as_str()));
        let secret = [a, b].into_iter().flatten().any(|write| write.secret);
        found.compare(at, &write.name, a.map(|a| &a.value), b.map(|b| &b.value), secret);
    }
}

/// What a difference is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'t> {
    pub(super) what: What,
    pub(super) step: Option<&'t Arc<Step>>,
    pub(super) row: Option<(usize, Option<usize>)>,
    pub(super) effect: Option<&'t str>,
}

impl<'t> At<'t> {
    /// Nothing in particular.
    pub(super) const fn whole(what: What) -> Self {
        Self { what, step: None, row: None, effect: None }
    }

    /// The same place, another sort of difference.
    pub(super) const fn is(&self, what: What) -> Self {
        Self { what, ..*self }
    }
}

/// The differences found so far.
#[derive(Debug)]
pub(super) struct Found<'i> {
    pub(super) list: Vec<Difference>,
    pub(super) ignored_by: &'i Ignored,
    unlisted: usize,
    ignored: BTreeSet<String>,
}

impl<'i> Found<'i> {
    fn new(ignored_by: &'i Ignored) -> Self {
        Self { list: Vec::new(), ignored_by, unlisted: 0, ignored: BTreeSet::new() }
    }

    pub(super) fn add(&mut self, at: At<'_>, path: &str, a: Option<Json>, b: Option<Json>) {
        if self.list.len() >= MAX_DIFFERENCES {
            self.unlisted += 1;
            return;
        }
        self.list.push(Difference {
            step: at.step.cloned(),
            row: at.row,
            what: at.what,
            effect: at.effect.map(str::to_owned),
            path: path.to_owned(),
            a,
            b,
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
        recorded(path, a, b, How { ignored: self.ignored_by, secret }, &mut changes);
        self.take(at, changes);
    }

    pub(super) fn take(&mut self, at: &At<'_>, mut changes: Changes) {
        self.unlisted += changes.more;
        self.ignored.append(&mut changes.ignored);
        for Change { path, a, b } in changes.list {
            self.add(*at, &path, a, b);
        }
    }
}

/// Something that was not recorded as a value, as one.
pub(super) fn text(text: &str) -> Json {
    plain(&text)
}

pub(super) fn number(n: u64) -> Json {
    plain(&n)
}

fn plain(value: &impl serde::Serialize) -> Json {
    Json::Value(match Value::of(value) {
        Ok(value) => Recorded::Plain { value, summary: None },
        Err(_) => Recorded::Missing(zerver_trace::Missing::TooLarge),
    })
}
