//! The differences found so far, and what each is about.

use std::collections::BTreeSet;
use std::sync::Arc;

use zerver_replay::RecordedJson;
use zerver_trace::{Recorded, Redaction, Value};

use super::difference::{Difference, DifferenceKind, NotCompared};
use super::ignored_headers::IgnoredHeaders;
use super::value_changes::{Change, Changes, How, recorded};
use crate::Step;

/// More differences than these are counted and not listed.
const MAX_DIFFERENCES: usize = 5_000;

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
    pub(super) unlisted: usize,
    pub(super) ignored: BTreeSet<String>,
}

impl<'i> Found<'i> {
    pub(super) fn new(
        ignored_by: &'i IgnoredHeaders,
        redactions: [&'i Redaction; 2],
        lacks: [bool; 2],
    ) -> Self {
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
