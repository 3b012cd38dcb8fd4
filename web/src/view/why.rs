//! Reasons why a request was slow: its rank among others of its flow, and the fields that correlate with latency.

use maud::{Markup, html};
use zerver_analysis::{Correlation, MIN_POPULATION, Why};

use super::request::head;
use crate::loaded_trace::LoadedTrace;
use crate::page::{amount, duration, safe};

/// Maximum number of parts.
const MAX_PARTS: usize = 60;

pub(crate) fn why_page(loaded: &LoadedTrace, why: &Why, now_unix_ns: u64) -> Markup {
    html! {
        (head(loaded, Some(now_unix_ns)))
        p.verdict { strong { (why.rank()) } }
        @if let Some(late) = &why.completion_delay {
            p.notice.warn { "Late: " (duration(late.delay_ns)) ": " (safe(&late.reason())) }
        }
        @for (effect, fault) in &why.injected_faults {
            p.notice.warn { (safe(effect)) ": injected by chaos rule " (safe(&fault.rule)) }
        }
        div.split {
            section aria-labelledby="parts-title" {
                h2 #parts-title { "Parts, compared with the median" }
                table.numbers {
                    thead { tr {
                        th scope="col" { "Part" } th.number scope="col" { "Here" } th.number scope="col" { "Median" }
                        th.number scope="col" { "Slower than" }
                    } }
                    tbody { @for part in why.parts.iter().take(MAX_PARTS) {
                        @let is_slow = part.time_ns > part.median_ns && part.percentile().is_some_and(|percent| percent >= 90);
                        tr class=[is_slow.then_some("slow")] {
                            th scope="row" { (safe(&part.part.to_string())) }
                            td.number { @if is_slow { span.visually-hidden { "slow: " } "▲ " } (duration(part.time_ns)) }
                            td.number { (duration(part.median_ns)) }
                            td.number { (part.share()) }
                        }
                    } }
                }
                @if why.parts.len() > MAX_PARTS { p.secondary { (why.parts.len() - MAX_PARTS) " more parts" } }
            }
            section aria-labelledby="fields-title" {
                h2 #fields-title { "Fields that correlate with latency" }
                (fields(why))
            }
        }
    }
}

fn fields(why: &Why) -> Markup {
    let requests = amount(why.population, "request", "requests");
    if !why.is_enough() {
        return html! {
            p.empty { "Too few requests of this flow for correlations: " (why.population) " of " (MIN_POPULATION) "." }
        };
    }
    let examined = amount(why.fields_examined, "field", "fields");
    html! {
        @if why.associations.is_empty() { p.empty { "No field correlates with latency (" (examined) ", " (requests) ")." } }
        @else { p.secondary { "Of " (examined) " in " (requests) ". Correlation is not causation." } }
        @for found in &why.associations {
            article {
                h3 { (safe(&found.field)) " " span.secondary { (value(found.value.as_deref())) " here" } }
                @match &found.correlation {
                    Correlation::Rank(rank) => p {
                        (if *rank > 0.0 { "more is slower" } else { "more is faster" })
                        ": rank correlation " (format!("{rank:.2}")) ", n " (found.requests)
                    },
                    Correlation::Groups(groups) => table.numbers {
                        thead { tr { th scope="col" { "Value" } th.number scope="col" { "Median" } th.number scope="col" { "Requests" } } }
                        tbody { @for group in groups { tr {
                            th scope="row" { (value(group.value.as_deref())) }
                            td.number { (duration(group.median_ns)) }
                            td.number { (group.requests) }
                        } } }
                    },
                }
            }
        }
    }
}

fn value(value: Option<&str>) -> String {
    value.map_or_else(|| "absent".to_owned(), |value| safe(value).into_owned())
}
