//! The step graph of a flow, with typical times and failures over it: an SVG, and a table that says the same.

use std::collections::BTreeMap;

use maud::{Markup, html};
use zerver_analysis::{Baseline, Distribution, TimePart};
use zerver_trace::{FlowInfo, StepInfo};

use super::query_box::query_box;
use super::request_list::term;
use crate::page::{amount, duration, safe, table_empty};
use crate::selection::TypedQuery;
use crate::url::{self, Params};

/// Size of a step in the graph, and distances, in units of the SVG.
const STEP_WIDTH: usize = 300;
const STEP_HEIGHT: usize = 74;
const GAP: usize = 36;
const EFFECT_WIDTH: usize = 330;
const EFFECT_HEIGHT: usize = 30;
/// Maximum number of effects of a step in the graph, and characters of a name.
const MAX_EFFECTS: usize = 6;
const MAX_NAME: usize = 34;

/// Failures in a step.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StepFailures {
    /// Number of requests in which it ran.
    pub(crate) requests: usize,
    /// Number of requests that failed in it, without those whose status is 4xx.
    pub(crate) failed: usize,
    /// Number of requests that it ended with a status of 4xx.
    pub(crate) client_errors: usize,
}

/// State of the page.
#[derive(Debug)]
pub(crate) struct FlowGraphView<'a> {
    pub(crate) params: &'a Params,
    pub(crate) typed: &'a TypedQuery,
    pub(crate) flow: &'a FlowInfo,
    /// Number of selected requests.
    pub(crate) requests: usize,
    /// Number of requests whose traces were measured.
    pub(crate) measured: usize,
    pub(crate) times: &'a Baseline,
    /// By the name of the step.
    pub(crate) failures: &'a BTreeMap<String, StepFailures>,
}

/// A step with its times.
struct StepNode<'a> {
    step: &'a StepInfo,
    is_recovery: bool,
    cpu: Option<Distribution>,
    queue: Option<Distribution>,
    effects: Vec<(&'a str, Distribution)>,
    failures: StepFailures,
    y: usize,
    height: usize,
}

pub(crate) fn flow_page(view: &FlowGraphView<'_>) -> Markup {
    let flow = view.flow;
    let steps = nodes(view);
    let total = view.times.total;
    html! {
        h1 { (safe(&flow.name)) " " span.secondary { (safe(&flow.method)) " " (safe(&flow.pattern)) } }
        (query_box("/flow", view.typed, view.params))
        p.facts {
            a href=(url::link("/", &[("q", format!("{} {}", term("flow", &flow.name), view.typed.text).trim())])) {
                (amount(view.requests, "request", "requests"))
            }
            @if view.measured > 0 {
                span { "p50 " b { (duration(total.p50_ns)) } }
                span { "p99 " b { (duration(total.p99_ns)) } }
            }
            @if view.measured < view.requests { span.secondary { "measured: the newest " (view.measured) } }
            a href=(url::link("/heat", &[("q", &term("flow", &flow.name))])) { "Heat map" }
        }
        @if view.measured == 0 { (table_empty("No requests of this flow were selected, so there are no times.")) }
        div.scroll tabindex="0" role="group" aria-label="Step graph" { (graph(view, &steps)) }
        h2 { "The same as a table" }
        div.scroll tabindex="0" role="group" aria-label="Steps" { (table(view, &steps)) }
    }
}

fn nodes<'a>(view: &FlowGraphView<'a>) -> Vec<StepNode<'a>> {
    let recovery = view.flow.recovery_step();
    let mut y = 0;
    let part = |part: TimePart| view.times.parts.get(&part).copied();
    view.flow
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let effects: Vec<_> = view
                .times
                .parts
                .iter()
                .filter_map(|(part, times)| match part {
                    TimePart::Effect { step: of, what } if *of == step.name => Some((what.as_str(), *times)),
                    _ => None,
                })
                .collect();
            let height = STEP_HEIGHT.max(effects.len().min(MAX_EFFECTS) * (EFFECT_HEIGHT + 6));
            let node = StepNode {
                step,
                is_recovery: recovery == Some(at),
                cpu: part(TimePart::Cpu(step.name.clone())),
                queue: part(TimePart::Queue(step.name.clone())),
                effects,
                failures: view.failures.get(&step.name).copied().unwrap_or_default(),
                y,
                height,
            };
            y += height + GAP;
            node
        })
        .collect()
}

