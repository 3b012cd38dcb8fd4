//! A replay of many requests as a file: verdict, findings by cause, and what was not replayed.

use std::fmt;
use std::time::Duration;

use maud::{Markup, html};
use zerver_analysis::{Corpus, FindingCause, FindingGroup};
use zerver_replay::Sameness;
use zerver_replay::value::side_by_side::finding_sides;
use zerver_trace::RequestId;

use super::document::document;
use crate::page::{amount, duration, safe};

/// Maximum number of causes.
const MAX_CAUSES: usize = 300;
/// Maximum length of one side of a finding, in bytes.
const MAX_SIDE: usize = 400;

/// A replay of many requests.
pub struct CorpusReport<'a> {
    /// Summary of the replays.
    pub corpus: &'a Corpus,
    /// Build that ran them.
    pub build: &'a str,
    /// Duration of the replay.
    pub took: Duration,
    /// True if it ended before all requests were replayed.
    pub is_partial: bool,
    /// Returns the name of a request.
    pub name: &'a dyn Fn(RequestId) -> String,
}

impl fmt::Debug for CorpusReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorpusReport")
            .field("corpus", &self.corpus)
            .field("build", &self.build)
            .finish_non_exhaustive()
    }
}

/// Returns a replay of many requests as a file.
pub fn corpus_html(report: &CorpusReport<'_>) -> String {
    let counts = report.corpus.counts();
    let tone = match report.corpus.sameness() {
        Sameness::Same => "good",
        Sameness::Different => "bad",
        Sameness::Incomplete => "warn",
    };
    let findings = report.corpus.findings();
    let content = html! {
        h1 { "Replay of " (amount(counts.requests as usize, "request", "requests")) ": "
            span class=(tone) { (report.corpus.sameness().as_str()) } }
        @if report.is_partial { p.notice.warn { "The replay ended before all requests were replayed" } }
        p.facts {
            @for (count, word) in [(counts.same, "same"), (counts.different, "different"), (counts.incomplete, "incomplete"), (counts.not_replayed, "not replayed")] {
                span { strong { (count) } " " (word) }
            }
            span { (counts.decisions_reproduced) " of " (amount(counts.decisions_recorded as usize, "decision", "decisions")) " reproduced" }
            span { (amount(counts.effects_replayed as usize, "effect", "effects")) " from the recording" }
            span { (duration(report.took.as_nanos() as u64)) }
            span { "build " (safe(report.build)) }
        }
        @if counts.partly_compared > 0 {
            p.secondary { (amount(counts.partly_compared as usize, "request has", "requests have")) " parts that were not compared, because they were not recorded" }
        }
        @if findings.is_empty() { p.notice.good { "No request differs from its recording." } }
        @else { (causes(report, &findings)) }
        @if counts.ungrouped > 0 { p.secondary { (amount(counts.ungrouped as usize, "finding", "findings")) " with further causes, not grouped" } }
        (not_replayed(report))
    };
    document("Replay", &content)
}

fn causes(report: &CorpusReport<'_>, findings: &[(&FindingCause, &FindingGroup)]) -> Markup {
    html! {
        h2 { "Findings by cause" }
        table.changes {
            caption.visually-hidden { "Causes, the most frequent first" }
            thead { tr {
                th scope="col" { "Class" } th scope="col" { "Flow and step" } th scope="col" { "Field" } th.number scope="col" { "Requests" }
                th scope="col" { "Recorded → today, in an example" } th scope="col" { "Example" } th scope="col" { "Source" }
            } }
            tbody { @for (cause, group) in findings.iter().take(MAX_CAUSES) {
                @let (expected, got) = finding_sides(&group.expected, &group.got);
                tr {
                    td { (cause.class.as_str().replace('_', " ")) }
                    td { (safe(&cause.flow)) @if !cause.step.is_empty() { ", " (safe(&cause.step)) } }
                    th scope="row" { (safe(&cause.field)) }
                    td.number { (group.requests) @if group.first_in == 0 { br; span.secondary { "after others" } } }
                    td { del { (cut(&expected)) } " → " ins { (cut(&got)) } }
                    td { code { (safe(&(report.name)(group.example))) } }
                    td { @if let Some(source) = &group.source { code { (safe(&source.to_string())) } } }
                }
            } }
        }
        @if findings.len() > MAX_CAUSES { p.secondary { (findings.len() - MAX_CAUSES) " more causes; --json lists all" } }
    }
}

fn not_replayed(report: &CorpusReport<'_>) -> Markup {
    let reasons = report.corpus.not_replayed();
    html! {
        @if !reasons.is_empty() {
            h2 { "Not replayed" }
            table.changes {
                caption.visually-hidden { "Reasons why requests were not replayed" }
                thead { tr { th scope="col" { "Reason" } th.number scope="col" { "Requests" } th scope="col" { "Example" } } }
                tbody { @for (reason, group) in reasons.iter().take(MAX_CAUSES) { tr {
                    th scope="row" { (safe(reason)) } td.number { (group.requests) } td { code { (safe(&(report.name)(group.example))) } }
                } } }
            }
        }
    }
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_SIDE {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_SIDE)])
}
