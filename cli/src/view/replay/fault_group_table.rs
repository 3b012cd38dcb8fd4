//! Outcomes of injected faults over many requests, as a table.

use std::collections::BTreeMap;

use zerver_trace::RequestId;
use zerver_trace::text::clean;

use super::fault_table::consequences;
use crate::service::fault_groups::{FaultCounts, FaultGroup};
use crate::view::table::Column::{Left, Right, Shrinks};
use crate::view::table::Table;
use crate::view::{count, paint, style};

/// Returns the table of the groups with a finding, or of all groups if it is verbose. `name` returns the name of a
/// request.
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
    let (verdict, kind) = match with_finding {
        0 => ("✓ no findings".to_owned(), style::PLAIN),
        n => (format!("✗ {n} with a finding"), style::BAD),
    };
    out += &format!(": {}\n", paint(kind, &verdict));
    let findings = groups.iter().filter(|group| group.finding.is_some()).count();
    let shown = if is_verbose { groups.len() } else { findings };
    let shows_consequences = groups[..shown].iter().any(|group| !group.trial.consequences.is_empty());
    let mut titles = vec![
        Right("times"),
        Left("flow"),
        Shrinks("effect"),
        Left("fault"),
        Left("status"),
        Left("outcome"),
        Left("example"),
    ];
    if shows_consequences {
        titles.push(Left("what was done"));
    }
    let mut table = Table::new(&titles);
    table.optional("example", 16);
    for group in &groups[..shown] {
        let (mark, kind) = match (group.finding, &*group.outcome) {
            (Some(_), _) => ("✗ ", style::BAD),
            (None, "unanswered" | "refused") => ("? ", style::WARN),
            (None, _) => ("✓ ", style::PLAIN),
        };
        let mut cells = vec![
            (style::PLAIN, group.count.to_string()),
            (style::PLAIN, clean(&group.flow).into_owned()),
            (style::STRONG, clean(&group.effect).into_owned()),
            (style::PLAIN, group.fault.to_owned()),
            (
                group.status.map_or(style::FAINT, style::status),
                group.status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
            ),
            (kind, format!("{mark}{}", clean(&group.outcome))),
            (style::ID, name(group.example)),
        ];
        if shows_consequences {
            cells.push((style::PLAIN, consequences(&group.trial.consequences)));
        }
        table.row(cells);
    }
    if shown > 0 {
        out += &table.draw(columns);
    }
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for (finding, count) in groups.iter().filter_map(|group| Some((group.finding?, group.count))) {
        *kinds.entry(finding).or_default() += count;
    }
    for (finding, times) in kinds {
        out += &format!("{} {}: {finding}\n", paint(style::BAD, "✗"), count(times, "time", "times"));
    }
    let left_out = (groups.len() - shown) as u64;
    if left_out > 0 {
        let groups = count(left_out, "group", "groups");
        out += &format!("and {groups} without a finding; use --verbose or --json to list all\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use zerver_replay::fault_trials;
    use zerver_testkit::sample;

    use super::*;
    use crate::service::fault_groups::FaultGroups;
    use crate::service::fault_trial::FaultOutcome;

    #[test]
    fn findings_come_first_and_are_explained_once() {
        let trace = sample::slow();
        let outcomes = |has_finding: bool| {
            let outcome = |trial| FaultOutcome {
                finding: has_finding.then_some("a step panicked"),
                outcome: if has_finding { "panicked" } else { "failed" }.to_owned(),
                ..FaultOutcome::from_error(trial, &crate::error::CommandError::new(""), true)
            };
            fault_trials(&trace).into_iter().take(2).map(outcome).collect::<Vec<_>>()
        };
        let mut groups = FaultGroups::default();
        groups.add(trace.id, "todos-item", outcomes(false));
        groups.add(trace.id, "todos-item", outcomes(true));
        groups.not_replayed();
        let (counts, groups) = (groups.counts(), groups.sorted());
        let shown = table(counts, &groups, &|id| id.short(8), false, Some(100));
        let shown = anstream::adapter::strip_str(&shown).to_string();
        insta::assert_snapshot!(shown, @"
        4 faults in 2 requests, 1 not replayed: ✗ 2 with a finding
        times  flow        effect                           fault    status  outcome     example
            1  todos-item  http GET idp.example.com/verify  error    -       ✗ panicked  019aa4c2
            1  todos-item  http GET idp.example.com/verify  timeout  -       ✗ panicked  019aa4c2
        ✗ 2 times: a step panicked
        and 2 groups without a finding; use --verbose or --json to list all
        ");
    }
}