fn graph(view: &FlowGraphView<'_>, steps: &[StepNode<'_>]) -> Markup {
    let height = steps.last().map_or(0, |last| last.y + last.height) + 4;
    let width = STEP_WIDTH + GAP * 2 + EFFECT_WIDTH + 4;
    // The part of the whole that a step and its effects take is the width of a line at its side.
    let whole = view.times.total.p50_ns.max(1) as f64;
    html! {
        svg.graph viewBox=(format!("-2 -2 {width} {height}")) width=(width) height=(height) role="img"
            aria-label="Steps of the flow from top to bottom, with their effects; the table below says the same" {
            @for (at, node) in steps.iter().enumerate() {
                @let spent: u64 = node.cpu.map_or(0, |of| of.p50_ns) + node.effects.iter().map(|(_, of)| of.p50_ns).sum::<u64>();
                @let share = (spent as f64 / whole).min(1.0);
                @if at > 0 && !node.is_recovery {
                    line.edge x1=(STEP_WIDTH / 2) x2=(STEP_WIDTH / 2) y1=(steps[at - 1].y + STEP_HEIGHT) y2=(node.y) {}
                }
                @if node.is_recovery { text.small x="0" y=(node.y - 8) { "on failure" } }
                g class={ "step" @if node.failures.failed > 0 { " failed" } @if node.is_recovery { " recovery" } } {
                    rect.node x="0" y=(node.y) width=(STEP_WIDTH) height=(STEP_HEIGHT) rx="6" {}
                    rect.share x="12" y=(node.y + STEP_HEIGHT - 9) width=(format!("{:.1}", share * (STEP_WIDTH - 24) as f64)) height="4" {}
                    text.name x="12" y=(node.y + 22) { (cut(&node.step.name)) }
                    text.small x="12" y=(node.y + 41) { (times(node.cpu, "CPU")) }
                    text.small x="12" y=(node.y + 58) { (failures(node.failures)) }
                }
                @for (n, (what, of)) in node.effects.iter().take(MAX_EFFECTS).enumerate() {
                    @let (x, y) = (STEP_WIDTH + GAP * 2, node.y + n * (EFFECT_HEIGHT + 6));
                    path.edge d=(format!("M{STEP_WIDTH} {} H{} V{} H{x}", node.y + 15, STEP_WIDTH + GAP, y + 15)) {}
                    g.effect {
                        rect.node x=(x) y=(y) width=(EFFECT_WIDTH) height=(EFFECT_HEIGHT) rx="15" {}
                        text.small x=(x + 12) y=(y + 13) { (cut(what)) }
                        text.small x=(x + 12) y=(y + 25) { (times(Some(*of), "")) " · " (amount(of.requests, "request", "requests")) }
                    }
                }
            }
        }
    }
}

fn times(of: Option<Distribution>, word: &str) -> String {
    match of {
        Some(of) => {
            format!("{word} p50 {} · p99 {}", duration(of.p50_ns), duration(of.p99_ns)).trim().to_owned()
        }
        None => "not measured".to_owned(),
    }
}

fn failures(of: StepFailures) -> String {
    let requests = amount(of.requests, "request", "requests");
    let client_errors = match of.client_errors {
        0 => String::new(),
        n => format!(", {}", amount(n, "client error", "client errors")),
    };
    match of.failed {
        0 if of.requests == 0 => String::new(),
        0 => format!("no failure in {requests}{client_errors}"),
        failed => format!("✗ {failed} of {requests} failed here{client_errors}"),
    }
}

/// Returns a name that fits into the graph.
fn cut(name: &str) -> String {
    let name = safe(name);
    if name.chars().count() <= MAX_NAME {
        return name.into_owned();
    }
    name.chars().take(MAX_NAME - 1).chain(['…']).collect()
}

fn table(view: &FlowGraphView<'_>, steps: &[StepNode<'_>]) -> Markup {
    let slot = |at: u16, is_optional: bool| {
        let slot = view.flow.slots.get(usize::from(at));
        let name = slot.map_or_else(|| format!("slot#{at}"), |slot| safe(&slot.name).into_owned());
        let secret = if slot.is_some_and(|slot| slot.is_secret) { " (secret)" } else { "" };
        format!("{name}{}{secret}", if is_optional { "?" } else { "" })
    };
    let time = |of: Option<Distribution>, f: fn(&Distribution) -> u64| {
        of.map_or_else(|| "–".to_owned(), |of| duration(f(&of)))
    };
    html! {
        table.numbers {
            caption.visually-hidden { "Steps and their effects" }
            thead { tr {
                th scope="col" { "Step or effect" } th.number scope="col" { "p50" } th.number scope="col" { "p99" }
                th.number scope="col" { "Queue p99" } th.number scope="col" { "Requests" } th.number scope="col" { "Failed" } th.number scope="col" { "Client errors" }
                th scope="col" { "Reads" } th scope="col" { "Writes" } th scope="col" { "Source" }
            } }
            tbody {
                @for node in steps {
                    tr.step-row {
                        th scope="row" { (safe(&node.step.name)) @if node.is_recovery { " (on failure)" } }
                        td.number { (time(node.cpu, |of| of.p50_ns)) }
                        td.number { (time(node.cpu, |of| of.p99_ns)) }
                        td.number { (time(node.queue, |of| of.p99_ns)) }
                        td.number { (node.failures.requests) }
                        td.number class=[(node.failures.failed > 0).then_some("bad")] { (node.failures.failed) }
                        td.number { (node.failures.client_errors) }
                        td { (node.step.reads.iter().map(|read| slot(read.slot, read.is_optional)).collect::<Vec<_>>().join(", ")) }
                        td { (node.step.writes.iter().map(|write| slot(write.slot, write.is_optional)).collect::<Vec<_>>().join(", ")) }
                        td { code { (safe(&node.step.file)) ":" (node.step.line) } }
                    }
                    @for (what, of) in &node.effects {
                        tr.effect-row {
                            th scope="row" { "↳ " (safe(what)) }
                            td.number { (duration(of.p50_ns)) } td.number { (duration(of.p99_ns)) } td {}
                            td.number { (of.requests) } td {} td {} td {} td {} td {}
                        }
                    }
                }
            }
        }
    }
}
