//! Collects the differences of two requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use zerver_replay::RecordedJson;
use zerver_trace::{Recorded, Redaction, Value};

use crate::Step;
use crate::diff::compare::value_changes::{Change, Changes, CompareOptions, recorded};
use crate::diff::difference::{Difference, DifferenceKind, NotCompared};
use crate::diff::ignored_headers::IgnoredHeaders;

/// Maximum number of differences listed. Further ones are counted.
const MAX_DIFFERENCES: usize = 5_000;

/// Subject of a difference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'t> {
    pub(crate) what: DifferenceKind,
    pub(crate) step: Option<&'t Arc<Step>>,
    pub(crate) row: Option<(usize, Option<usize>)>,
    pub(crate) effect: Option<&'t str>,
}

impl<'t> Subject<'t> {
    /// Creates a subject that belongs to no step.
    pub(crate) const fn whole(what: DifferenceKind) -> Self {
        Self { what, step: None, row: None, effect: None }
    }

    /// Returns the same subject with another kind of difference.
    pub(crate) const fn is(&self, what: DifferenceKind) -> Self {
        Self { what, ..*self }
    }
}

/// Differences collected so far.
#[derive(Debug)]
pub(crate) struct Differences<'i> {
    pub(crate) list: Vec<Difference>,
    pub(crate) ignored_by: &'i IgnoredHeaders,
    /// Changes that the recorder made in both traces.
    pub(crate) redactions: [&'i Redaction; 2],
    /// True if both traces hash secrets with the same key.
    pub(crate) has_one_key: bool,
    /// True for a trace that lost events.
    pub(crate) lacks: [bool; 2],
    pub(crate) not_compared: Vec<NotCompared>,
    pub(crate) unlisted: usize,
    pub(crate) ignored: BTreeSet<String>,
}

impl<'i> Differences<'i> {
    pub(crate) fn new(
        ignored_by: &'i IgnoredHeaders,
        redactions: [&'i Redaction; 2],
        lacks: [bool; 2],
    ) -> Self {
        let [a, b] = redactions;
        Self {
            list: Vec::new(),
            ignored_by,
            redactions,
            has_one_key: a.has_same_key(b),
            lacks,
            not_compared: Vec::new(),
            unlisted: 0,
            ignored: BTreeSet::new(),
        }
    }

    /// Notes a value that could not be compared.
    pub(crate) fn skip(&mut self, at: &Subject<'_>, path: &str, why: impl Into<String>) {
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

    /// Returns true if a side may lack something only because events were dropped.
    pub(crate) fn may_lack(&self, in_a: bool, in_b: bool) -> bool {
        (!in_a && self.lacks[0]) || (!in_b && self.lacks[1])
    }

    pub(crate) const fn how(&self, secret: bool) -> CompareOptions<'i> {
        CompareOptions {
            ignored: self.ignored_by,
            secret,
            has_one_key: self.has_one_key,
            why_masks_may_differ: None,
        }
    }

    pub(crate) fn add(
        &mut self,
        at: Subject<'_>,
        path: &str,
        a: Option<RecordedJson>,
        b: Option<RecordedJson>,
    ) {
        self.add_written(at, path, a, b, None);
    }

    fn add_written(
        &mut self,
        at: Subject<'_>,
        path: &str,
        a: Option<RecordedJson>,
        b: Option<RecordedJson>,
        first_differing_byte: Option<u64>,
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
            first_differing_byte,
        });
    }

    /// Notes a header that differs and is not compared.
    pub(crate) fn ignore(&mut self, name: &str) {
        self.ignored.insert(name.to_owned());
    }

    /// Compares two values.
    pub(crate) fn compare(
        &mut self,
        at: &Subject<'_>,
        path: &str,
        a: Option<&Recorded>,
        b: Option<&Recorded>,
        secret: bool,
    ) {
        let mut changes = Changes::default();
        recorded(path, a, b, self.how(secret), &mut changes);
        self.take(at, changes);
    }

    pub(crate) fn take(&mut self, at: &Subject<'_>, mut changes: Changes) {
        self.unlisted += changes.more;
        self.ignored.append(&mut changes.ignored);
        for Change { path, a, b, first_differing_byte } in changes.list {
            self.add_written(*at, &path, a, b, first_differing_byte);
        }
        for (path, why) in changes.not_compared {
            self.skip(at, &path, why);
        }
    }
}

/// Wraps data that was not recorded as a value.
pub(crate) fn text(text: &str) -> RecordedJson {
    plain(&text)
}

pub(crate) fn number(n: u64) -> RecordedJson {
    plain(&n)
}

fn plain(value: &impl serde::Serialize) -> RecordedJson {
    RecordedJson::Value(match Value::from_serialize(value) {
        Ok(value) => Recorded::Plain { value, summary: None },
        Err(_) => Recorded::Missing(zerver_trace::MissingReason::TooLarge),
    })
}
