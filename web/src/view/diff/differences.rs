//! Differences of two requests other than time: in the request, its effects, its slots and the response.

use maud::{Markup, html};
use zerver_analysis::{Diff, Difference, DifferenceKind, changed_lines};
use zerver_replay::Sameness;
use zerver_trace::text::clean;

use crate::page::{safe, table_empty};

/// Length up to which both sides stand beside each other, in characters.
const MAX_INLINE: usize = 80;
/// Maximum number of changed lines of a text.
const MAX_LINES: usize = 200;
/// Maximum length of one side, in bytes.
const MAX_SIDE: usize = 4_000;

pub(super) fn differences(diff: &Diff) -> Markup {
    let of = |wanted: &dyn Fn(DifferenceKind) -> bool| -> Vec<&Difference> {
        diff.differences.iter().filter(|difference| wanted(difference.kind)).collect()
    };
    let is_effect = |kind| {
        matches!(
            kind,
            DifferenceKind::EffectArgument
                | DifferenceKind::EffectAttempts
                | DifferenceKind::InjectedFault
                | DifferenceKind::EffectResult
        )
    };
    html! {
        section aria-labelledby="differences-title" {
            h2 #differences-title { "What differs" }
            @match diff.sameness() {
                Sameness::Same => p.notice.good { "Same request, decisions, values and response" },
                Sameness::Incomplete => p.notice.warn { "No differences found, but not everything could be compared" },
                Sameness::Different => {}
            }
            (block("Request", &of(&DifferenceKind::is_request)))
            (block("Effects", &of(&is_effect)))
            @for change in &diff.plan_changes {
                p.notice.warn { "Plan of " (safe(&change.effect)) " changed: " (safe(&change.sentence())) }
            }
            (block("Slots", &diff.slots.iter().collect::<Vec<_>>()))
            (block("Response", &of(&DifferenceKind::is_response)))
            @if diff.differences.is_empty() && diff.slots.is_empty() { (table_empty("No values differ.")) }
            @if diff.unlisted > 0 { p.secondary { (diff.unlisted) " more differences not listed" } }
            @if !diff.ignored.is_empty() { p.secondary { "Not compared: " (safe(&diff.ignored.join(", "))) } }
            @for what in diff.not_compared.iter().filter(|what| !what.is_gap()) {
                p.notice.warn { "Not compared: " (safe(&what.to_string())) }
            }
            @for (name, side) in [("a", &diff.a), ("b", &diff.b)] {
                @for gap in &side.timeline.gaps { p.notice.warn { "Missing in " (name) ": " (safe(&gap.to_string())) } }
            }
        }
    }
}

fn block(title: &str, differences: &[&Difference]) -> Markup {
    html! {
        @if !differences.is_empty() {
            table.changes {
                caption { (title) }
                thead.visually-hidden { tr { th scope="col" { "Place" } th scope="col" { "Change from a to b" } } }
                tbody { @for difference in differences { tr {
                    th scope="row" { (safe(&difference.label())) }
                    td { (change(difference)) }
                } } }
            }
        }
    }
}

fn change(difference: &Difference) -> Markup {
    let (a, b) = difference.sides();
    if a.chars().count() + b.chars().count() <= MAX_INLINE {
        return html! { del { (a) } " → " ins { (b) } };
    }
    match difference.texts() {
        Some((a, b)) => lines(a, b),
        None => html! { div { del { (cut(&a)) } } div { ins { (cut(&b)) } } },
    }
}

fn lines(a: &str, b: &str) -> Markup {
    let changed: Vec<_> = changed_lines(a, b).into_iter().filter(|line| line.in_a != line.in_b).collect();
    html! {
        @for line in changed.iter().take(MAX_LINES) {
            @let parts = html! {
                @for (is_changed, part) in &line.parts { @if *is_changed { strong { (cut(&clean(part))) } } @else { (cut(&clean(part))) } }
            };
            div { @if line.in_a { del { "− " (parts) } } @else { ins { "+ " (parts) } } }
        }
        @if changed.len() > MAX_LINES { p.secondary { "and " (changed.len() - MAX_LINES) " more lines" } }
    }
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_SIDE {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_SIDE)])
}
