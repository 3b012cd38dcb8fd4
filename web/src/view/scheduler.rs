//! The scheduler of the running service: classes, threads, effects, targets, the recorder.

use maud::{Markup, html};
use zerver_replay::{ServiceMetrics, TargetMetrics, WorkerMetrics};

use crate::page::{duration, safe, table_empty};

/// Maximum number of steps.
const MAX_STEPS: usize = 50;

/// State of the page.
#[derive(Debug)]
pub(crate) struct SchedulerView<'a> {
    /// `None` if no service is known, or the reason why it cannot be asked.
    pub(crate) metrics: Option<&'a Result<ServiceMetrics, String>>,
    /// Earlier metrics; rates and shares are those of the time since then.
    pub(crate) before: &'a ServiceMetrics,
}

pub(crate) fn scheduler_page(view: &SchedulerView<'_>) -> Markup {
    html! {
        h1 { "Scheduler" }
        div #scheduler data-refresh="1000" {
            @match view.metrics {
                None => (table_empty("No service is known. Pass its address with --service HOST:PORT, or use zerver dev.")),
                Some(Err(why)) => p.notice.bad role="alert" { (safe(why)) },
                Some(Ok(now)) => (metrics(now, view.before)),
            }
        }
    }
}

fn metrics(now: &ServiceMetrics, before: &ServiceMetrics) -> Markup {
    let span_ns = now.uptime_ns.saturating_sub(before.uptime_ns).max(1);
    let requests = |of: &ServiceMetrics| of.classes.iter().map(|class| class.requests).sum::<u64>();
    html! {
        p.facts {
            strong { (rate(requests(now).saturating_sub(requests(before)), span_ns)) " requests/s" }
            span { "up " (duration(now.uptime_ns)) }
            span { (now.reclassified) " moved to batch" }
            span { (now.late_completions) " late completions" }
            span { "flows demoted " (now.flow_demotions) ", restored " (now.flow_promotions) }
        }
        @if let Some(recorder) = &now.recorder {
            p.facts {
                span { "recorder: " (recorder.recorded) " recorded" } span { (recorder.not_kept) " not kept" }
                span { "backlog " (recorder.backlog) } span { (recorder.dropped) " dropped" } span { (recorder.lost) " lost" }
                @if recorder.paused { strong.bad { "paused" } }
            }
        }
        (classes(now, before, span_ns))
        (workers(&now.workers, before, span_ns))
        (effects(now))
        (targets(&now.targets))
        (steps(now, before, span_ns))
    }
}

fn classes(now: &ServiceMetrics, before: &ServiceMetrics, span_ns: u64) -> Markup {
    let longest = now.classes.iter().map(|class| class.waiting).max().unwrap_or(0).max(8) as f64;
    html! {
        table.numbers {
            caption { "Classes" }
            thead { tr {
                th scope="col" { "Class" } th.number scope="col" { "Requests/s" } th.number scope="col" { "Waiting now" } th.bar-cell scope="col" { span.visually-hidden { "Waiting, as a bar" } }
                th.number scope="col" { "Waited" } th.number scope="col" { "Shed" } th.number scope="col" { "Aged" } th.number scope="col" { "Left" }
            } }
            tbody { @for class in &now.classes {
                @let was = before.classes.iter().find(|was| was.name == class.name).cloned().unwrap_or_default();
                @let waits = class.waits.saturating_sub(was.waits);
                tr {
                    th scope="row" { (safe(&class.name)) }
                    td.number { (rate(class.requests.saturating_sub(was.requests), span_ns)) }
                    td.number { (class.waiting) }
                    td.bar-cell { svg.bar aria-hidden="true" { rect.queue x="0" y="3" height="10" width=(format!("{:.1}%", class.waiting as f64 / longest * 100.0)) {} } }
                    td.number { (class.waited_ns.saturating_sub(was.waited_ns).checked_div(waits).map_or_else(|| "–".to_owned(), duration)) }
                    td.number class=[(class.shed > 0).then_some("bad")] { (class.shed) }
                    td.number { (class.aged) } td.number { (class.left) }
                }
            } }
        }
    }
}

