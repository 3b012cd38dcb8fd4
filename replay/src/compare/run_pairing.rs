//! Pairs recorded step runs with today's.

use std::collections::BTreeMap;

use zerver_trace::FlowInfo;

use crate::observed::ObservedRun;

/// A recorded step run and today's, with the index of the latter.
pub(crate) type Pair<'f> = (Option<&'f ObservedRun<'f>>, Option<(usize, &'f ObservedRun<'f>)>);

/// Pairs runs of the same steps, in the order of the flow.
pub(crate) fn align<'f>(
    today: &FlowInfo,
    then: &'f [ObservedRun<'f>],
    now: &'f [ObservedRun<'f>],
) -> Vec<Pair<'f>> {
    let key = |run: &'f ObservedRun<'f>| (&*run.name, run.occurrence);
    let places = |runs: &'f [ObservedRun<'f>]| -> BTreeMap<_, usize> {
        runs.iter().enumerate().map(|(at, run)| (key(run), at)).collect()
    };
    let (in_then, in_now) = (places(then), places(now));
    let is_ahead =
        |places: &BTreeMap<_, usize>, run, from| places.get(&key(run)).is_some_and(|at| *at >= from);
    let (mut pairs, mut i, mut j): (Vec<Pair<'f>>, _, _) = (Vec::new(), 0, 0);
    while i < then.len() || j < now.len() {
        let pair = match (then.get(i), now.get(j)) {
            (Some(a), Some(b)) if key(a) == key(b) => (Some(a), Some((j, b))),
            (Some(a), Some(b)) if is_ahead(&in_now, a, j) => (None, Some((j, b))),
            (Some(a), Some(b)) if is_ahead(&in_then, b, i) => (Some(a), None),
            // Both steps exist on one side only, and the recorded one is gone: it was renamed.
            (Some(a), Some(b)) if !has_step(today, &a.name) && b.occurrence == 0 => (Some(a), Some((j, b))),
            (Some(a), _) => (Some(a), None),
            (None, b) => (None, b.map(|b| (j, b))),
        };
        i += usize::from(pair.0.is_some());
        j += usize::from(pair.1.is_some());
        pairs.push(pair);
    }
    pairs
}

pub(crate) fn has_step(flow: &FlowInfo, name: &str) -> bool {
    flow.steps.iter().any(|step| step.name == name)
}
