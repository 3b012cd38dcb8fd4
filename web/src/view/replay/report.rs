//! The report of a replay.

use maud::{Markup, html};
use zerver_replay::value::side_by_side::finding_sides;
use zerver_replay::{ConsequenceState, EditedOutcome, Finding, ReplayError, Report, Sameness};

use crate::page::values::{MAX_SHOWN, text_block};
use crate::page::{amount, duration, safe, status_text};
use crate::services::ReplayOutcome;

/// Maximum number of findings.
const MAX_FINDINGS: usize = 200;

pub(crate) fn report_section(result: &Result<ReplayOutcome, ReplayError>) -> Markup {
    match result {
        Ok(outcome) => report(&outcome.report, &outcome.build),
        Err(error) => html! {
            div.notice.bad role="alert" {
                h2 { "The replay failed" }
                p { strong { (safe(&error.message)) } }
                @if !error.causes.is_empty() { pre tabindex="0" { @for cause in &error.causes { (safe(cause)) "\n" } } }
                @for hint in &error.hints { p { (safe(hint)) } }
            }
        },
    }
}

fn report(report: &Report, build: &str) -> Markup {
    let tone = match report.sameness() {
        Sameness::Same => "good",
        Sameness::Different => "warn",
        Sameness::Incomplete => "secondary",
    };
    let counts = report.coverage;
    html! {
        section aria-labelledby="report-title" {
            h2 #report-title { "Result: " span class=(tone) { (report.verdict()) } }
            p.facts {
                span { (counts.decisions_reproduced) " of " (amount(counts.decisions_recorded as usize, "decision", "decisions")) " reproduced" }
                span { (amount(counts.effects_replayed as usize, "effect", "effects")) " from the recording" }
                span { (counts.effects_live) " live" }
                @if counts.effects_unanswered > 0 { span.bad { (counts.effects_unanswered) " unanswered" } }
                span.secondary { "build " (safe(build)) }
            }
            @for missing in &report.missing_inputs { p.notice.warn { "Cannot be replayed: " (safe(&missing.description())) } }
            @if let Some(outcome) = &report.edited_outcome { (ending(outcome)) }
            (edits(report))
            (findings(&report.findings))
            @for what in &report.not_compared { p.secondary { "Not compared: " (safe(what)) } }
            @for note in &report.notes { p.secondary { (safe(note)) } }
            (consequences(report))
            @if let Some(response) = &report.response {
                h3 { "Response: " (status_text(response.status)) }
                @match &response.body {
                    _ if response.stream.is_some() => {
                        p.secondary { "Streamed by " (safe(response.stream.as_deref().unwrap_or_default())) ", which a replay does not run." }
                    }
                    Some(body) if body.is_empty() => {}
                    Some(body) => (text_block(body, MAX_SHOWN)),
                    None => p.secondary { (amount(response.body_bytes as usize, "byte", "bytes")) },
                }
            }
        }
    }
}

/// Returns how a run with edits ended, and how long it would have taken.
fn ending(outcome: &EditedOutcome) -> Markup {
    html! {
        @if outcome.outcome != "done" {
            p.notice.bad { strong { (safe(&outcome.outcome)) } ": " (safe(&outcome.failure)) @if !outcome.step.is_empty() { ", at " (safe(&outcome.step)) } }
        }
        @if outcome.duration_ns != outcome.recorded_duration_ns {
            p { "It would have taken " strong { (duration(outcome.duration_ns)) } " instead of " (duration(outcome.recorded_duration_ns))
                span.secondary { "; steps take their recorded time" } }
        }
    }
}

fn edits(report: &Report) -> Markup {
    html! {
        @if !report.applied.is_empty() {
            table.changes {
                caption { "Edits" }
                thead { tr { th scope="col" { "Edited" } th scope="col" { "Change" } th scope="col" { "First seen by" } } }
                tbody { @for edit in &report.applied {
                    @let (from, to) = finding_sides(&edit.from, &edit.to);
                    tr { th scope="row" { (safe(&edit.target)) } td { del { (from) } " → " ins { (to) } } td { (safe(&edit.step)) } }
                } }
            }
        }
    }
}

fn findings(findings: &[Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
            table.changes {
                caption { "Findings: what differs from the recording" }
                thead { tr {
                    th scope="col" { "Class" } th scope="col" { "Step" } th scope="col" { "Field" } th scope="col" { "Recorded → today" }
                    th scope="col" { "Source" }
                } }
                tbody { @for finding in findings.iter().take(MAX_FINDINGS) {
                    @let (expected, got) = finding_sides(&finding.expected, &finding.got);
                    tr {
                        td { (finding.class.as_str().replace('_', " ")) }
                        td { (safe(&finding.step)) }
                        th scope="row" { (safe(&finding.field)) }
                        td { del { (expected) } " → " ins { (got) } }
                        td { @if let Some(source) = &finding.source { code { (safe(&source.to_string())) } } }
                    }
                } }
            }
            @if findings.len() > MAX_FINDINGS { p.secondary { (findings.len() - MAX_FINDINGS) " more findings" } }
        }
    }
}

fn consequences(report: &Report) -> Markup {
    let words = |state: ConsequenceState| match state {
        ConsequenceState::Undone => "undone",
        ConsequenceState::NotUndone => "not undone",
        ConsequenceState::Kept => "kept",
        ConsequenceState::Unknown => "unknown",
    };
    html! {
        @if !report.consequences.is_empty() {
            table.changes {
                caption { "Effects that change something, after the failure" }
                thead.visually-hidden { tr { th scope="col" { "Effect" } th scope="col" { "State" } } }
                tbody { @for of in &report.consequences { tr { th scope="row" { (safe(&of.effect)) } td { (words(of.state)) } } } }
            }
        }
    }
}
