//! What of the time of a step is its own doing. The clock also counts what the system gave to other programs; a service
//! does not take that for an overrun, and what it found out is in no trace. But where a flow would have been moved to low
//! priority by the clock, and was not, its overruns were not its own.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::Phase;

use super::recorded_load::Recorded;
use super::step_medians::usual;

/// Takes from the steps of flows that were never moved what is not their own doing: all beyond what they take in most
/// cases. Of these flows; whether that changed anything.
pub(super) fn disown(requests: &mut [Recorded], flows: &[u16]) -> bool {
    let moved: BTreeSet<u16> =
        requests.iter().filter(|recorded| recorded.is_slow).map(|recorded| recorded.load.flow).collect();
    let mut took: BTreeMap<(u16, u16), Vec<u64>> = BTreeMap::new();
    for load in requests.iter().map(|recorded| &recorded.load) {
        if moved.contains(&load.flow) || !flows.contains(&load.flow) {
            continue;
        }
        for part in &load.phases {
            if let Phase::Step { step, cost, .. } = *part {
                took.entry((load.flow, step)).or_default().push(cost.run_ns);
            }
        }
    }
    let usual = usual(took);
    let mut changes = false;
    for load in requests.iter_mut().map(|recorded| &mut recorded.load) {
        for part in &mut load.phases {
            if let Phase::Step { step, charged_ns, .. } = part
                && let Some(usual_ns) = usual.get(&(load.flow, *step))
                && usual_ns < charged_ns
            {
                (*charged_ns, changes) = (*usual_ns, true);
            }
        }
    }
    changes
}
