//! From traces to a load: when each request could first run, and what it did then.

use std::collections::BTreeMap;

use zerver_engine::{Load, LoadPart};
use zerver_trace::{Class, Event, Trace};

/// A recorded request, as far as a scheduler can see.
pub(super) struct Recorded {
    pub(super) load: Load,
    pub(super) flow: String,
    pub(super) class: Class,
    /// From its head to its answer.
    pub(super) duration_ns: u64,
    pub(super) queue_ns: u64,
    /// What of that lies before its first step could run, and after its last one: the same in every simulation.
    pub(super) around_ns: u64,
}

/// The requests that ran a step, in the order of their arrival, and how many did not.
pub(super) fn load(traces: &[Trace]) -> (Vec<Recorded>, usize) {
    let first_ns = traces.iter().map(|trace| trace.started_unix_ns).min().unwrap_or(0);
    let names: BTreeMap<&str, u16> = {
        let mut names: Vec<&str> = traces.iter().map(|trace| trace.flow.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        std::iter::zip(names, 0..).collect()
    };
    let mut all: Vec<Recorded> = traces
        .iter()
        .filter_map(|trace| {
            let flow = names.get(trace.flow.name.as_str()).copied()?;
            one(trace, flow, trace.started_unix_ns - first_ns)
        })
        .collect();
    all.sort_by_key(|recorded| recorded.load.at_ns);
    let left_out = traces.len() - all.len();
    (all, left_out)
}

fn one(trace: &Trace, flow: u16, began_ns: u64) -> Option<Recorded> {
    let mut parts = Vec::new();
    let (mut queue_ns, mut first_ns, mut end_ns) = (0, None, 0_u64);
    for event in &trace.events {
        let &Event::Ran { step, ready_ns, at_ns, cpu_ns, .. } = event else { continue };
        match first_ns {
            None => first_ns = Some(ready_ns),
            Some(_) if ready_ns > end_ns => parts.push(LoadPart::Wait { ns: ready_ns - end_ns }),
            Some(_) => {}
        }
        parts.push(LoadPart::Step { step, ns: cpu_ns });
        queue_ns = u64::saturating_add(queue_ns, at_ns.saturating_sub(ready_ns));
        end_ns = end_ns.max(at_ns.saturating_add(cpu_ns));
    }
    let first_ns = first_ns?;
    Some(Recorded {
        load: Load { at_ns: began_ns.saturating_add(first_ns), class: trace.class, flow, parts },
        flow: trace.flow.name.clone(),
        class: trace.class,
        duration_ns: trace.duration_ns,
        queue_ns,
        around_ns: first_ns.saturating_add(trace.duration_ns.saturating_sub(end_ns)),
    })
}
