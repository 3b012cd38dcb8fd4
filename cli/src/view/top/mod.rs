//! Live metrics of a service, as text: totals, classes, threads, steps, effects, targets, and the rules of a drill.

use anstyle::Style;
use zerver_replay::{
    ClassMetrics, EffectMetrics, FleetMetrics, RecorderMetrics, ServiceMetrics, StepMetrics, TargetMetrics,
    WorkerMetrics,
};
use zerver_trace::text::clean;

mod flows;

use super::table::{Column, Table};
use super::{count, paint, style};
use crate::args::TopOrder;
use zerver_trace::duration::show;

/// Returns what happened between two measurements; rates and shares refer to the time between them.
pub(crate) fn measures(
    now: &ServiceMetrics,
    before: &ServiceMetrics,
    order: TopOrder,
    columns: Option<usize>,
) -> String {
    let span_ns = now.uptime_ns.saturating_sub(before.uptime_ns).max(1);
    let more = |get: fn(&ServiceMetrics) -> u64| get(now).saturating_sub(get(before));
    let requests = more(|all| all.classes.iter().map(|class| class.requests).sum());
    let mut out = format!(
        "{}  up {}  late completions {}\n",
        paint(style::STRONG, &format!("{} requests/s", rate(requests, span_ns))),
        show(now.uptime_ns),
        now.late_completions,
    );
    if let Some(recorder) = &now.recorder {
        out += &recording(recorder);
    }
    out += &format!(
        "to batch  {}  flows demoted {}, restored {}\n\n",
        count(now.reclassified, "request", "requests"),
        now.flow_demotions,
        now.flow_promotions,
    );
    out += &classes(now, before, span_ns, columns);
    out += "\n";
    out += &workers(now, before, span_ns, columns);
    out += "\n";
    let flows = flows::flows(now, before, span_ns, order, columns);
    if !flows.is_empty() {
        out += &flows;
        out += "\n";
    }
    if !now.slos.is_empty() {
        out += &super::slo::table(now.slos.iter().map(|slo| (slo, None)), columns);
        out += "\n";
    }
    out += &steps(now, before, span_ns, order, columns);
    let effects = effects(now, before, span_ns, columns);
    if !effects.is_empty() {
        out += "\n";
        out += &effects;
    }
    let targets = targets(now, before, columns);
    if !targets.is_empty() {
        out += "\n";
        out += &targets;
    }
    if !now.chaos.is_empty() {
        out += "\n";
        out += &chaos(now, before, span_ns, columns);
    }
    out
}

/// Returns the order and the keys, for the first line, and which rows are shown if not all are.
pub(crate) fn keys(order: TopOrder, position: Option<(usize, usize, usize)>) -> String {
    let mut text = format!("by {}   s next order   q quit", order.words());
    if let Some((first, last, all)) = position {
        text += &format!("   j k scroll   rows {first}–{last} of {all}");
    }
    format!("{}\n", paint(style::FAINT, &text))
}

/// Returns the last measurements, with the reason why there are no newer ones.
pub(crate) fn stale(why: &str, last: &str) -> String {
    format!("{}\nlast values:\n\n{last}", paint(style::BAD, &clean(why)))
}

fn recording(recorder: &RecorderMetrics) -> String {
    let RecorderMetrics {
        backlog,
        recorded,
        not_kept,
        dropped,
        lost,
        bytes_on_disk,
        paused,
        store_replaced,
        fleet,
    } = recorder;
    let mut line = format!(
        "recorder  {recorded} recorded  {not_kept} not kept  backlog {backlog}  dropped {dropped}  lost {lost}  {:.1} MiB",
        *bytes_on_disk as f64 / f64::from(1 << 20),
    );
    if *paused {
        line += &format!("  {}", paint(style::BAD, "paused"));
    }
    if *store_replaced > 0 {
        let times = count(*store_replaced, "time", "times");
        line += &format!("  {}", paint(style::BAD, &format!("the store was replaced {times}")));
    }
    line += "\n";
    if let Some(FleetMetrics { shipped, unshipped, waiting, behind_bytes, failures, online }) = fleet {
        line += &format!(
            "fleet     {shipped} shipped  {waiting} waiting  {:.1} MiB behind  {failures} failed attempts",
            *behind_bytes as f64 / f64::from(1 << 20),
        );
        if *unshipped > 0 {
            line += &format!("  {unshipped} unshipped");
        }
        if !online {
            line += &format!("  {}", paint(style::BAD, "offline"));
        }
        line += "\n";
    }
    line
}

