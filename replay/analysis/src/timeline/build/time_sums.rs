//! Sums over the rows of a timeline: durations of effects, and total time by cause.

use std::collections::BTreeMap;

use crate::timeline::rows::effect::{CompletionDelay, Effect, EffectEnd};
use crate::timeline::rows::timeline::StepRun;
use crate::timeline::totals::{KindTotals, Span, Spent, Totals, split, union, without};

/// Sets the end and the duration of an effect, once all its attempts are known.
pub(crate) fn close(effect: &mut Effect, total_ns: u64) {
    let mut end_ns = effect.start_ns;
    for attempt in &mut effect.attempts {
        if attempt.end == EffectEnd::Unanswered {
            attempt.duration_ns = total_ns.saturating_sub(attempt.start_ns);
        }
        end_ns = end_ns.max(attempt.start_ns.saturating_add(attempt.duration_ns));
    }
    effect.duration_ns = end_ns - effect.start_ns;
    let answered = effect.attempts.iter().find(|attempt| matches!(attempt.end, EffectEnd::Ok { .. }));
    match (effect.attempts.last(), answered) {
        // The other attempt of a hedge answered first.
        (Some(last), Some(answered)) if last.end == EffectEnd::Canceled => {
            effect.end = answered.end.clone();
        }
        (Some(last), _) => effect.end = last.end.clone(),
        (None, _) => {}
    }
}

/// Returns the time in which the effect was in flight. The request also waits between two attempts.
fn spans(effect: &Effect) -> Vec<Span> {
    let whole = (effect.start_ns, effect.start_ns.saturating_add(effect.duration_ns));
    if effect.attempts.iter().all(|attempt| attempt.completion_delays.is_empty()) {
        return vec![whole];
    }
    without(whole, effect.completion_delays().map(CompletionDelay::span))
}

fn clip((start, end): Span, total_ns: u64) -> Span {
    (start.min(total_ns), end.min(total_ns))
}

/// Returns the time in which any effect of a run was in flight.
pub(crate) fn io_of(run: &StepRun, total_ns: u64) -> u64 {
    union(run.effects.iter().flat_map(spans).map(|span| clip(span, total_ns)).collect())
}

/// Returns the total time of a request by cause.
pub(crate) fn totals(
    total_ns: u64,
    received_ns: Option<u64>,
    waited: Option<Span>,
    runs: &[StepRun],
) -> Totals {
    let effects = || runs.iter().flat_map(|run| &run.effects);
    let steps = runs.iter().flat_map(|run| {
        let end = run.start_ns.saturating_add(run.cpu_ns);
        [(Spent::Cpu, (run.start_ns, end)), (Spent::Queue, (run.ready_ns, run.start_ns))]
    });
    let waits = effects().flat_map(spans).map(|span| (Spent::Wait, span));
    let late =
        effects().flat_map(Effect::completion_delays).map(|late| (Spent::CompletionDelay, late.span()));
    let receive = received_ns.map(|at_ns| (Spent::Receive, (0, at_ns)));
    let waited = waited.map(|span| (Spent::Queue, span));
    let mut totals = split(total_ns, steps.chain(waits).chain(late).chain(receive).chain(waited));

    let mut kinds: BTreeMap<&str, (Vec<Span>, u64)> = BTreeMap::new();
    for effect in effects() {
        let (spans_of, calls) = kinds.entry(&effect.kind).or_default();
        spans_of.extend(spans(effect).into_iter().map(|span| clip(span, total_ns)));
        *calls += effect.attempts.len() as u64;
    }
    totals.io = kinds
        .into_iter()
        .map(|(kind, (spans, calls))| (kind.to_owned(), KindTotals { time_ns: union(spans), calls }))
        .collect();
    totals
}
