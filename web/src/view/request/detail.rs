//! Details of one row of the waterfall: a step, an effect, the request, or the response.

use maud::{Markup, html};
use zerver_analysis::{Effect, EffectEnd, ResultTable, RowSubject, SlotWrite, StepRun, display};
use zerver_trace::QueueReason;

use super::exchange;
use crate::loaded_trace::LoadedTrace;
use crate::page::values::{block, slot_block};
use crate::page::{duration, safe};
use crate::view::value_link::ValueStyle;

/// Maximum number of rows of a result.
const MAX_RESULT_ROWS: usize = 200;

/// Returns the details of a row.
pub(crate) fn detail(loaded: &LoadedTrace, subject: RowSubject, style: ValueStyle) -> Markup {
    let runs = &loaded.timeline.runs;
    match subject {
        RowSubject::Request => html! { h2 { "Request" } (exchange::request(loaded, style)) },
        RowSubject::Response => html! { h2 { "Response" } (exchange::response(loaded, style)) },
        RowSubject::Run(run) => runs.get(run).map_or_else(Markup::default, |run| step(loaded, run, style)),
        RowSubject::Effect(run, effect) => {
            let found = runs.get(run).and_then(|run| Some((run, run.effects.get(effect)?)));
            found.map_or_else(Markup::default, |(run, effect)| self::effect(loaded, run, effect, style))
        }
    }
}

fn step(loaded: &LoadedTrace, run: &StepRun, style: ValueStyle) -> Markup {
    let info = loaded.trace.flow.steps.get(usize::from(run.step.index));
    let doc = info.map(|info| info.doc.trim()).unwrap_or_default();
    html! {
        h2 { "Step " (safe(&run.step.name)) }
        @if !doc.is_empty() { p { (safe(doc)) } }
        dl {
            @if run.step.line > 0 { dt { "Source" } dd { code { (safe(&run.step.file)) ":" (run.step.line) } } }
            dt { "Decided" } dd { (run.decision.map_or("not recorded", zerver_trace::Decision::as_str)) }
            dt { "Ran" } dd {
                (duration(run.cpu_ns))
                @if run.exceeded_quantum_ns.is_some() { ", " strong.warn { (display::exceeded_quantum(run)) } }
                @if run.queue_ns > 0 { ", after " (duration(run.queue_ns)) " in the run queue" }
            }
            @if !run.step.reads.is_empty() { dt { "Reads" } dd { (safe(&run.step.reads.join(", "))) } }
            @if !run.effects.is_empty() { dt { "Needs" } dd { @for effect in &run.effects { code { (safe(&effect.label())) } br; } } }
        }
        (writes(loaded, &run.writes, style))
    }
}

fn effect(loaded: &LoadedTrace, run: &StepRun, effect: &Effect, style: ValueStyle) -> Markup {
    let call = effect.attempts.first().map_or(0, |attempt| attempt.call);
    html! {
        h2 { "Effect " (safe(&effect.label())) }
        dl {
            dt { "Step" } dd { (safe(&run.step.name)) }
            dt { "Took" } dd { (duration(effect.duration_ns)) }
            dt { "Result" } dd class=[matches!(effect.end, EffectEnd::Err(_)).then_some("bad")] { (safe(&effect.end.to_string())) }
            @for note in effect.notes() { dt { "Note" } dd { (safe(&note)) } }
            @for late in effect.completion_delays() { dt { "Late" } dd { (duration(late.delay_ns)) ": " (safe(&late.reason())) } }
        }
        (attempts(effect))
        (phases(effect))
        h3 { "Arguments" (style.sources_link(loaded, &format!("effect.{call}.args"))) }
        (block(&effect.args, style.limit))
        @for plan in effect.attempts.iter().filter_map(|attempt| attempt.plan.as_ref()).take(1) {
            h3 { "Plan" }
            pre.value tabindex="0" { (safe(&plan.text)) }
        }
        @if let EffectEnd::Ok { output, .. } = &effect.end {
            @let tables = ResultTable::of(effect);
            h3 { "Result" }
            @for table in &tables { (result_table(table)) }
            @if tables.is_empty() { (block(output, style.limit)) }
        }
        (writes(loaded, &effect.writes, style))
    }
}

fn attempts(effect: &Effect) -> Markup {
    let is_plain = effect.attempts.len() == 1
        && effect
            .attempts
            .iter()
            .all(|attempt| attempt.timeout_ns.is_none() && attempt.queue_reason.is_none());
    html! {
        @if !is_plain {
            div.scroll tabindex="0" role="group" aria-label="Attempts" { table.numbers {
                caption { "Attempts" }
                thead { tr {
                    th scope="col" { "No." } th.number scope="col" { "At" } th.number scope="col" { "Took" }
                    th scope="col" { "Waited" } th.number scope="col" { "Limit" } th scope="col" { "Result" }
                } }
                tbody { @for attempt in &effect.attempts { tr {
                    th scope="row" { (attempt.number) }
                    td.number { (duration(attempt.start_ns)) }
                    td.number { (duration(attempt.duration_ns)) }
                    td { @match attempt.queue_reason {
                        None => {}
                        Some(QueueReason::RetryDelay) => { "delayed " (duration(attempt.queued_ns)) " before it" }
                        Some(by) => { "queued " (duration(attempt.queued_ns)) " (" (by.as_str()) " limit)" }
                    } }
                    td.number { @if let Some(ns) = attempt.timeout_ns { (duration(ns)) } }
                    td class=[matches!(attempt.end, EffectEnd::Err(_)).then_some("bad")] { (safe(&attempt.end.to_string())) }
                } } }
            } }
        }
    }
}

fn phases(effect: &Effect) -> Markup {
    let phases = effect.phases();
    html! {
        @if !phases.is_empty() {
            table.numbers {
                caption { "Phases of the last attempt" }
                thead { tr { th scope="col" { "Phase" } th.number scope="col" { "Took" } } }
                tbody { @for (name, ns) in &phases { tr { th scope="row" { (safe(name)) } td.number { (duration(*ns)) } } } }
            }
        }
    }
}

fn result_table(table: &ResultTable) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Rows of the result" {
            table.numbers {
                thead { tr { @for column in &table.columns { th scope="col" { (safe(column)) } } } }
                tbody {
                    @for row in table.rows.iter().take(MAX_RESULT_ROWS) {
                        tr { @for cell in row { td { @match cell { Some(text) => (safe(text)), None => span.secondary { "NULL" } } } } }
                    }
                }
            }
        }
        @if table.is_truncated || table.rows.len() > MAX_RESULT_ROWS { p.secondary { "there were more rows" } }
    }
}

/// Returns the slots that were written, with their values.
fn writes(loaded: &LoadedTrace, writes: &[SlotWrite], style: ValueStyle) -> Markup {
    html! {
        @for write in writes {
            h3 { "Writes " (safe(&write.name)) (style.sources_link(loaded, &format!("slot.{}", write.name))) }
            (slot_block(write, style.limit))
        }
    }
}
