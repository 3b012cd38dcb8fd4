//! SQL statements by their total time, with their plans, and those that single requests repeat.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use zerver_analysis::{EffectEnd, Timeline, quantile};
use zerver_trace::{RequestId, Trace};

use super::query_box::{older_link, query_box, unreadable_notice};
use crate::page::{amount, duration, safe, table_empty};
use crate::selection::TypedQuery;
use crate::url::{self, Params};

/// Maximum number of statements.
const MAX_STATEMENTS: usize = 200;
/// Maximum number of statements that are kept apart while traces are read.
const MAX_KEPT: usize = 10_000;
/// Maximum length of a statement, in characters.
const MAX_TEXT: usize = 400;

/// Statements of many requests.
#[derive(Debug, Default)]
pub(crate) struct StatementTable {
    statements: BTreeMap<String, Statement>,
    repeated: BTreeMap<(String, String), Repeated>,
}

#[derive(Debug, Default)]
struct Statement {
    name: String,
    durations: Vec<u64>,
    failed: usize,
    requests: usize,
    flows: BTreeSet<String>,
    /// Plans, with the number of calls.
    plans: BTreeMap<String, usize>,
    /// The longest call, and the request that made it.
    longest: Option<(u64, RequestId)>,
}

/// A statement that a step performs again and again.
#[derive(Debug)]
struct Repeated {
    step: String,
    requests: usize,
    runs: usize,
    saving_ns: u64,
    /// The request that would save most.
    example: (u64, RequestId),
}

impl StatementTable {
    pub(crate) fn add(&mut self, trace: &Trace) {
        let timeline = Timeline::of(trace);
        let mut seen = BTreeSet::new();
        for (effect, call) in timeline.sql_calls() {
            let key =
                if call.statements.is_empty() { call.summary.clone() } else { call.statements.join("; ") };
            if !self.statements.contains_key(&key) && self.statements.len() >= MAX_KEPT {
                continue;
            }
            let statement = self.statements.entry(key.clone()).or_default();
            statement.name.clone_from(&call.summary);
            statement.durations.push(call.duration_ns);
            statement.failed += usize::from(matches!(effect.end, EffectEnd::Err(_)));
            statement.requests += usize::from(seen.insert(key));
            statement.flows.insert(trace.flow.name.clone());
            let attempt = effect.attempts.iter().find(|attempt| attempt.call == call.call);
            if let Some(plan) = attempt.and_then(|attempt| attempt.plan.as_ref()) {
                *statement.plans.entry(plan.text.clone()).or_default() += 1;
            }
            statement.longest = statement.longest.max(Some((call.duration_ns, trace.id)));
        }
        for repeated in timeline.repeated_statements() {
            let key = (trace.flow.name.clone(), repeated.statement.clone());
            let found = self.repeated.entry(key).or_insert(Repeated {
                step: repeated.step.clone(),
                requests: 0,
                runs: 0,
                saving_ns: 0,
                example: (0, trace.id),
            });
            found.requests += 1;
            found.runs += repeated.runs;
            found.saving_ns = found.saving_ns.saturating_add(repeated.saving_ns);
            found.example = found.example.max((repeated.saving_ns, trace.id));
        }
    }
}

/// State of the page.
#[derive(Debug)]
pub(crate) struct SqlView<'a> {
    pub(crate) params: &'a Params,
    pub(crate) typed: &'a TypedQuery,
    pub(crate) statements: &'a StatementTable,
    /// Number of requests whose traces were read.
    pub(crate) requests: usize,
    pub(crate) stopped_at_unix_ns: Option<u64>,
    pub(crate) unreadable: usize,
}

pub(crate) fn sql_page(view: &SqlView<'_>) -> Markup {
    html! {
        h1 { "SQL statements" }
        (query_box("/sql", view.typed, view.params))
        (unreadable_notice(view.unreadable))
        @if view.typed.error.is_none() {
            p.secondary { "In the traces of " (amount(view.requests, "request", "requests")) "." }
            (repeated(view.statements))
            (statements(view.statements))
        }
        (older_link("/sql", view.params, view.typed, view.stopped_at_unix_ns))
    }
}

