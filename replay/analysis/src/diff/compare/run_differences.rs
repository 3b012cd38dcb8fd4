//! Compares paired runs in causal order: the run queue, the decision, each effect with its arguments, its wait and its
//! end, and finally the writes, which follow from these.

use zerver_trace::Decision;

use crate::diff::compare::differences::{Differences, Subject, number, text};
use crate::diff::compare::outcome;
use crate::diff::compare::slot_writes::{PlacedWrite, writes};
use crate::diff::difference::DifferenceKind;
use crate::diff::pairing::{Pair, RunPair};
use crate::time_attribution::{EffectShare, RunShare, TimeShares};
use crate::{Effect, EffectEnd, StepRun, Timeline};

pub(crate) fn rows(
    a: (&Timeline, &TimeShares),
    b: (&Timeline, &TimeShares),
    rows: &[RunPair],
    found: &mut Differences<'_>,
) {
    let notable = Notable::new(a.0.totals.total_ns, b.0.totals.total_ns);
    notable.check(Subject::whole(DifferenceKind::Receive), a.1.receive_ns, b.1.receive_ns, found);
    for (row_at, row) in rows.iter().enumerate() {
        let run_a = row.run.a.map(|at| (&a.0.runs[at], &a.1.runs[at]));
        let run_b = row.run.b.map(|at| (&b.0.runs[at], &b.1.runs[at]));
        let Some((any, _)) = run_b.or(run_a) else { continue };
        let at = Subject {
            what: DifferenceKind::Step,
            step: Some(&any.step),
            row: Some((row_at, None)),
            effect: None,
        };
        match (run_a, run_b) {
            (Some(a), Some(b)) => run(&at, a, b, &row.effects, notable, found),
            // The run may be among the dropped events.
            _ if found.may_lack(run_a.is_some(), run_b.is_some()) => {}
            _ => {
                let name = |run: Option<(&StepRun, _)>| run.map(|(run, _)| text(&run.step.name));
                found.add(at, "", name(run_a), name(run_b));
            }
        }
    }
}

fn run(
    at: &Subject<'_>,
    (a, a_share): (&StepRun, &RunShare),
    (b, b_share): (&StepRun, &RunShare),
    effects: &[Pair],
    notable: Notable,
    found: &mut Differences<'_>,
) {
    notable.check(at.is(DifferenceKind::Queue), a_share.queue_ns, b_share.queue_ns, found);
    if let (Some(a), Some(b)) = (a.decision, b.decision)
        && a != b
    {
        let word = |decision: Decision| Some(text(decision.as_str()));
        found.add(at.is(DifferenceKind::Decision), "", word(a), word(b));
    }
    let progress = (a.progress.as_ref(), b.progress.as_ref());
    if let (Some(a), Some(b)) = progress {
        found.compare(&at.is(DifferenceKind::Progress), "", Some(a), Some(b), false);
    }
    notable.check(at.is(DifferenceKind::Cpu), a_share.cpu_ns, b_share.cpu_ns, found);
    let mut labels = Vec::with_capacity(effects.len());
    for (place, pair) in effects.iter().enumerate() {
        let effect_a = pair.a.map(|at| (&a.effects[at], a_share.effects[at]));
        let effect_b = pair.b.map(|at| (&b.effects[at], b_share.effects[at]));
        let Some((any, _)) = effect_b.or(effect_a) else { continue };
        let label = any.label();
        let row = at.row.map(|(row, _)| (row, Some(place)));
        let at = Subject { row, effect: Some(&label), ..at.is(DifferenceKind::Effect) };
        match (effect_a, effect_b) {
            (Some(a), Some(b)) => effect(&at, a, b, notable, found),
            _ if found.may_lack(effect_a.is_some(), effect_b.is_some()) => {}
            _ => {
                let name = |effect: Option<(&Effect, _)>| effect.map(|(effect, _)| text(&effect.label()));
                found.add(at, "", name(effect_a), name(effect_b));
            }
        }
        labels.push(label);
    }
    let of_a = placed(a, effects.iter().map(|pair| pair.a), &labels);
    let of_b = placed(b, effects.iter().map(|pair| pair.b), &labels);
    writes(&at.is(DifferenceKind::Slot), &of_a, &of_b, found);
}

