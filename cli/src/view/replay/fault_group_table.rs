//! Outcomes of injected faults over many requests, as a table.

use zerver_trace::RequestId;
use zerver_trace::text::clean;

use super::fault_table::consequences;
use crate::service::fault_groups::{FaultCounts, FaultGroup};
use crate::view::table::Column::{Left, Right, Shrinks};
use crate::view::table::Table;
use crate::view::{count, paint, style};

/// Maximum number of groups without a finding, unless the table is verbose.
const MAX_PLAIN: usize = 20;

/// Returns the table. `name` returns the name of a request.
pub(crate) fn table(
    counts: FaultCounts,
    groups: &[FaultGroup],
    name: &dyn Fn(RequestId) -> String,
    is_verbose: bool,
    columns: Option<usize>,
) -> String {
    let FaultCounts { requests, not_replayed, trials, with_finding } = counts;
    let (requests, trials) = (count(requests, "request", "requests"), count(trials, "fault", "faults"));
    let mut out = format!("{trials} in {requests}");
    if not_replayed > 0 {
        out += &format!(", {not_replayed} not replayed");
    }
    let (word, kind) = match with_finding {
        0 => ("✓ no findings".to_owned(), style::PLAIN),
        n => (format!("✗ {n} with a finding"), style::BAD),
    };
    out += &format!(": {}\n", paint(kind, &word));
    let findings = groups.iter().filter(|group| group.finding.is_some()).count();
    let shown = if is_verbose { groups.len() } else { groups.len().min(findings + MAX_PLAIN) };
    let mut table = Table::new(&[
        Right("times"),
        Left("flow"),
        Shrinks("effect"),
        Left("fault"),
        Left("status"),
        Left("outcome"),
        Left("example"),
    ]);
    table.optional("example", 16);
    for group in &groups[..shown] {
        let (mark, kind) = match (group.finding, &*group.outcome) {
            (Some(_), _) => ("✗ ", style::BAD),
            (None, "unanswered" | "refused") => ("? ", style::WARN),
            (None, _) => ("✓ ", style::PLAIN),
        };
        let done = consequences(&group.trial.consequences);
        let done = if done.is_empty() { done } else { format!("; {done}") };
        let finding = group.finding.map_or_else(String::new, |finding| format!(": {finding}"));
        table.row(vec![
            (style::PLAIN, group.count.to_string()),
            (style::PLAIN, clean(&group.flow).into_owned()),
            (style::STRONG, clean(&group.effect).into_owned()),
            (style::PLAIN, group.fault.to_owned()),
            (
                group.status.map_or(style::FAINT, style::status),
                group.status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
            ),
            (kind, format!("{mark}{}{finding}{done}", clean(&group.outcome))),
            (style::ID, name(group.example)),
        ]);
    }
    if !groups.is_empty() {
        out += &table.draw(columns);
    }
    let left_out = (groups.len() - shown) as u64;
    if left_out > 0 {
        let groups = count(left_out, "other group", "other groups");
        out += &format!("and {groups} without a finding; use --verbose or --json to list all\n");
    }
    out
}