fn repeated(table: &StatementTable) -> Markup {
    let mut all: Vec<_> = table.repeated.iter().collect();
    all.sort_by_key(|(_, repeated)| Reverse(repeated.saving_ns));
    html! {
        @if !all.is_empty() {
            h2 { "Repeated within a request" }
            div.scroll tabindex="0" role="group" aria-label="Repeated statements" {
                table.numbers {
                    caption.visually-hidden { "Statements that one step performs again and again" }
                    thead { tr {
                        th scope="col" { "Statement" } th scope="col" { "Flow and step" } th.number scope="col" { "Requests" }
                        th.number scope="col" { "Runs of each" } th.number scope="col" { "One statement would save" } th scope="col" { "Example" }
                    } }
                    tbody { @for (at, ((flow, statement), repeated)) in all.into_iter().take(MAX_STATEMENTS).enumerate() { tr data-row=(format!("r{at}")) {
                        th scope="row" { code { (cut(statement)) } }
                        td { (safe(flow)) ", " (safe(&repeated.step)) }
                        td.number { (repeated.requests) }
                        td.number { (repeated.runs / repeated.requests.max(1)) }
                        td.number { (duration(repeated.saving_ns)) }
                        td { a.open href=(url::request(repeated.example.1, "")) { (repeated.example.1.short(12)) } }
                    } } }
                }
            }
        }
    }
}

fn statements(table: &StatementTable) -> Markup {
    let total =
        |statement: &Statement| statement.durations.iter().fold(0_u64, |sum, ns| sum.saturating_add(*ns));
    let mut all: Vec<_> =
        table.statements.iter().map(|(text, statement)| (text, statement, total(statement))).collect();
    all.sort_by_key(|(.., total)| Reverse(*total));
    let whole = all.iter().fold(0_u64, |sum, (.., ns)| sum.saturating_add(*ns)).max(1);
    let count = all.len();
    html! {
        h2 { "By total time" }
        @if all.is_empty() { (table_empty("These requests performed no SQL statement.")) }
        @else {
            div.scroll tabindex="0" role="group" aria-label="Statements" {
                table.numbers {
                    caption.visually-hidden { "SQL statements, the one with the longest total time first" }
                    thead { tr {
                        th scope="col" { "Statement" } th.number scope="col" { "Total" } th.number scope="col" { "Share" }
                        th.number scope="col" { "Calls" } th.number scope="col" { "Failed" } th.number scope="col" { "p50" }
                        th.number scope="col" { "p99" } th scope="col" { "Flows" } th scope="col" { "Longest" }
                    } }
                    tbody { @for (at, (text, statement, total)) in all.into_iter().take(MAX_STATEMENTS).enumerate() { (row(at, text, statement, (total, whole))) } }
                }
            }
            @if count > MAX_STATEMENTS { p.secondary { (count - MAX_STATEMENTS) " more statements" } }
        }
    }
}

fn row(at: usize, text: &str, statement: &Statement, (total, whole): (u64, u64)) -> Markup {
    let mut durations = statement.durations.clone();
    durations.sort_unstable();
    let share = total as f64 / whole as f64 * 100.0;
    let flows: Vec<_> = statement.flows.iter().map(|flow| safe(flow).into_owned()).collect();
    html! {
        tr data-row=(at) {
            th scope="row" {
                @if statement.name != text && !statement.name.is_empty() { strong { (cut(&statement.name)) } br; }
                code { (cut(text)) }
                @if !statement.plans.is_empty() {
                    details {
                        summary { (amount(statement.plans.len(), "plan", "plans")) }
                        @for (plan, calls) in &statement.plans { p { (amount(*calls, "call", "calls")) ": " code { (safe(plan)) } } }
                    }
                }
            }
            td.number { (duration(total)) }
            td.number { (format!("{share:.1} %")) }
            td.number { (durations.len()) }
            td.number class=[(statement.failed > 0).then_some("bad")] { (statement.failed) }
            td.number { (duration(quantile(&durations, 50))) }
            td.number { (duration(quantile(&durations, 99))) }
            td { (flows.join(", ")) }
            td { @if let Some((ns, id)) = statement.longest { a.open href=(url::request(id, "")) { (duration(ns)) } } }
        }
    }
}

fn cut(text: &str) -> String {
    let text = safe(text);
    if text.chars().count() <= MAX_TEXT {
        return text.into_owned();
    }
    text.chars().take(MAX_TEXT - 1).chain(['…']).collect()
}
