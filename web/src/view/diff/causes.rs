//! Causes of the difference in time. The numbers shown add up exactly.

use maud::{Markup, html};
use zerver_analysis::{Cause, Diff, duration_pair};
use zerver_trace::duration::{show_signed, show_signed_parts};

use super::tone;
use crate::page::safe;

/// Maximum number of causes listed; the rest is summed up.
const MAX_CAUSES: usize = 20;

pub(super) fn causes(diff: &Diff) -> Markup {
    let causes = &diff.causes;
    let shown = if causes.len() <= MAX_CAUSES + 1 { causes.len() } else { MAX_CAUSES };
    let rest: i128 = causes[shown..].iter().map(Cause::delta_ns).sum();
    let parts: Vec<i128> = causes[..shown].iter().map(Cause::delta_ns).chain([rest]).collect();
    let numbers = show_signed_parts(&parts);
    let largest = parts.iter().map(|part| part.unsigned_abs()).max().unwrap_or(0).max(1);
    let number = |at: usize| numbers.get(at).map_or("", String::as_str);
    html! {
        section aria-labelledby="causes-title" {
            h2 #causes-title { "Causes of the difference in time" }
            table.causes {
                caption.visually-hidden { "Causes; they add up to the whole difference" }
                thead { tr {
                    th.number scope="col" { "b − a" } th scope="col" { "Kind" } th scope="col" { "Cause" }
                    th scope="col" { "a → b" } th.bar-cell scope="col" { "slower right, faster left" }
                } }
                tbody {
                    @for (at, cause) in causes[..shown].iter().enumerate() {
                        @let (a, b) = duration_pair(cause.a_ns, cause.b_ns);
                        tr {
                            td class={ "number " (tone(cause.delta_ns())) } { (number(at)) }
                            td { (cause.kind.label()) }
                            th scope="row" { (safe(&cause.label)) }
                            td { (a) " → " (b) }
                            td.bar-cell { (bar(cause.delta_ns(), largest)) }
                        }
                    }
                    @if shown < causes.len() {
                        tr {
                            td.number { (number(shown)) } td {}
                            th scope="row" { (causes.len() - shown) " smaller causes" } td {} td.bar-cell { (bar(rest, largest)) }
                        }
                    }
                }
                tfoot { tr {
                    td class={ "number " (tone(diff.delta_ns())) } { (show_signed(diff.delta_ns())) }
                    td {} th scope="row" { "total" } td {} td {}
                } }
            }
        }
    }
}

/// Returns a bar that begins in the middle.
fn bar(delta_ns: i128, largest: u128) -> Markup {
    let width = delta_ns.unsigned_abs() as f64 / largest as f64 * 50.0;
    let x = if delta_ns < 0 { 50.0 - width } else { 50.0 };
    html! {
        svg.bar aria-hidden="true" {
            line.fold x1="50%" x2="50%" y1="0" y2="16" {}
            rect class=(if delta_ns > 0 { "slower" } else { "faster" }) x=(format!("{x:.2}%")) y="3" height="10"
                width=(format!("{width:.2}%")) {}
        }
    }
}
