//! Names of effects under which those of many requests are compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Effect, Timeline};

/// Step, kind and, for a target, the label of the effect.
type EffectTarget = (String, String, Option<String>);

/// Effects that most requests of a population use. The others are compared by their kind.
#[derive(Debug)]
pub(crate) struct CommonEffects {
    targets: BTreeSet<EffectTarget>,
}

impl CommonEffects {
    /// Finds the targets that at least nine in ten requests use, of those with any effect of that kind in that step.
    pub(crate) fn of<'t>(timelines: impl IntoIterator<Item = &'t Timeline>) -> Self {
        let mut counts: BTreeMap<EffectTarget, usize> = BTreeMap::new();
        for timeline in timelines {
            let effects =
                timeline.runs.iter().flat_map(|run| run.effects.iter().map(move |effect| (run, effect)));
            let asked: BTreeSet<EffectTarget> = effects
                .flat_map(|(run, effect)| {
                    let of = |target| (run.step.name.clone(), effect.kind.clone(), target);
                    [of(None), of(Some(effect.label()))]
                })
                .collect();
            for asked in asked {
                *counts.entry(asked).or_default() += 1;
            }
        }
        let is_common = |((step, kind, target), count): &(&EffectTarget, &usize)| {
            let of_kind = counts.get(&(step.clone(), kind.clone(), None)).copied().unwrap_or(0);
            target.is_some() && **count * 10 >= of_kind * 9
        };
        Self { targets: counts.iter().filter(is_common).map(|(asked, _)| asked.clone()).collect() }
    }

    /// Returns true if most requests use the target of this effect.
    pub(crate) fn has(&self, step: &str, effect: &Effect) -> bool {
        self.targets.contains(&(step.to_owned(), effect.kind.clone(), Some(effect.label())))
    }

    /// Returns kind and summary of the effect; only the kind if requests differ in their targets.
    pub(crate) fn name(&self, step: &str, effect: &Effect) -> String {
        if self.has(step, effect) { effect.label() } else { effect.kind.clone() }
    }
}