/// Returns the writes of a run and of the answers of its effects.
fn placed<'t>(
    run: &'t StepRun,
    effects: impl Iterator<Item = Option<usize>>,
    labels: &'t [String],
) -> Vec<PlacedWrite<'t>> {
    let own = run.writes.iter().map(|write| PlacedWrite { write, effect: None });
    let from_effects = effects.zip(labels).enumerate().flat_map(|(place, (effect, label))| {
        let wrote = effect.map_or(&[][..], |at| &run.effects[at].writes);
        wrote.iter().map(move |write| PlacedWrite { write, effect: Some((place, label)) })
    });
    own.chain(from_effects).collect()
}

fn effect(
    at: &Subject<'_>,
    (a_effect, a_share): (&Effect, EffectShare),
    (b_effect, b_share): (&Effect, EffectShare),
    notable: Notable,
    found: &mut Differences<'_>,
) {
    found.compare(
        &at.is(DifferenceKind::EffectArgument),
        "",
        Some(&a_effect.args),
        Some(&b_effect.args),
        false,
    );
    let timeout = |effect: &Effect| effect.attempts.first().and_then(|attempt| attempt.timeout_ns);
    if timeout(a_effect) != timeout(b_effect) {
        let at = at.is(DifferenceKind::EffectArgument);
        found.add(at, "timeout_ns", timeout(a_effect).map(number), timeout(b_effect).map(number));
    }
    notable.check(at.is(DifferenceKind::EffectWait), a_share.whole_ns(), b_share.whole_ns(), found);
    if a_effect.attempts.len() != b_effect.attempts.len() {
        let count = |effect: &Effect| Some(number(effect.attempts.len() as u64));
        found.add(at.is(DifferenceKind::EffectAttempts), "", count(a_effect), count(b_effect));
    }
    if a_effect.injected_faults() != b_effect.injected_faults() {
        let rules = |effect: &Effect| {
            let rules = effect.injected_faults_in_words();
            (!rules.is_empty()).then(|| text(&rules.join(", ")))
        };
        found.add(at.is(DifferenceKind::InjectedFault), "", rules(a_effect), rules(b_effect));
    }
    let at_result = at.is(DifferenceKind::EffectResult);
    // All attempts but the last failed and were retried.
    for (number, (a, b)) in (1..).zip(std::iter::zip(&a_effect.attempts, &b_effect.attempts)) {
        let is_last = |of: &Effect| number == of.attempts.len();
        if !is_last(a_effect) && !is_last(b_effect) {
            ended(at_result, &format!("of attempt {number}"), [(&a.end, a.call), (&b.end, b.call)], found);
        }
    }
    let call = |effect: &Effect| effect.attempts.last().map_or(0, |attempt| attempt.call);
    ended(at_result, "", [(&a_effect.end, call(a_effect)), (&b_effect.end, call(b_effect))], found);
}

/// Compares the ends of two attempts.
fn ended(
    at: Subject<'_>,
    path: &str,
    [(a, a_call), (b, b_call)]: [(&EffectEnd, u32); 2],
    found: &mut Differences<'_>,
) {
    match (a, b) {
        (EffectEnd::Ok { output: a, .. }, EffectEnd::Ok { output: b, .. }) => {
            found.compare(&at, path, Some(a), Some(b), false);
        }
        // The answer may be among the dropped events.
        (a, b) if found.may_lack(*a != EffectEnd::Unanswered, *b != EffectEnd::Unanswered) => {}
        (EffectEnd::Err(a), EffectEnd::Err(b)) => {
            outcome::errors(at, path, [(a, a_call), (b, b_call)], found)
        }
        (a, b) if a == b => {}
        (a, b) => found.add(at, path, Some(text(&a.to_string())), Some(text(&b.to_string()))),
    }
}

/// Threshold for differences in time, because times always differ: a tenth of the total difference, and at least a
/// twentieth of the longer request.
#[derive(Clone, Copy)]
struct Notable {
    least_ns: u64,
}

impl Notable {
    fn new(a_ns: u64, b_ns: u64) -> Self {
        Self { least_ns: (a_ns.abs_diff(b_ns) / 10).max(a_ns.max(b_ns) / 20).max(1) }
    }

    fn check(self, at: Subject<'_>, a_ns: u64, b_ns: u64, found: &mut Differences<'_>) {
        if a_ns.abs_diff(b_ns) >= self.least_ns {
            found.add(at, "", Some(number(a_ns)), Some(number(b_ns)));
        }
    }
}
