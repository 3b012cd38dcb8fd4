//! The head of each page of a request: what it was, and how it ended.

use maud::{Markup, html};
use zerver_analysis::display;
use zerver_trace::Thread;

use crate::loaded_trace::LoadedTrace;
use crate::page::{age, duration, instant, safe, status_text};
use crate::url;

/// Returns the head. Without a time, ages are left out, as in a file that is read at another time.
pub(crate) fn head(loaded: &LoadedTrace, now_unix_ns: Option<u64>) -> Markup {
    let (trace, timeline) = (&loaded.trace, &loaded.timeline);
    let tone = match trace.status {
        200..=399 => "good",
        400..=499 => "warn",
        _ => "bad",
    };
    let largest = timeline.verdict(&[]).filter(|_| !timeline.runs.is_empty());
    html! {
        div.request-head {
            h1 { (display::request_line(trace)) }
            p.facts {
                span class={ "status " (tone) } { (status_text(trace.status)) }
                strong { (duration(trace.duration_ns)) }
                @match now_unix_ns {
                    Some(now) => {
                        @if !trace.flow.name.is_empty() {
                            a href=(url::link("/flow", &[("name", &trace.flow.name)])) { (safe(&trace.flow.name)) }
                        }
                        span { (age(now, trace.started_unix_ns)) " ago" }
                    }
                    None => {
                        span { (safe(&trace.flow.name)) }
                        span { (instant(trace.started_unix_ns)) }
                    }
                }
                span { (trace.class.as_str()) }
                @if let Some(worker) = trace.worker {
                    span {
                        (Thread::Worker(worker).to_string())
                        @for migration in &timeline.migrations { ", migrated to " (migration.to.to_string()) }
                    }
                }
                span { "id " code #request-id { (trace.id.to_string()) } }
                @if let Some(node) = &loaded.node { span { "node " (safe(node)) } }
                @if !trace.build.is_empty() { span.secondary { "build " (safe(&trace.build)) } }
            }
            @if trace.is_undelivered { p.notice.warn { "Response not delivered: the client disconnected" } }
            @if let Some(failure) = &timeline.failure {
                p.notice.bad {
                    strong { (safe(&failure.to_string())) }
                    @if let Some(step) = &failure.step { " in " (safe(&step.name)) }
                    @if let Some((file, line)) = failure.source() { " " code { (safe(file)) ":" (line) } }
                    @for cause in &failure.causes { br; "because " (safe(cause)) }
                    @for (effect, end) in &failure.effects { br; (safe(effect)) ": " (safe(end)) }
                }
            }
            @match largest {
                Some(verdict) => p.verdict { strong { (verdict.largest.percent) "%" } " " (safe(&verdict.largest.label)) }
                None => p.verdict.secondary { "no step ran" }
            }
        }
    }
}
