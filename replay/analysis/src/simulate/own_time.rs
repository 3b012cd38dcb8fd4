//! Removes time that was not a step's own doing.
//!
//! Recorded times include time that the system gave to other programs. A service does not count that as exceeding the
//! quantum, but its measurements are in no trace. If the recorded times would have reclassified a flow and the service
//! did not, the excess was not the flow's own.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::Phase;

use super::recorded_load::RecordedRequest;
use super::step_medians::medians;

/// Limits the steps of flows that were never reclassified to their usual time, for the handover flows. Returns true if
/// that changed anything.
pub(super) fn limit_to_own_time(requests: &mut [RecordedRequest], flows: &[u16]) -> bool {
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
    let usual = medians(took);
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