fn workers(workers: &[WorkerMetrics], before: &ServiceMetrics, span_ns: u64) -> Markup {
    html! {
        table.numbers {
            caption { "Threads" }
            thead { tr {
                th scope="col" { "Thread" } th.number scope="col" { "Busy" } th.bar-cell scope="col" { span.visually-hidden { "Busy, as a bar" } }
                th.number scope="col" { "Connections" } th.number scope="col" { "Steals" } th.number scope="col" { "Late answers" } th scope="col" { "State" }
            } }
            tbody { @for worker in workers {
                @let was = before.workers.iter().find(|was| was.name == worker.name).map_or(0, |was| was.busy_ns);
                @let busy = (worker.busy_ns.saturating_sub(was) as f64 / span_ns as f64 * 100.0).min(100.0);
                tr {
                    th scope="row" { (safe(&worker.name)) }
                    td.number { (format!("{busy:.0} %")) }
                    td.bar-cell { svg.bar aria-hidden="true" { rect.cpu x="0" y="3" height="10" width=(format!("{busy:.1}%")) {} } }
                    td.number { (worker.connections) } td.number { (worker.steals) } td.number { (worker.delayed_answers) }
                    td { @if worker.stuck { strong.bad { "stuck" } } @else { "ok" } }
                }
            } }
        }
    }
}

fn effects(now: &ServiceMetrics) -> Markup {
    html! {
        @if !now.effects.is_empty() {
            table.numbers {
                caption { "Effects" }
                thead { tr { th scope="col" { "Kind" } th.number scope="col" { "In flight" } th.number scope="col" { "Waiting for a permit" } th.number scope="col" { "Waited" } th.number scope="col" { "Left" } } }
                tbody { @for effect in &now.effects { tr {
                    th scope="row" { (safe(&effect.kind)) } td.number { (effect.in_flight) } td.number { (effect.waiting) }
                    td.number { (effect.waited_ns.checked_div(effect.waits).map_or_else(|| "–".to_owned(), duration)) } td.number { (effect.left) }
                } } }
            }
        }
    }
}

fn targets(targets: &[TargetMetrics]) -> Markup {
    html! {
        @if !targets.is_empty() {
            table.numbers {
                caption { "Targets" }
                thead { tr { th scope="col" { "Target" } th scope="col" { "Circuit breaker" } th.number scope="col" { "In flight" } th.number scope="col" { "Retries" } th.number scope="col" { "Refused" } } }
                tbody { @for target in targets { tr {
                    th scope="row" { (safe(&target.target)) }
                    td class=[(target.breaker != "closed").then_some("bad")] { (safe(&target.breaker.replace('_', " "))) }
                    td.number { (target.in_flight) } td.number { (target.retries) }
                    td.number { (target.breaker_refusals + target.rate_refusals + target.budget_refusals) }
                } } }
            }
        }
    }
}

fn steps(now: &ServiceMetrics, before: &ServiceMetrics, span_ns: u64) -> Markup {
    let mut steps: Vec<_> = now.steps.iter().filter(|step| step.runs > 0).collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step.executing_ns));
    html! {
        @if !steps.is_empty() {
            table.numbers {
                caption { "Steps, the one with the most CPU time first" }
                thead { tr {
                    th scope="col" { "Step" } th.number scope="col" { "Runs/s" } th.number scope="col" { "CPU" } th.number scope="col" { "Queue" }
                    th.number scope="col" { "Waits for effects" } th.number scope="col" { "Overruns" }
                } }
                tbody { @for step in steps.into_iter().take(MAX_STEPS) {
                    @let was = before.steps.iter().find(|was| was.flow == step.flow && was.name == step.name).map_or(0, |was| was.runs);
                    tr {
                        th scope="row" { (safe(&step.flow)) ", " (safe(&step.name)) }
                        td.number { (rate(step.runs.saturating_sub(was), span_ns)) }
                        td.number { (duration(step.executing_ns / step.runs)) }
                        td.number { (duration(step.queued_ns / step.runs)) }
                        td.number { (duration(step.waiting_ns / step.runs)) }
                        td.number class=[(step.overruns > 0).then_some("warn")] { (step.overruns) }
                    }
                } }
            }
        }
    }
}

fn rate(count: u64, span_ns: u64) -> String {
    format!("{:.1}", count as f64 / (span_ns as f64 / 1e9))
}
