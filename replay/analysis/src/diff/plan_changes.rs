//! Plans of a database that differ between two requests.

use crate::diff::pairing::RunPair;
use crate::{Effect, Plan, Timeline};

/// An effect that the database performed with another plan in the second request. It makes the requests take different
/// times, but not give different results. Text is as it was recorded: it must be cleaned before it is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanChange {
    /// Name of the step.
    pub step: String,
    /// Effect: kind and summary.
    pub effect: String,
    /// Plan of the first request.
    pub a: String,
    /// Plan of the second request.
    pub b: String,
}

impl PlanChange {
    /// Returns the first scans that differ, or else the first operations: `Index Scan using t_pkey on t -> Seq Scan on t`.
    pub fn sentence(&self) -> String {
        let (mut a, mut b) = (operations(&self.a), operations(&self.b));
        let (scans_a, scans_b) = (scans(&a), scans(&b));
        if scans_a != scans_b {
            (a, b) = (scans_a, scans_b);
        }
        let same = std::iter::zip(&a, &b).take_while(|(a, b)| a == b).count();
        let at =
            |operations: &[&str]| operations.get(same).map_or("nothing", |operation| *operation).to_owned();
        format!("{} -> {}", at(&a), at(&b))
    }
}

/// Returns the operations of a plan, from the top.
fn operations(plan: &str) -> Vec<&str> {
    plan.split(['(', ')', ',']).map(str::trim).filter(|operation| !operation.is_empty()).collect()
}

fn scans<'p>(operations: &[&'p str]) -> Vec<&'p str> {
    operations.iter().copied().filter(|operation| operation.contains("Scan")).collect()
}

/// Returns the changes of the effects that both requests performed.
pub(super) fn plan_changes(a: &Timeline, b: &Timeline, rows: &[RunPair]) -> Vec<PlanChange> {
    let mut changes: Vec<PlanChange> = Vec::new();
    for row in rows {
        let (Some(run_a), Some(run_b)) = (row.run.a, row.run.b) else { continue };
        let (run_a, run_b) = (&a.runs[run_a], &b.runs[run_b]);
        for pair in &row.effects {
            let (Some(effect_a), Some(effect_b)) = (pair.a, pair.b) else { continue };
            let (effect_a, effect_b) = (&run_a.effects[effect_a], &run_b.effects[effect_b]);
            let (Some(plan_a), Some(plan_b)) = (plan(effect_a), plan(effect_b)) else { continue };
            // The texts are shortened, and the hashes are of the whole.
            if plan_a.hash != plan_b.hash {
                changes.push(PlanChange {
                    step: run_b.step.name.clone(),
                    effect: effect_b.label(),
                    a: plan_a.text.clone(),
                    b: plan_b.text.clone(),
                });
            }
        }
    }
    // A statement that is repeated counts once.
    let mut seen = std::collections::BTreeSet::new();
    changes.retain(|change| seen.insert((change.effect.clone(), change.a.clone(), change.b.clone())));
    changes
}

fn plan(effect: &Effect) -> Option<&Plan> {
    effect.attempts.last().and_then(|attempt| attempt.plan.as_ref())
}
