//! The ends of the effects of a recorded request, and the order in which a test plans their results.

use std::collections::BTreeMap;

use zerver_trace::{Answer, Event, PolicyDecision, Recorded, Trace};

/// End of an effect in a recording.
#[derive(Clone, Copy, Default)]
pub(super) struct EffectEnd<'t> {
    at: usize,
    pub(super) answer: Option<&'t Answer<Recorded>>,
    /// Call that plans what the policy of the target has decided about another attempt.
    pub(super) decision: Option<&'static str>,
}

impl EffectEnd<'_> {
    /// Returns its position among the ends. Effects that never ended come last.
    pub(super) const fn position(&self) -> usize {
        match self.answer {
            Some(Answer::Ok(_) | Answer::Err(_)) => self.at,
            Some(Answer::Canceled) | None => usize::MAX,
        }
    }
}

/// Returns the ends of all effects, by the numbers of their calls.
pub(super) fn effect_ends(trace: &Trace) -> BTreeMap<u32, EffectEnd<'_>> {
    let mut ends: BTreeMap<u32, EffectEnd<'_>> = BTreeMap::new();
    for (at, event) in trace.events.iter().enumerate() {
        match event {
            Event::EffectCompleted { call, answer, .. } => {
                let end = ends.entry(*call).or_default();
                (end.at, end.answer) = (at, Some(answer));
            }
            Event::PolicyDecided { call, decision, .. } => {
                let planned = match decision {
                    PolicyDecision::Retried | PolicyDecision::RetryAfterObeyed => "repeated()",
                    PolicyDecision::BudgetExhausted | PolicyDecision::RetryAfterTooLong => "not_repeated()",
                    _ => continue,
                };
                ends.entry(*call).or_default().decision = Some(planned);
            }
            _ => {}
        }
    }
    ends
}

/// Orders planned results by their positions; those with the same key among each other stay in the given order.
pub(super) fn in_order<K: Ord + Clone>(
    planned: Vec<(usize, K, String, Option<&'static str>)>,
) -> impl Iterator<Item = String> {
    let mut positions: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (position, key, ..) in planned.iter().rev() {
        positions.entry(key.clone()).or_default().push(*position);
    }
    // The last of each is the smallest.
    positions.values_mut().for_each(|positions| positions.sort_unstable_by(|a, b| b.cmp(a)));
    let placed = planned.into_iter().map(|(position, key, answer, decision)| {
        let position = positions.get_mut(&key).and_then(Vec::pop).unwrap_or(position);
        (position, answer, decision)
    });
    let mut placed: Vec<_> = placed.collect();
    placed.sort_by_key(|(position, ..)| *position);
    placed.into_iter().flat_map(|(_, answer, decision)| [Some(answer), decision.map(str::to_owned)]).flatten()
}
