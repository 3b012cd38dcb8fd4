//! Pairs runs and effects of two requests. Runs are paired by step and occurrence. Within two runs, effects are paired
//! by kind and arguments, then by kind and summary, then by kind; each time by occurrence.

use std::collections::BTreeMap;

use zerver_trace::Recorded;

use crate::{Effect, Timeline};

/// Indexes in the two timelines; one is `None` if there is no partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Index in the first timeline.
    pub a: Option<usize>,
    /// Index in the second timeline.
    pub b: Option<usize>,
}

/// Two runs of a step, and their effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPair {
    /// Runs, by index in [`Timeline::runs`].
    pub run: Pair,
    /// Effects, by index in [`crate::StepRun::effects`].
    pub effects: Vec<Pair>,
}

/// Pairs the runs of two timelines.
pub(crate) fn rows(a: &Timeline, b: &Timeline) -> Vec<RunPair> {
    let mut pairing = Pairing::new(a.runs.len(), b.runs.len());
    pairing.by(|at| Some(a.runs[at].step.name.as_str()), |at| Some(b.runs[at].step.name.as_str()));
    pairing
        .merged()
        .into_iter()
        .map(|run| {
            let a = run.a.map_or(&[][..], |at| &a.runs[at].effects);
            let b = run.b.map_or(&[][..], |at| &b.runs[at].effects);
            RunPair { run, effects: pairs(a, b) }
        })
        .collect()
}

fn pairs(a: &[Effect], b: &[Effect]) -> Vec<Pair> {
    let mut pairing = Pairing::new(a.len(), b.len());
    pairing.by(|at| exact(&a[at]), |at| exact(&b[at]));
    pairing.by(|at| Some((&a[at].kind, &a[at].summary)), |at| Some((&b[at].kind, &b[at].summary)));
    pairing.by(|at| Some(&a[at].kind), |at| Some(&b[at].kind));
    pairing.merged()
}

/// Returns a key that is equal for effects of the same kind with the same arguments.
fn exact(effect: &Effect) -> Option<(&str, &[u8])> {
    let args = match &effect.args {
        Recorded::Plain { value, .. } => value.tokens(),
        Recorded::Sealed { hash, .. } | Recorded::Hashed { hash, .. } => hash,
        Recorded::Missing(_) => return None,
    };
    Some((&effect.kind, args))
}

/// Items of two lists, and the pairs found so far.
struct Pairing {
    of_a: Vec<Option<usize>>,
    of_b: Vec<Option<usize>>,
}

impl Pairing {
    fn new(a: usize, b: usize) -> Self {
        Self { of_a: vec![None; a], of_b: vec![None; b] }
    }

    /// Pairs items with equal keys that have no partner yet, in order.
    fn by<K: Ord>(&mut self, key_a: impl Fn(usize) -> Option<K>, key_b: impl Fn(usize) -> Option<K>) {
        let free = |partners: &[Option<usize>]| -> Vec<usize> {
            (0..partners.len()).filter(|&at| partners[at].is_none()).collect()
        };
        let (free_a, free_b) = (free(&self.of_a), free(&self.of_b));
        if free_a.is_empty() || free_b.is_empty() {
            return;
        }
        let mut waiting: BTreeMap<K, Vec<usize>> = BTreeMap::new();
        for at in free_b.into_iter().rev() {
            if let Some(key) = key_b(at) {
                waiting.entry(key).or_default().push(at);
            }
        }
        for at in free_a {
            let partner = key_a(at).and_then(|key| waiting.get_mut(&key)?.pop());
            if let Some(partner) = partner {
                self.of_a[at] = Some(partner);
                self.of_b[partner] = Some(at);
            }
        }
    }

    /// Returns all items, in an order that keeps both lists' orders as far as they agree.
    fn merged(&self) -> Vec<Pair> {
        let mut out = Vec::with_capacity(self.of_a.len().max(self.of_b.len()));
        let mut done = vec![false; self.of_b.len()];
        let (mut i, mut j) = (0, 0);
        loop {
            match (self.of_a.get(i), self.of_b.get(j)) {
                (None, None) => return out,
                (_, Some(_)) if done[j] => j += 1,
                (Some(None), _) => {
                    out.push(Pair { a: Some(i), b: None });
                    i += 1;
                }
                (_, Some(None)) => {
                    out.push(Pair { a: None, b: Some(j) });
                    j += 1;
                }
                (Some(&Some(partner)), _) => {
                    out.push(Pair { a: Some(i), b: Some(partner) });
                    done[partner] = true;
                    i += 1;
                }
                // Its partner comes before `i`, so it is done.
                (None, Some(Some(_))) => j += 1,
            }
        }
    }
}