fn classes(now: &ServiceMetrics, before: &ServiceMetrics, span_ns: u64, columns: Option<usize>) -> String {
    let mut table = Table::new(&[
        Column::Shrinks("class"),
        Column::Right("requests/s"),
        Column::Right("waiting"),
        Column::Right("waits/s"),
        Column::Right("wait"),
        Column::Right("shed"),
        Column::Right("aged"),
        Column::Right("left"),
    ]);
    let none = ClassMetrics::default();
    for class in &now.classes {
        let was = before.classes.iter().find(|was| was.name == class.name).unwrap_or(&none);
        let waits = class.waits.saturating_sub(was.waits);
        let waited_ns = class.waited_ns.saturating_sub(was.waited_ns);
        table.row(vec![
            (style::STRONG, clean(&class.name).into_owned()),
            (style::PLAIN, rate(class.requests.saturating_sub(was.requests), span_ns)),
            (style::PLAIN, number(class.waiting)),
            (style::PLAIN, rate(waits, span_ns)),
            (style::PLAIN, each(waited_ns, waits)),
            marked(style::BAD, class.shed),
            (style::PLAIN, number(class.aged)),
            (style::PLAIN, number(class.left)),
        ]);
    }
    table.draw(columns)
}

fn workers(now: &ServiceMetrics, before: &ServiceMetrics, span_ns: u64, columns: Option<usize>) -> String {
    let mut table = Table::new(&[
        Column::Shrinks("worker"),
        Column::Right("busy"),
        Column::Right("connections"),
        Column::Right("steals"),
        Column::Left(""),
    ]);
    let none = WorkerMetrics::default();
    for worker in &now.workers {
        let was = before.workers.iter().find(|was| was.name == worker.name).unwrap_or(&none);
        let busy = worker.busy_ns.saturating_sub(was.busy_ns) as f64 / span_ns as f64;
        table.row(vec![
            (style::STRONG, clean(&worker.name).into_owned()),
            (style::PLAIN, format!("{:.0}%", busy.min(1.0) * 100.0)),
            (style::PLAIN, number(worker.connections)),
            (style::PLAIN, number(worker.steals)),
            if worker.stuck { (style::BAD, "stuck".to_owned()) } else { (style::WARN, delays(worker, was)) },
        ]);
    }
    table.draw(columns)
}

