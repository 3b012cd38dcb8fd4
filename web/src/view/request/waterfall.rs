//! The waterfall: a table with a row for the request, each step and effect, and the response, and their bars on one
//! time scale. The shape of a bar shows how the time was spent; color is never the only cue.

use maud::{Markup, html};
use zerver_analysis::{Effect, RowState, RowSubject, TimeUse, WaterfallRow, time_uses};

use super::time_scale::TimeScale;
use crate::loaded_trace::LoadedTrace;
use crate::page::{duration, safe};

/// Maximum number of phases of an effect shown in the waterfall.
const MAX_PHASES: usize = 8;

/// Drawing of a waterfall.
pub(crate) struct Waterfall<'a> {
    pub(crate) loaded: &'a LoadedTrace,
    /// Rows to draw, with their positions in the whole waterfall.
    pub(crate) rows: &'a [(usize, &'a WaterfallRow)],
    pub(crate) scale: &'a TimeScale,
    /// Selected row.
    pub(crate) selected: Option<usize>,
    pub(crate) shows_phases: bool,
    /// Returns the link that selects a row; `None` in a file.
    pub(crate) link: Option<&'a dyn Fn(usize) -> String>,
}

impl Waterfall<'_> {
    pub(crate) fn table(&self) -> Markup {
        let rows: Vec<_> = self.rows.iter().map(|(_, row)| (*row).clone()).collect();
        html! {
            (legend(&time_uses(&rows)))
            table.waterfall {
                caption.visually-hidden { "Steps and effects of the request in the order of their start, with bars" }
                thead { tr {
                    th.number scope="col" { "At" }
                    th.number scope="col" { "Took" }
                    th.number scope="col" { abbr title="Part of the whole time for which this row accounts: the parts add up" { "Share" } }
                    th scope="col" { "Step or effect" }
                    th scope="col" { "Result" }
                    th.bar-cell scope="col" { (self.axis()) }
                } }
                tbody { @for (at, row) in self.rows { (self.row(*at, row)) } }
            }
        }
    }

    fn row(&self, at: usize, row: &WaterfallRow) -> Markup {
        let kind = match row.subject {
            RowSubject::Effect(..) => "effect-row",
            RowSubject::Run(_) => "step-row",
            RowSubject::Request | RowSubject::Response => "end-row",
        };
        let is_selected = self.selected == Some(at);
        let (mark, meaning, state) = match (row.state, row.subject) {
            (RowState::Failed, _) => ("✗", "failed: ", " failed"),
            (RowState::ClientError, RowSubject::Response) => ("·", "", ""),
            (RowState::ClientError, _) => ("✗", "client error: ", " client-error"),
            (RowState::Unknown, _) => ("?", "result unknown: ", ""),
            (RowState::Good, RowSubject::Effect(..)) => ("↳", "", ""),
            (RowState::Good, RowSubject::Run(_)) => ("✓", "", ""),
            (RowState::Good, RowSubject::Request | RowSubject::Response) => ("·", "", ""),
        };
        let share = share(row.share_ns, self.loaded.timeline.totals.total_ns);
        html! {
            tr class={ (kind) (state) @if is_selected { " selected" } } data-row=(at) data-failed[row.state.is_failure()] {
                td.number { (duration(row.at_ns)) }
                td.number { @if row.subject != RowSubject::Response { (duration(row.took_ns)) } }
                td.number { (share) }
                th scope="row" class=(if row.share_ns == 0 { "parallel" } else { "critical" }) {
                    span.mark aria-hidden="true" { (mark) } span.visually-hidden { (meaning) }
                    " "
                    @match self.link {
                        Some(link) => a.open href=(link(at)) data-swap="detail" aria-current=[is_selected.then_some("true")] {
                            (safe(&row.name))
                        },
                        None => (safe(&row.name)),
                    }
                }
                td.outcome { (safe(&row.outcome)) }
                td.bar-cell { (self.bars(&row.spans, state, self.effect(row))) }
            }
            @if let Some(effect) = self.effect(row).filter(|_| self.shows_phases) { (self.phases(effect)) }
        }
    }

    fn effect(&self, row: &WaterfallRow) -> Option<&Effect> {
        let RowSubject::Effect(run, effect) = row.subject else { return None };
        self.loaded.timeline.runs.get(run)?.effects.get(effect)
    }

    /// Returns a row for each phase of the last attempt of an effect.
    fn phases(&self, effect: &Effect) -> Markup {
        let phases = effect.phases();
        let Some(attempt) = effect.attempts.last().filter(|_| phases.len() > 1) else { return html! {} };
        let begun_ns = attempt.start_ns.saturating_add(attempt.queued_ns);
        let starts = phases.iter().scan(begun_ns, |at, (_, took_ns)| {
            let start = *at;
            *at = at.saturating_add(*took_ns);
            Some(start)
        });
        html! {
            @for ((name, took_ns), start) in phases.iter().zip(starts).take(MAX_PHASES) {
                tr.phase-row {
                    td.number { (duration(start)) }
                    td.number { (duration(*took_ns)) }
                    td {}
                    th scope="row" { (safe(name)) }
                    td {}
                    td.bar-cell { (self.bars(&[(TimeUse::Receive, start, start.saturating_add(*took_ns))], "", None)) }
                }
            }
        }
    }

    /// Returns the bars of a row. The table says the same in numbers.
    fn bars(&self, spans: &[(TimeUse, u64, u64)], state: &str, effect: Option<&Effect>) -> Markup {
        let shown =
            spans.iter().filter(|(of, from, to)| to > from || matches!(of, TimeUse::Cpu | TimeUse::Effect));
        html! {
            svg.bar aria-hidden="true" {
                @for (at, _) in self.scale.folds() { (fold_mark(at)) }
                @for (time_use, from, to) in shown {
                    @let (x, end) = (self.scale.position(*from), self.scale.position(*to));
                    (bar(*time_use, x, end - x, state))
                }
                @for point in effect.into_iter().flat_map(Effect::points) {
                    @let x = format!("{:.2}%", self.scale.position(point.at_ns));
                    line.point x1=(x) x2=(x) y1="2" y2="14" {}
                }
            }
        }
    }

    fn axis(&self) -> Markup {
        let total_ns = self.loaded.timeline.totals.total_ns;
        let ticks = (0..=2_u64).map(|part| total_ns / 2 * part);
        let folds: Vec<_> = self.scale.folds().collect();
        html! {
            svg.bar.axis aria-hidden="true" {
                @if folds.is_empty() {
                    @for (part, at_ns) in ticks.enumerate() {
                        @let anchor = match part { 0 => "start", 2 => "end", _ => "middle" };
                        text x=(format!("{}%", part * 50)) y="12" text-anchor=(anchor) { (duration(at_ns)) }
                    }
                }
                @for (at, len) in &folds {
                    (fold_mark(*at))
                    text x=(format!("{at:.2}%")) y="12" text-anchor="middle" { (duration(*len)) " folded" }
                }
            }
            span.visually-hidden { "Bars from 0 to " (duration(total_ns)) }
        }
    }
}

