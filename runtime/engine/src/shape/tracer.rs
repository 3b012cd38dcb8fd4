//! Traces a type: deserializes it again and again until nothing new is learned.

use std::fmt;

use serde::de::DeserializeOwned;

use super::arena::{Arena, Node, NodeId};
use super::probe::Probe;
use super::shape_type::Shape;

/// Maximum number of runs. The type is described as far as it is known then.
const MAX_RUNS: usize = 500;
/// Number of values from which their parts stay unknown, so that a tree of large types costs no more.
pub(super) const MAX_NODES: usize = 1_000;

/// State of a trace, across runs.
#[derive(Debug)]
pub(super) struct Tracer {
    pub(super) arena: Arena,
    /// Names of the structs and enums that are being deserialized, with those of their parts.
    pub(super) open: Vec<(&'static str, &'static [&'static str])>,
    /// Value for which a sample was offered last.
    pub(super) last_sample: Option<NodeId>,
    /// Struct and position of the field whose name was offered last.
    pub(super) last_field: Option<(NodeId, usize)>,
    /// Field to leave out, and whether that has happened.
    pub(super) omit: Option<(NodeId, usize)>,
    pub(super) is_omitted: bool,
}

/// Reason why a run ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeError {
    /// A field without a default was left out.
    Missing(&'static str),
    /// Two of the names that a struct knows belong to this field.
    Duplicate(&'static str),
    /// The type did not accept a sample, or has no describable form.
    Refused,
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sample was refused")
    }
}

impl std::error::Error for ProbeError {}

impl serde::de::Error for ProbeError {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self::Refused
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Duplicate(field)
    }
}

/// Returns the shape of a type.
pub(super) fn trace<T: DeserializeOwned>() -> Shape {
    let mut tracer = Tracer {
        arena: Arena::new(),
        open: Vec::new(),
        last_sample: None,
        last_field: None,
        omit: None,
        is_omitted: false,
    };
    let mut is_accepted = false;
    for _ in 0..MAX_RUNS {
        let known = tracer.arena.known();
        let result = tracer.run::<T>();
        is_accepted = result.is_ok();
        let has_learned = match result {
            Ok(()) => tracer.arena.has_new(0) && tracer.arena.known() > known,
            Err(error) => tracer.learn(error, known),
        };
        if !has_learned {
            break;
        }
    }
    if is_accepted {
        tracer.find_required::<T>();
    }
    tracer.arena.shape(0)
}

impl Tracer {
    fn run<T: DeserializeOwned>(&mut self) -> Result<(), ProbeError> {
        self.open.clear();
        (self.last_sample, self.last_field, self.is_omitted) = (None, None, false);
        T::deserialize(Probe { tracer: self, node: 0 }).map(drop)
    }

    /// Prepares the next run after one that failed. Returns false if it would do the same.
    fn learn(&mut self, error: ProbeError, known: usize) -> bool {
        if let ProbeError::Duplicate(name) = error {
            return self.note_alias(name);
        }
        self.arena.known() > known || self.last_sample.is_some_and(|id| self.arena.next_sample(id))
    }

    /// Notes that the last field is the same as another, which has this name.
    fn note_alias(&mut self, name: &str) -> bool {
        let Some((id, at)) = self.last_field else { return false };
        let Node::Struct { fields, .. } = self.arena.get_mut(id) else { return false };
        if fields[at].name != name {
            fields[at].is_alias = true;
        } else if !fields[at].is_first {
            // The alias precedes it. It is noticed once this field comes first.
            fields[at].is_first = true;
        } else {
            return false;
        }
        true
    }

    /// Finds out which fields have a default, by leaving out each.
    fn find_required<T: DeserializeOwned>(&mut self) {
        for id in 0..self.arena.len() {
            let Node::Struct { fields, .. } = self.arena.get(id) else { continue };
            for at in 0..fields.len() {
                self.omit = Some((id, at));
                let result = self.run::<T>();
                let is_omitted = self.is_omitted;
                if let Node::Struct { fields, .. } = self.arena.get_mut(id)
                    && is_omitted
                {
                    let field = &mut fields[at];
                    field.is_required = match result {
                        Ok(()) => Some(false),
                        Err(ProbeError::Missing(name)) => Some(name == field.name),
                        Err(_) => None,
                    };
                }
            }
        }
    }
}