/// Returns what waited for a busy worker: `3 completions delayed 120 ms`.
fn delays(now: &WorkerMetrics, was: &WorkerMetrics) -> String {
    let part = |n: u64, of: &str, ns: u64| match n {
        0 => None,
        1 => Some(format!("1 {of} delayed {}", show(ns))),
        n => Some(format!("{n} {of}s delayed {}", show(ns))),
    };
    let completions = part(
        now.delayed_answers.saturating_sub(was.delayed_answers),
        "completion",
        now.answer_delay_ns.saturating_sub(was.answer_delay_ns),
    );
    let heads = part(
        now.delayed_heads.saturating_sub(was.delayed_heads),
        "head",
        now.head_delay_ns.saturating_sub(was.head_delay_ns),
    );
    [completions, heads].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Returns the kinds of effect that are in flight or have waited for a permit.
fn effects(now: &ServiceMetrics, before: &ServiceMetrics, span_ns: u64, columns: Option<usize>) -> String {
    let mut table = Table::new(&[
        Column::Shrinks("effect"),
        Column::Right("in flight"),
        Column::Right("waiting"),
        Column::Right("waits/s"),
        Column::Right("wait"),
        Column::Right("left"),
    ]);
    let none = EffectMetrics::default();
    let shown = |of: &&EffectMetrics| of.in_flight + of.waiting + of.waits + of.left > 0;
    let mut is_empty = true;
    for effect in now.effects.iter().filter(shown) {
        let was = before.effects.iter().find(|was| was.kind == effect.kind).unwrap_or(&none);
        let waits = effect.waits.saturating_sub(was.waits);
        is_empty = false;
        table.row(vec![
            (style::STRONG, clean(&effect.kind).into_owned()),
            (style::PLAIN, number(effect.in_flight)),
            marked(style::WARN, effect.waiting),
            (style::PLAIN, rate(waits, span_ns)),
            (style::PLAIN, each(effect.waited_ns.saturating_sub(was.waited_ns), waits)),
            (style::PLAIN, number(effect.left)),
        ]);
    }
    if is_empty { String::new() } else { table.draw(columns) }
}

/// Returns the targets at which a policy has intervened: with an open circuit breaker, or since the last measurement.
fn targets(now: &ServiceMetrics, before: &ServiceMetrics, columns: Option<usize>) -> String {
    let mut table = Table::new(&[
        Column::Shrinks("target"),
        Column::Left("breaker"),
        Column::Right("in flight"),
        Column::Right("refused"),
        Column::Right("rate waits"),
        Column::Right("retries"),
        Column::Right("not retried"),
        Column::Right("budget"),
    ]);
    let none = TargetMetrics::default();
    let mut is_empty = true;
    for target in &now.targets {
        let was = before.targets.iter().find(|was| was.target == target.target).unwrap_or(&none);
        let since = |count: fn(&TargetMetrics) -> u64| count(target).saturating_sub(count(was));
        let refused = since(|target| target.breaker_refusals + target.rate_refusals);
        let (waits, retries) = (since(|target| target.rate_waits), since(|target| target.retries));
        let not_retried = since(|target| target.budget_refusals);
        let is_closed = target.breaker == "closed";
        if is_closed && refused + waits + retries + not_retried == 0 {
            continue;
        }
        is_empty = false;
        let breaker = if target.breaker == "half_open" { "probing" } else { &target.breaker };
        table.row(vec![
            (style::STRONG, clean(&target.target).into_owned()),
            (if is_closed { style::PLAIN } else { style::BAD }, clean(breaker).into_owned()),
            (style::PLAIN, number(target.in_flight)),
            marked(style::WARN, refused),
            marked(style::WARN, waits),
            (style::PLAIN, number(retries)),
            marked(style::WARN, not_retried),
            (style::PLAIN, number(target.budget)),
        ]);
    }
    if is_empty { String::new() } else { table.draw(columns) }
}

/// Returns the rules of the drill that is going on.
fn chaos(now: &ServiceMetrics, before: &ServiceMetrics, span_ns: u64, columns: Option<usize>) -> String {
    let mut table =
        Table::new(&[Column::Shrinks("chaos rule"), Column::Right("injected"), Column::Right("injected/s")]);
    for rule in &now.chaos {
        let was = before.chaos.iter().find(|was| was.rule == rule.rule).map_or(0, |was| was.injected);
        table.row(vec![
            (style::WARN, clean(&rule.rule).into_owned()),
            (style::PLAIN, number(rule.injected)),
            (style::PLAIN, rate(rule.injected.saturating_sub(was), span_ns)),
        ]);
    }
    table.draw(columns)
}

/// Returns a number that is emphasized unless it is 0.
fn marked(mark: Style, n: u64) -> (Style, String) {
    (if n == 0 { style::PLAIN } else { mark }, number(n))
}

/// Returns the steps that ran, in this order.
fn steps(
    now: &ServiceMetrics,
    before: &ServiceMetrics,
    span_ns: u64,
    order: TopOrder,
    columns: Option<usize>,
) -> String {
    let mut table = Table::new(&[
        Column::Left("flow"),
        Column::Shrinks("step"),
        Column::Right("runs/s"),
        Column::Right("queued"),
        Column::Right("executing"),
        Column::Right("waiting"),
        Column::Right("yields"),
        Column::Right("retries"),
        Column::Right("overruns"),
    ]);
    table.optional("yields", 12);
    table.optional("retries", 12);
    let none = StepMetrics::default();
    let was = |step: &StepMetrics| {
        let same = |was: &&StepMetrics| was.flow == step.flow && was.name == step.name;
        before.steps.iter().find(same).unwrap_or(&none)
    };
    let mut steps: Vec<_> = now.steps.iter().map(|step| (step, was(step))).collect();
    steps.retain(|(step, was)| step.runs > was.runs);
    let all = |step: &StepMetrics| step.queued_ns + step.executing_ns + step.waiting_ns;
    steps.sort_by(|(a, was_a), (b, was_b)| {
        let spent = |now: &StepMetrics, was: &StepMetrics| all(now).saturating_sub(all(was));
        let runs = |now: &StepMetrics, was: &StepMetrics| now.runs.saturating_sub(was.runs);
        let each = |now: &StepMetrics, was: &StepMetrics| spent(now, was) / runs(now, was).max(1);
        let by_time = || spent(b, was_b).cmp(&spent(a, was_a));
        match order {
            TopOrder::Time => by_time(),
            TopOrder::Rate => runs(b, was_b).cmp(&runs(a, was_a)).then_with(by_time),
            TopOrder::Slowest => each(b, was_b).cmp(&each(a, was_a)).then_with(by_time),
            TopOrder::Name => (&a.flow, &a.name).cmp(&(&b.flow, &b.name)),
        }
    });
    for (step, was) in steps {
        let runs = step.runs.saturating_sub(was.runs);
        table.row(vec![
            (style::FAINT, clean(&step.flow).into_owned()),
            (style::STRONG, clean(&step.name).into_owned()),
            (style::PLAIN, rate(runs, span_ns)),
            (style::PLAIN, each(step.queued_ns.saturating_sub(was.queued_ns), runs)),
            (style::PLAIN, each(step.executing_ns.saturating_sub(was.executing_ns), runs)),
            (style::PLAIN, each(step.waiting_ns.saturating_sub(was.waiting_ns), runs)),
            (style::PLAIN, number(step.yields)),
            marked(style::WARN, step.retries),
            marked(style::WARN, step.overruns),
        ]);
    }
    table.draw(columns)
}

/// Returns the rate per second.
fn rate(count: u64, span_ns: u64) -> String {
    let rate = count as f64 * 1e9 / span_ns as f64;
    if rate == 0.0 || rate >= 10.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

/// Returns the mean duration.
fn each(ns: u64, count: u64) -> String {
    ns.checked_div(count).map_or_else(|| "-".to_owned(), show)
}

fn number(n: u64) -> String {
    if n == 0 { "-".to_owned() } else { n.to_string() }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use zerver_replay::ChaosMetrics;

    use super::*;

    #[test]
    fn the_reason_precedes_the_last_values() {
        let shown = stale("cannot ask \u{1b}[2J: refused", "500 requests/s\n");
        let shown = strip_str(&shown).to_string();
        assert_eq!(shown, "cannot ask \\u{1b}[2J: refused\nlast values:\n\n500 requests/s\n");
    }

    #[test]
    fn delays_by_a_busy_worker_are_shown() {
        let worker = |delayed_answers, answer_delay_ns, delayed_heads| WorkerMetrics {
            delayed_answers,
            answer_delay_ns,
            delayed_heads,
            head_delay_ns: 7_000_000 * delayed_heads,
            ..WorkerMetrics::default()
        };
        let was = worker(1, 1_000_000, 0);
        assert_eq!(delays(&was, &was), "");
        assert_eq!(delays(&worker(4, 121_000_000, 0), &was), "3 completions delayed 120 ms");
        assert_eq!(
            delays(&worker(2, 2_000_000, 1), &was),
            "1 completion delayed 1.00 ms, 1 head delayed 7.00 ms"
        );
    }

    #[test]
    fn what_happened_between_two_measurements_is_shown() {
        let class = |requests, waits, waited_ns| ClassMetrics {
            name: "interactive".to_owned(),
            requests,
            waiting: 3,
            waits,
            waited_ns,
            shed: 2,
            ..ClassMetrics::default()
        };
        let step = |name: &str, runs, waiting_ns| StepMetrics {
            flow: "todos".to_owned(),
            name: name.to_owned(),
            runs,
            waiting_ns,
            executing_ns: runs * 5_000,
            overruns: 1,
            retries: 2,
            ..StepMetrics::default()
        };
        let worker = |busy_ns| WorkerMetrics {
            name: "zerver-0".to_owned(),
            busy_ns,
            stuck: true,
            steals: 12,
            connections: 3,
            ..WorkerMetrics::default()
        };
        let before = ServiceMetrics {
            uptime_ns: 1_000_000_000,
            classes: vec![class(10, 1, 1_000)],
            workers: vec![worker(0)],
            steps: vec![step("parse", 10, 0), step("load\u{1b}[2J", 10, 0), step("never", 7, 9)],
            ..ServiceMetrics::default()
        };
        let now = ServiceMetrics {
            uptime_ns: 3_000_000_000,
            classes: vec![class(1_010, 3, 4_001_000)],
            workers: vec![worker(500_000_000)],
            steps: vec![
                step("parse", 1_010, 0),
                step("load\u{1b}[2J", 1_010, 2_000_000_000),
                step("never", 7, 9),
            ],
            effects: vec![
                EffectMetrics {
                    kind: "http".to_owned(),
                    in_flight: 2,
                    waiting: 1,
                    waits: 4,
                    waited_ns: 10_000_000,
                    left: 0,
                },
                EffectMetrics { kind: "kv".to_owned(), ..EffectMetrics::default() },
            ],
            targets: vec![
                TargetMetrics {
                    target: "a.example.com:443".to_owned(),
                    breaker: "open".to_owned(),
                    breaker_refusals: 7,
                    budget: 3,
                    ..TargetMetrics::default()
                },
                TargetMetrics { breaker: "closed".to_owned(), ..TargetMetrics::default() },
            ],
            chaos: vec![ChaosMetrics { rule: "http GET a..=timeout:10%".to_owned(), injected: 6 }],
            recorder: Some(RecorderMetrics {
                recorded: 9,
                dropped: 1,
                paused: true,
                ..RecorderMetrics::default()
            }),
            ..ServiceMetrics::default()
        };
        insta::assert_snapshot!(strip_str(&measures(&now, &before, TopOrder::Time, None)).to_string(), @r"
        500 requests/s  up 3.00 s  late completions 0
        recorder  9 recorded  0 not kept  backlog 0  dropped 1  lost 0  0.0 MiB  paused
        to batch  0 requests  flows demoted 0, restored 0

        class        requests/s  waiting  waits/s     wait  shed  aged  left
        interactive         500        3      1.0  2.00 ms     2     -     -

        worker    busy  connections  steals
        zerver-0   25%            3      12  stuck

        flow   step           runs/s  queued  executing  waiting  yields  retries  overruns
        todos  load\u{1b}[2J     500    0 ns    5.00 µs  2.00 ms       -        2         1
        todos  parse             500    0 ns    5.00 µs     0 ns       -        2         1

        effect  in flight  waiting  waits/s     wait  left
        http            2        1      2.0  2.50 ms     -

        target             breaker  in flight  refused  rate waits  retries  not retried  budget
        a.example.com:443  open             -        7           -        -            -       3

        chaos rule                injected  injected/s
        http GET a..=timeout:10%         6         3.0
        ");
    }
}