fn fold_mark(at: f64) -> Markup {
    let x = format!("{at:.2}%");
    html! { line.fold x1=(x) x2=(x) y1="0" y2="16" {} }
}

/// Returns a bar. A step is a full block, an effect half as high, waiting is an outline, an attempt that was retried is
/// low, and reading a thin line.
fn bar(time_use: TimeUse, x: f64, width: f64, state: &str) -> Markup {
    let (class, y, height) = match time_use {
        TimeUse::Cpu => ("cpu", "1", "14"),
        TimeUse::Effect => ("effect", "4", "8"),
        TimeUse::Queue => ("queue", "2.5", "11"),
        TimeUse::Retry => ("retry", "9", "5"),
        TimeUse::Receive => ("receive", "7", "3"),
    };
    // What happened is visible, however short it was.
    let (x, width) = (x.min(99.7), width.max(0.3));
    html! {
        rect class={ (class) @if time_use != TimeUse::Queue { (state) } }
            x=(format!("{x:.2}%")) width=(format!("{width:.2}%")) y=(y) height=(height) {}
    }
}

/// Returns the legend of the bars that occur.
fn legend(uses: &[TimeUse]) -> Markup {
    let name = |time_use: TimeUse| match time_use {
        TimeUse::Cpu => "a step ran",
        TimeUse::Effect => "effect in flight",
        TimeUse::Queue => "waiting in a queue or for a permit",
        TimeUse::Retry => "attempt that was repeated",
        TimeUse::Receive => "body or phase",
    };
    html! {
        ul.legend aria-label="Kinds of bars" {
            @for time_use in uses {
                li { svg.sample aria-hidden="true" { (bar(*time_use, 5.0, 90.0, "")) } (name(*time_use)) }
            }
        }
    }
}

/// Returns a part of the whole in percent; empty if it is nothing.
fn share(part_ns: u64, whole_ns: u64) -> String {
    let whole = u128::from(whole_ns.max(1));
    match (u128::from(part_ns) * 100 + whole / 2) / whole {
        _ if part_ns == 0 => String::new(),
        0 => "<1%".to_owned(),
        percent => format!("{percent}%"),
    }
}
