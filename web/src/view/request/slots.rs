//! Slots over time: a slider over the moments of a request, and the slots as they were at one of them, with who wrote
//! and who reads them.

use maud::{Markup, html};
use zerver_analysis::{Moment, Moments, SlotSnapshot, describe_moment, slots_at};
use zerver_replay::value::display::SECRET;
use zerver_trace::{FlowInfo, StepInfo};

use super::head::head;
use crate::loaded_trace::LoadedTrace;
use crate::page::values::{MAX_SHOWN, block};
use crate::page::{duration, safe};
use crate::url;
use crate::view::value_link::ValueStyle;

/// Number of moments listed around the current one.
const MAX_LISTED: usize = 200;

/// State of the page.
#[derive(Debug)]
pub(crate) struct SlotsView<'a> {
    pub(crate) loaded: &'a LoadedTrace,
    pub(crate) moments: &'a Moments,
    /// Position of the current moment; the last one if it is beyond the end.
    pub(crate) at: usize,
    pub(crate) now_unix_ns: u64,
}

pub(crate) fn slots_page(view: &SlotsView<'_>) -> Markup {
    let (trace, timeline) = (&view.loaded.trace, &view.loaded.timeline);
    let last = view.moments.len().saturating_sub(1);
    let at = view.at.min(last);
    let path = url::request(trace.id, "slots");
    let link = |at: usize| url::link(&path, &[("at", &at.to_string())]);
    let Some(moment) = view.moments.get(at) else { return head(view.loaded, Some(view.now_unix_ns)) };
    let held = slots_at(trace, timeline, moment);
    let later: Vec<_> = timeline
        .slots
        .iter()
        .filter(|write| !held.iter().any(|held| held.name == write.name))
        .map(|write| write.name.as_str())
        .collect();
    html! {
        (head(view.loaded, Some(view.now_unix_ns)))
        div #moment {
            form.slider action=(path) method="get" {
                label for="at" { "Event " (at) " of " (last) " at " (duration(moment.at_ns)) }
                input #at type="range" name="at" min="0" max=(last) value=(at) data-swap="moment"
                    aria-valuetext={ "Event " (at) ": " (safe(&describe_moment(trace, timeline, moment))) };
                @if at > 0 { a href=(link(at - 1)) data-swap="moment" data-key="h" { "Previous event" } }
                @if at < last { a href=(link(at + 1)) data-swap="moment" data-key="l" { "Next event" } }
                noscript { button { "Go" } }
            }
            p.verdict { strong { (safe(&describe_moment(trace, timeline, moment))) } }
            div.split {
                section aria-labelledby="slots-title" {
                    h2 #slots-title { "Slots at this moment" }
                    @if held.is_empty() { p.empty { "None written yet." } }
                    @for slot in &held { (slot_at(view.loaded, slot)) }
                    @if !later.is_empty() { p.secondary { "Written later: " (safe(&later.join(", "))) } }
                }
                section aria-labelledby="events-title" {
                    h2 #events-title { "Events" }
                    (events(view, at, &link))
                }
            }
        }
    }
}

fn slot_at(loaded: &LoadedTrace, slot: &SlotSnapshot<'_>) -> Markup {
    let flow: &FlowInfo = &loaded.trace.flow;
    let style = ValueStyle { limit: MAX_SHOWN, has_links: true };
    let index =
        flow.slots.iter().position(|info| info.name == slot.name).and_then(|at| u16::try_from(at).ok());
    let names = |touches: &dyn Fn(&StepInfo, u16) -> bool| -> String {
        let steps = flow.steps.iter().filter(|step| index.is_some_and(|index| touches(step, index)));
        steps.map(|step| safe(&step.name).into_owned()).collect::<Vec<_>>().join(", ")
    };
    let writers = names(&|step, slot| step.writes.iter().any(|write| write.slot == slot));
    let readers = names(&|step, slot| step.reads.iter().any(|read| read.slot == slot));
    html! {
        article.slot class=[slot.is_new.then_some("new")] {
            h3 { (safe(slot.name)) @if slot.is_new { " " span.tag { "just written" } } (style.sources_link(loaded, &format!("slot.{}", slot.name))) }
            p.secondary {
                "written by " (if writers.is_empty() { "no step" } else { &writers })
                "; read by " (if readers.is_empty() { "no step" } else { &readers })
            }
            @if slot.is_masked { p.secret { (SECRET) } } @else { (block(slot.value, MAX_SHOWN)) }
        }
    }
}

fn events(view: &SlotsView<'_>, at: usize, link: &dyn Fn(usize) -> String) -> Markup {
    let first = at.saturating_sub(MAX_LISTED / 2);
    let listed = (first..view.moments.len()).take(MAX_LISTED);
    let text = |moment: &Moment| {
        safe(&describe_moment(&view.loaded.trace, &view.loaded.timeline, moment)).into_owned()
    };
    html! {
        ol.events start=(first) {
            @for (n, moment) in listed.filter_map(|n| Some((n, view.moments.get(n)?))) {
                li data-row=(n) {
                    a.open href=(link(n)) data-swap="moment" aria-current=[(n == at).then_some("step")] {
                        span.time { (duration(moment.at_ns)) } span { (text(moment)) }
                    }
                }
            }
        }
        @if view.moments.len() > first + MAX_LISTED { p.secondary { "and " (view.moments.len() - first - MAX_LISTED) " later events" } }
    }
}
