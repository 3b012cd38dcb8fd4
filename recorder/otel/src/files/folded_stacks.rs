//! Folded stacks, from which flame graphs are drawn (`flamegraph.pl`, inferno, speedscope): one line for each stack, and how
//! long it lasted, in nanoseconds.
//!
//! Each instant of a request counts once, so the lines of a request add up to its duration. Of calls in flight at the same
//! time, the one that ends last gets the time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use zerver_analysis::{Timeline, attribute_time, generalize};
use zerver_trace::Trace;

/// Returns the stacks of traces, with those that are alike added up: flow, step, and what the time was spent on.
pub fn folded_stacks<'t>(traces: impl IntoIterator<Item = &'t Trace>) -> String {
    let mut stacks: BTreeMap<String, u64> = BTreeMap::new();
    for trace in traces {
        let timeline = Timeline::of(trace);
        let shares = attribute_time(&timeline);
        let flow = if trace.flow.name.is_empty() { "(no flow)" } else { trace.flow.name.as_str() };
        let mut add = |frames: &[&str], ns: u64| {
            if ns > 0 {
                let stack: Vec<_> = std::iter::once(&flow).chain(frames).map(|text| frame(text)).collect();
                let sum = stacks.entry(stack.join(";")).or_default();
                *sum = sum.saturating_add(ns);
            }
        };
        add(&["(reading the body)"], shares.receive_ns);
        add(&["(waiting in the run queue)"], shares.queue_ns);
        add(&["(unexplained)"], shares.unexplained_ns);
        for (run, share) in timeline.runs.iter().zip(&shares.runs) {
            let step = run.step.name.as_str();
            add(&[step], share.cpu_ns);
            add(&[step, "(waiting in the run queue)"], share.queue_ns);
            add(&[step, "(answers that waited for the worker)"], share.completion_delay_ns);
            for (effect, share) in run.effects.iter().zip(&share.effects) {
                let label = generalize(&effect.label());
                add(&[step, &label], share.wait_ns);
                add(&[step, &label, "(queued)"], share.queued_ns);
                add(&[step, &label, "(earlier attempts)"], share.retry_ns);
            }
        }
    }
    stacks.iter().fold(String::new(), |mut out, (stack, ns)| {
        let _ = writeln!(out, "{stack} {ns}");
        out
    })
}

/// Returns a text as the name of a frame: on one line, and without the separator.
fn frame(text: &str) -> String {
    let name: String = text.chars().map(|c| if c == ';' || c.is_control() { ' ' } else { c }).collect();
    if name.trim().is_empty() { "(unnamed)".to_owned() } else { name.trim().to_owned() }
}
