//! Summary of many replays: findings grouped by cause, and the reasons why requests were not replayed.

use std::collections::BTreeMap;

use serde::Serialize;
use zerver_replay::{Finding, FindingClass, Report, ReportedValue, Sameness, SourceLocation};
use zerver_trace::RequestId;

use crate::generalized_text::generalize;

/// Maximum number of groups. Findings beyond it are only counted.
const MAX_GROUPS: usize = 1000;

/// Summary of many replays. Its size depends on the number of causes, not on the number of requests.
#[derive(Debug, Default)]
pub struct Corpus {
    tally: CorpusCounts,
    findings: BTreeMap<FindingCause, FindingGroup>,
    not_replayed: BTreeMap<String, NotReplayedGroup>,
}

/// Numbers of requests, decisions and effects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CorpusCounts {
    /// Requests that were replayed or could not be.
    pub requests: u64,
    /// Requests that were reproduced completely.
    pub same: u64,
    /// Requests with findings.
    pub different: u64,
    /// Requests that could not be replayed as recorded. They are neither the same nor different.
    pub not_replayed: u64,
    /// Recorded decisions that came out the same.
    pub decisions_reproduced: u64,
    /// Recorded decisions of the replayed requests.
    pub decisions_recorded: u64,
    /// Effects answered from the recordings.
    pub effects_replayed: u64,
    /// Requests with recorded values that could not be compared, such as a body that was cut.
    pub partly_compared: u64,
    /// Findings that are in no group because there are too many groups.
    pub ungrouped: u64,
    /// Requests without findings for which not everything could be compared.
    pub incomplete: u64,
}

/// Common cause of findings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FindingCause {
    /// Class of the difference.
    pub class: FindingClass,
    /// Name of the flow.
    pub flow: String,
    /// Name of the step; empty for findings about the request as a whole.
    pub step: String,
    /// Field that differs, with `*` for each number: `response.body.*.title`, `kv get todo:*`.
    pub field: String,
}

/// Findings with one cause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingGroup {
    /// Number of requests with this cause.
    pub requests: u64,
    /// Number of requests in which it is the first finding. Later findings may follow from it.
    pub first_in: u64,
    /// Example of such a request.
    #[serde(serialize_with = "as_text")]
    pub example: RequestId,
    /// Recorded side in the example.
    pub expected: ReportedValue,
    /// Today's side in the example.
    pub got: ReportedValue,
    /// Source location of the step.
    pub source: Option<SourceLocation>,
}

/// Requests that were not replayed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotReplayedGroup {
    /// Number of requests.
    pub requests: u64,
    /// Example of such a request.
    #[serde(serialize_with = "as_text")]
    pub example: RequestId,
}

impl Corpus {
    /// Adds the report on one request.
    pub fn add(&mut self, id: RequestId, flow: &str, report: &Report) {
        self.tally.requests += 1;
        if let Some(missing) = report.missing_inputs.first() {
            return self.not_run(id, &missing.description());
        }
        let coverage = &report.coverage;
        self.tally.decisions_reproduced += u64::from(coverage.decisions_reproduced);
        self.tally.decisions_recorded += u64::from(coverage.decisions_recorded);
        self.tally.effects_replayed += u64::from(coverage.effects_replayed);
        self.tally.partly_compared += u64::from(!report.not_compared.is_empty());
        match report.sameness() {
            Sameness::Same => return self.tally.same += 1,
            Sameness::Incomplete => return self.tally.incomplete += 1,
            Sameness::Different => self.tally.different += 1,
        }
        let mut seen = Vec::new();
        for (at, finding) in report.findings.iter().enumerate() {
            let cause = FindingCause {
                class: finding.class,
                flow: flow.to_owned(),
                step: finding.step.clone(),
                field: generalize(&finding.field),
            };
            if !seen.contains(&cause) {
                self.found(&cause, id, finding, at == 0);
                seen.push(cause);
            }
        }
    }

    fn found(&mut self, cause: &FindingCause, id: RequestId, finding: &Finding, is_first: bool) {
        if let Some(group) = self.findings.get_mut(cause) {
            group.requests += 1;
            group.first_in += u64::from(is_first);
        } else if self.findings.len() < MAX_GROUPS {
            let Finding { expected, got, source, .. } = finding.clone();
            let group =
                FindingGroup { requests: 1, first_in: is_first.into(), example: id, expected, got, source };
            self.findings.insert(cause.clone(), group);
        } else {
            self.tally.ungrouped += 1;
        }
    }

