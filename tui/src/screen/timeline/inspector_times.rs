//! Times in the inspector: where the time of the request went, and how it compares with other requests of its flow.

use zerver_analysis::{Correlation, ValueGroup, Why};
use zerver_trace::duration;

use super::inspector_lines::InspectorLines;
use super::summary_lines as head;
use crate::draw::{StyledLine, Tone};
use crate::state::LoadedTrace;

/// Number of intervals of durations above which empty ones are left out.
const MAX_BUCKETS: usize = 16;
/// Width of the longest bar.
const BAR_WIDTH: u64 = 24;
/// Maximum number of parts and fields in the comparison.
const MAX_PARTS: usize = 6;

/// Adds the parts of the time, which add up to the whole, and what is missing.
pub(super) fn time(tree: &mut InspectorLines<'_>, loaded: &LoadedTrace) {
    let totals = &loaded.timeline.totals;
    tree.head("where the time went");
    let parts = [
        ("effects", totals.wait_ns, Tone::Effect),
        ("cpu", totals.cpu_ns, Tone::Cpu),
        ("queue", totals.queue_ns, Tone::Queue),
        ("late", totals.completion_delay_ns, Tone::Warn),
        ("body", totals.receive_ns, Tone::Secondary),
        ("unknown", totals.unexplained_ns, Tone::Warn),
    ];
    let all = parts.map(|(_, ns, _)| ns);
    for ((name, ns, tone), time) in parts.into_iter().zip(duration::show_parts(&all)) {
        if ns > 0 {
            let whole = u128::from(totals.total_ns.max(1));
            let percent = match (u128::from(ns) * 100 + whole / 2) / whole {
                0 => "<1%".to_owned(),
                percent => format!("{percent}%"),
            };
            tree.field(name, &format!("{time}  {percent}"), tone);
        }
    }
    for (kind, io) in &totals.io {
        let calls = if io.calls == 1 { "call" } else { "calls" };
        tree.field(kind, &format!("{} in {} {calls}", duration::show(io.time_ns), io.calls), Tone::Text);
    }
    for read in &loaded.timeline.read_delays {
        tree.field("read late", &read.to_string(), Tone::Warn);
    }
    for gap in &loaded.timeline.gaps {
        tree.field("missing", &gap.to_string(), Tone::Warn);
    }
}

/// Adds the distribution of the durations, with the place of this request.
fn distribution(tree: &mut InspectorLines<'_>, why: &Why, duration_ns: u64) {
    let most = why.durations.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
    let is_long = why.durations.len() > MAX_BUCKETS;
    for bucket in why.durations.iter().filter(|bucket| bucket.count > 0 || !is_long) {
        let is_here = bucket.contains(duration_ns);
        let bar = usize::try_from((bucket.count * BAR_WIDTH).div_ceil(most)).unwrap_or(0);
        let mut line = StyledLine::new(format!(" {:>8} ", duration::show(bucket.from_ns)), Tone::Secondary)
            .with(tree.bar.repeat(bar), if is_here { Tone::Warn } else { Tone::Effect })
            .with(format!(" {}", bucket.count), Tone::Text);
        if is_here {
            line = line
                .with(format!("  {} you are here: {}", tree.arrow, duration::show(duration_ns)), Tone::Warn);
        }
        tree.line(line);
    }
}

/// Adds the comparison with other requests of the flow.
pub(super) fn comparison(
    tree: &mut InspectorLines<'_>,
    why: Option<&Result<std::sync::Arc<Why>, String>>,
    duration_ns: u64,
) {
    let why = match why {
        None => return,
        Some(Err(error)) => {
            tree.head("compared with others of its flow");
            return tree.field("", error, Tone::Bad);
        }
        Some(Ok(why)) => why,
    };
    if why.total.others == 0 {
        return;
    }
    let others = if why.total.others == 1 { "other" } else { "others" };
    tree.head(&format!("compared with {} {others} of its flow", why.total.others));
    let slower = |standing: &zerver_analysis::RankedTime| {
        format!("{}; median {}", head::slower(standing), duration::show(standing.median_ns))
    };
    tree.field("total", &slower(&why.total), Tone::Strong);
    distribution(tree, why, duration_ns);
    for part in why.parts.iter().filter(|part| part.time_ns > part.median_ns).take(MAX_PARTS) {
        let name = match &part.part {
            zerver_analysis::TimePart::Effect { step, what } => format!("{what} in {step}"),
            zerver_analysis::TimePart::Phase { step, what, phase } => format!("{phase}: {what} in {step}"),
            zerver_analysis::TimePart::PolicyWait { step, what } => format!("{what} in {step}"),
            place => place.step().unwrap_or("the request").to_owned(),
        };
        tree.field(
            part.part.kind(),
            &format!("{name}: {}, {}", duration::show(part.time_ns), slower(part)),
            Tone::Text,
        );
    }
    if !why.is_enough() {
        tree.field("", "too few requests to find what correlates with latency", Tone::Secondary);
    }
    for finding in why.associations.iter().take(MAX_PARTS) {
        let here = finding.value.as_ref().map_or(String::new(), |here| format!(", here {here}"));
        let field = &finding.field;
        let how = match &finding.correlation {
            Correlation::Rank(correlation) if *correlation > 0.0 => format!("the higher {field}, the slower"),
            Correlation::Rank(_) => format!("the lower {field}, the slower"),
            Correlation::Groups(groups) => match groups.first() {
                Some(ValueGroup { value: Some(value), median_ns, .. }) => {
                    format!("slowest with {field} {value}, median {}", duration::show(*median_ns))
                }
                _ => format!("slowest without {field}"),
            },
        };
        let text = format!("{how}{here} ({} requests)", finding.requests);
        tree.field("field", &text, Tone::Text);
    }
}
