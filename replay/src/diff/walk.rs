//! The differences between runs that go together, in the order in which they came about: its turn, its decision, what it
//! wrote; then for each effect its arguments, how long it was waited for, how it ended, and what was written from it.

use zerver_trace::Decision;

use super::align::{Pair, Row};
use super::build::{At, Found, number, text, writes};
use super::model::What;
use super::value::equal;
use crate::shares::{EffectShare, RunShare, Shares};
use crate::{Effect, End, Run, Timeline};

pub(super) fn rows(a: (&Timeline, &Shares), b: (&Timeline, &Shares), rows: &[Row], found: &mut Found<'_>) {
    let notable = Notable::new(a.0.totals.total_ns, b.0.totals.total_ns);
    notable.check(At::whole(What::Receive), a.1.receive_ns, b.1.receive_ns, found);
    for (row_at, row) in rows.iter().enumerate() {
        let run_a = row.run.a.map(|at| (&a.0.runs[at], &a.1.runs[at]));
        let run_b = row.run.b.map(|at| (&b.0.runs[at], &b.1.runs[at]));
        let Some((any, _)) = run_b.or(run_a) else { continue };
        let at = At { what: What::Step, step: Some(&any.step), row: Some((row_at, None)), effect: None };
        match (run_a, run_b) {
            (Some(a), Some(b)) => run(&at, a, b, &row.effects, notable, found),
            _ => {
                let name = |run: Option<(&Run, _)>| run.map(|(run, _)| text(&run.step.name));
                found.add(at, "", name(run_a), name(run_b));
            }
        }
    }
}

fn run(
    at: &At<'_>,
    (a, a_share): (&Run, &RunShare),
    (b, b_share): (&Run, &RunShare),
    effects: &[Pair],
    notable: Notable,
    found: &mut Found<'_>,
) {
    notable.check(at.is(What::Queue), a_share.queue_ns, b_share.queue_ns, found);
    if let (Some(a), Some(b)) = (a.decision, b.decision)
        && a != b
    {
        let word = |decision: Decision| Some(text(decision.as_str()));
        found.add(at.is(What::Decision), "", word(a), word(b));
    }
    writes(&at.is(What::Slot), &a.wrote, &b.wrote, found);
    notable.check(at.is(What::Cpu), a_share.cpu_ns, b_share.cpu_ns, found);
    for (place, pair) in effects.iter().enumerate() {
        let effect_a = pair.a.map(|at| (&a.effects[at], a_share.effects[at]));
        let effect_b = pair.b.map(|at| (&b.effects[at], b_share.effects[at]));
        let Some((any, _)) = effect_b.or(effect_a) else { continue };
        let label = any.label();
        let row = at.row.map(|(row, _)| (row, Some(place)));
        let at = At { row, effect: Some(&label), ..at.is(What::Effect) };
        match (effect_a, effect_b) {
            (Some(a), Some(b)) => effect(&at, a, b, notable, found),
            _ => {
                let name = |effect: Option<(&Effect, _)>| effect.map(|(effect, _)| text(&effect.label()));
                found.add(at, "", name(effect_a), name(effect_b));
            }
        }
    }
}

fn effect(
    at: &At<'_>,
    (a, a_share): (&Effect, EffectShare),
    (b, b_share): (&Effect, EffectShare),
    notable: Notable,
    found: &mut Found<'_>,
) {
    found.compare(&at.is(What::EffectArgument), "", Some(&a.args), Some(&b.args), false);
    let timeout = |effect: &Effect| effect.attempts.first().and_then(|attempt| attempt.timeout_ns);
    if timeout(a) != timeout(b) {
        let at = at.is(What::EffectArgument);
        found.add(at, "timeout_ns", timeout(a).map(number), timeout(b).map(number));
    }
    notable.check(at.is(What::EffectWait), a_share.whole_ns(), b_share.whole_ns(), found);
    if a.attempts.len() != b.attempts.len() {
        let count = |effect: &Effect| Some(number(effect.attempts.len() as u64));
        found.add(at.is(What::EffectAttempts), "", count(a), count(b));
    }
    let at_result = at.is(What::EffectResult);
    match (&a.end, &b.end) {
        (End::Ok { output: a, .. }, End::Ok { output: b, .. }) => {
            if !equal(a, b) {
                found.compare(&at_result, "", Some(a), Some(b), false);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.add(at_result, "", Some(text(&a.to_string())), Some(text(&b.to_string()))),
    }
    writes(&at.is(What::Slot), &a.wrote, &b.wrote, found);
}

/// Times always differ. A difference is worth naming if it is at least a tenth of the whole difference, and a twentieth
/// of the longer request.
#[derive(Clone, Copy)]
struct Notable {
    least_ns: u64,
}

impl Notable {
    fn new(a_ns: u64, b_ns: u64) -> Self {
        Self { least_ns: (a_ns.abs_diff(b_ns) / 10).max(a_ns.max(b_ns) / 20).max(1) }
    }

    fn check(self, at: At<'_>, a_ns: u64, b_ns: u64, found: &mut Found<'_>) {
        if a_ns.abs_diff(b_ns) >= self.least_ns {
            found.add(at, "", Some(number(a_ns)), Some(number(b_ns)));
        }
    }
}
