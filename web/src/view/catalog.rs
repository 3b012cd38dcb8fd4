//! The catalog: routes, classes, and the steps of each flow with the slots that they read and write.

use maud::{Markup, html};
use zerver_analysis::slo_text;
use zerver_trace::{CatalogFlow, FlowDeclaration, FlowInfo, StepInfo};

use crate::page::{amount, safe, table_empty};
use crate::url;

pub(crate) fn catalog_page(flows: &[CatalogFlow]) -> Markup {
    html! {
        h1 { "Catalog" }
        @if flows.is_empty() { (table_empty("No flows are known yet.")) }
        @else { p.secondary { (amount(flows.len(), "flow", "flows")) " of the build that recorded last" } }
        @for flow in flows { (self::flow(flow)) }
    }
}

fn flow(CatalogFlow { flow, declaration, .. }: &CatalogFlow) -> Markup {
    let recovery = flow.recovery_step();
    html! {
        article.flow {
            h2 { a.open href=(url::link("/flow", &[("name", &flow.name)])) { (safe(&flow.name)) } }
            p.facts { code { (safe(&flow.method)) " " (safe(&flow.pattern)) } span { "class " (flow.class.as_str()) } }
            @if let Some(declaration) = declaration { (declared(declaration)) }
            table.numbers {
                caption.visually-hidden { "Steps of " (safe(&flow.name)) }
                thead { tr { th scope="col" { "Step" } th scope="col" { "Reads" } th scope="col" { "Writes" } th scope="col" { "Source" } th scope="col" { "Description" } } }
                tbody { @for (at, step) in flow.steps.iter().enumerate() { tr {
                    th scope="row" { (safe(&step.name)) @if recovery == Some(at) { " (on failure)" } }
                    td { (slots(flow, step.reads.iter().map(|read| (read.slot, read.is_optional)))) }
                    td { (slots(flow, step.writes.iter().map(|write| (write.slot, write.is_optional)))) }
                    td { code { (safe(&step.file)) ":" (step.line) } }
                    td { (doc(step)) }
                } } }
            }
        }
    }
}

/// Returns what the definition of a flow says.
fn declared(declaration: &FlowDeclaration) -> Markup {
    html! {
        p.facts {
            span { "version " (declaration.version) }
            @if let Some(owner) = &declaration.owner { span { "owner " (safe(owner)) } }
            @if let Some(slo) = &declaration.slo { span { "objectives " (slo_text(slo)) } }
            @for alias in &declaration.aliases {
                span {
                    "alias " code { (safe(&alias.pattern)) }
                    @if alias.redirect { " redirects" }
                    @if let Some(date) = &alias.deprecated { ", deprecated since " (safe(date)) }
                    @if let Some(date) = &alias.until { ", until " (safe(date)) }
                }
            }
            span { "plan " code { (safe(&declaration.plan_hash)) } }
        }
    }
}

fn doc(step: &StepInfo) -> String {
    let line = step.doc.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    safe(line).into_owned()
}

fn slots(flow: &FlowInfo, slots: impl Iterator<Item = (u16, bool)>) -> String {
    let name = |(at, is_optional): (u16, bool)| {
        let info = flow.slots.get(usize::from(at));
        let name = info.map_or_else(|| format!("slot#{at}"), |info| safe(&info.name).into_owned());
        let secret = if info.is_some_and(|info| info.is_secret) { " (secret)" } else { "" };
        format!("{name}{secret}{}", if is_optional { " (optional)" } else { "" })
    };
    slots.map(name).collect::<Vec<_>>().join(", ")
}