    fn not_run(&mut self, id: RequestId, reason: &str) {
        self.tally.not_replayed += 1;
        let reason = generalize(reason);
        let is_known = self.not_replayed.contains_key(&reason);
        let reason =
            if is_known || self.not_replayed.len() < MAX_GROUPS { reason } else { "other".to_owned() };
        self.not_replayed.entry(reason).or_insert(NotReplayedGroup { requests: 0, example: id }).requests +=
            1;
    }

    /// Returns the counts.
    pub const fn counts(&self) -> CorpusCounts {
        self.tally
    }

    /// Returns the verdict on the replayed requests.
    pub const fn sameness(&self) -> Sameness {
        Sameness::of(self.tally.different > 0, self.tally.incomplete == 0)
    }

    /// Returns the findings by cause, those first that are most often a request's first.
    pub fn findings(&self) -> Vec<(&FindingCause, &FindingGroup)> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        findings.sort_by_key(|(_, group)| std::cmp::Reverse((group.first_in, group.requests)));
        findings
    }

    /// Returns the reasons why requests were not replayed, the most frequent first.
    pub fn not_replayed(&self) -> Vec<(&str, &NotReplayedGroup)> {
        let mut reasons: Vec<_> =
            self.not_replayed.iter().map(|(text, reason)| (text.as_str(), reason)).collect();
        reasons.sort_by_key(|(_, reason)| std::cmp::Reverse(reason.requests));
        reasons
    }
}

fn as_text<S: serde::Serializer>(id: &RequestId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_replay::{Coverage, MissingInput};

    fn finding(step: &str, field: &str) -> Finding {
        Finding {
            class: FindingClass::CodeChanged,
            step: step.into(),
            field: field.into(),
            expected: ReportedValue::text("a"),
            got: ReportedValue::text("b"),
            source: None,
        }
    }

    fn id(n: u64) -> RequestId {
        RequestId::from_u128(n.into())
    }

    #[test]
    fn findings_are_grouped_by_cause_and_ordered_by_how_often_they_come_first() {
        let mut corpus = Corpus::default();
        let coverage = Coverage {
            decisions_reproduced: 2,
            decisions_recorded: 3,
            effects_replayed: 1,
            ..Coverage::default()
        };
        for n in 0..5 {
            let mut findings =
                vec![finding("load", &format!("kv get todo:{n}")), finding("", "response.body.0.title")];
            findings.push(finding("", "response.body.1.title"));
            corpus.add(id(n), "show", &Report { coverage, findings, ..Report::default() });
        }
        corpus.add(id(9), "show", &Report { coverage, ..Report::default() });
        let impossible = vec![MissingInput::Authority { reason: "lost".to_owned() }];
        corpus.add(id(10), "show", &Report { missing_inputs: impossible, ..Report::default() });
        let told: Vec<_> = corpus
            .findings()
            .iter()
            .map(|(cause, group)| (cause.field.clone(), group.requests, group.first_in, group.example))
            .collect();
        assert_eq!(
            told,
            [("kv get todo:*".to_owned(), 5, 5, id(0)), ("response.body.*.title".to_owned(), 5, 0, id(0))]
        );
        assert_eq!(
            corpus.not_replayed(),
            [("the authority: lost", &NotReplayedGroup { requests: 1, example: id(10) })]
        );
        let wanted = CorpusCounts {
            requests: 7,
            same: 1,
            different: 5,
            not_replayed: 1,
            decisions_reproduced: 12,
            decisions_recorded: 18,
            effects_replayed: 6,
            ..CorpusCounts::default()
        };
        assert_eq!(corpus.counts(), wanted);
        assert_eq!(corpus.sameness(), Sameness::Different);
    }

    #[test]
    fn the_number_of_groups_is_bounded() {
        let mut corpus = Corpus::default();
        for n in 0..MAX_GROUPS as u64 + 10 {
            let field = format!("x{n}");
            corpus.add(id(n), "show", &Report::from(finding("", &field)));
            corpus.add(
                id(n),
                "show",
                &Report { missing_inputs: vec![MissingInput::Other(field)], ..Report::default() },
            );
        }
        assert_eq!((corpus.findings().len(), corpus.counts().ungrouped), (MAX_GROUPS, 10));
        assert_eq!(corpus.not_replayed().len(), MAX_GROUPS + 1);
    }
}
