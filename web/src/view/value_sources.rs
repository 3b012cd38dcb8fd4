//! Where a value came from: what the steps declare, at once, and what runs of the service find, when asked for.

use maud::{Markup, html};
use zerver_analysis::{SliceLines, SliceSection, slice_sections};
use zerver_replay::{ReplayError, StaticSlice, ValueSlice};
use zerver_trace::text::clean;

use super::request::head;
use crate::loaded_trace::LoadedTrace;
use crate::page::{amount, safe};
use crate::url;
use crate::value_paths::NamedValue;

/// Maximum number of names in a line.
const MAX_NAMES: usize = 200;

/// Meanings of the labels that [`slice_sections`] gives.
const LABELS: [(&str, &str); 10] = [
    ("value", "Value"),
    ("from", "Flows into it"),
    ("decides", "Decides whether there is one"),
    ("asks", "Is asked with, for an answer that flows into it"),
    ("slots", "Through slots"),
    ("effects", "Through effects"),
    ("steps", "Through steps"),
    ("not from", "Tried, without an influence"),
    ("unread", "Read by no step"),
    ("unknown", "Undecided"),
];

/// State of the page.
#[derive(Debug)]
pub(crate) struct ValueSourcesView<'a> {
    pub(crate) loaded: &'a LoadedTrace,
    /// Name of the value, as it was typed; may be empty.
    pub(crate) of: &'a str,
    /// Result of the declarations, if a value is named.
    pub(crate) declared: Option<Result<StaticSlice, ReplayError>>,
    /// Result of the runs, if they were asked for.
    pub(crate) found: Option<Result<ValueSlice, ReplayError>>,
    pub(crate) values: &'a [NamedValue],
    pub(crate) now_unix_ns: u64,
}

pub(crate) fn value_sources_page(view: &ValueSourcesView<'_>) -> Markup {
    let path = url::request(view.loaded.trace.id, "value");
    let is_wrong = matches!(view.declared, Some(Err(_)));
    html! {
        (head(view.loaded, Some(view.now_unix_ns)))
        h2 { "Where a value came from" }
        form.inline action=(path) method="get" {
            label for="of" { "Value" }
            input #of type="text" name="of" value=(view.of) list="values" required spellcheck="false" autocomplete="off"
                placeholder="response.body.total" aria-invalid=[is_wrong.then_some("true")]
                aria-describedby=[is_wrong.then_some("mistake")];
            datalist #values { @for value in view.values { option value=(value.path) {} } }
            button { "Narrow down" }
        }
        @match &view.declared {
            None => (list(view, &path)),
            Some(Err(error)) => { (refusal(error, "mistake")) (list(view, &path)) }
            Some(Ok(declared)) => {
                div #result role="region" aria-label="Sources of the value" aria-live="polite" {
                    @match &view.found {
                        None => {}
                        Some(Err(error)) => (refusal(error, "failure")),
                        Some(Ok(slice)) => (sources(slice)),
                    }
                }
                form #sources-form action=(path) method="post"
                    data-busy="Building, and running the request with one input changed at a time…" {
                    input type="hidden" name="of" value=(view.of);
                    p {
                        "Today's code runs the request again and again, each time with one input changed, and with the recorded "
                        "answers: nothing is sent anywhere. This takes seconds, and a build if the code has changed. "
                        button.primary { "Find its sources" }
                    }
                }
                (by_declarations(declared))
                p { a href=(path) { "All values of this request" } }
            }
        }
    }
}

fn list(view: &ValueSourcesView<'_>, path: &str) -> Markup {
    html! {
        @if view.values.is_empty() { p.empty { "Nothing was recorded that has sources." } }
        @else {
            table.requests {
                caption { (amount(view.values.len(), "value", "values")) " of this request" }
                thead { tr { th scope="col" { "Value" } th scope="col" { "Recorded" } } }
                tbody { @for value in view.values {
                    tr data-row=(value.path) {
                        td { a.open href=(url::link(path, &[("of", &value.path)])) { code { (value.path) } } }
                        td { (safe(&value.shown)) }
                    }
                } }
            }
        }
    }
}

fn refusal(error: &ReplayError, id: &str) -> Markup {
    html! {
        div.notice.bad role="alert" id=(id) {
            p { strong { (safe(&error.message)) } }
            @if !error.causes.is_empty() { pre tabindex="0" { @for cause in &error.causes { (safe(cause)) "\n" } } }
            @for hint in &error.hints { p { (safe(hint)) } }
        }
    }
}

fn sources(slice: &ValueSlice) -> Markup {
    let sections = slice_sections(slice);
    html! {
        section aria-labelledby="sources-title" {
            h2 #sources-title { "Sources of " (safe(&slice.target)) }
            dl.sources { @for SliceSection { label, lines } in &sections {
                @let meaning = LABELS.iter().find(|(known, _)| known == label).map_or("", |(_, meaning)| *meaning);
                @match lines {
                    SliceLines::Sentence(text) if *label == "tried" => { dt { "Tried" } dd.secondary { (safe(text)) } }
                    SliceLines::Sentence(text) => { dt { (meaning) } dd { (safe(text)) } }
                    SliceLines::Warning(text) => { dt { "Note" } dd.warn { (safe(text)) } }
                    SliceLines::Names(all) => { dt { (meaning) } dd.secondary { (names(all)) } }
                    SliceLines::Remarks(lines) => {
                        dt { (meaning) }
                        dd { ul.plain { @for (name, remark) in lines {
                            li { code { (safe(name)) } @if !remark.is_empty() { " " span.secondary { (safe(remark)) } } }
                        } } }
                    }
                }
            } }
        }
    }
}

fn by_declarations(declared: &StaticSlice) -> Markup {
    let effects = declared.effects.iter().map(|(call, effect)| format!("effect.{call}.output ({effect})"));
    let perhaps: Vec<String> = declared.may_flow_into.iter().cloned().chain(effects).collect();
    html! {
        section aria-labelledby="declared-title" {
            h2 #declared-title { "By what the steps read and write" }
            dl.sources {
                dt { "Made by" } dd { code { (safe(&declared.step)) } }
                @for (meaning, all) in [
                    ("May flow into it", &perhaps),
                    ("May decide whether there is one", &declared.may_decide),
                    ("Through steps", &declared.steps),
                    ("Cannot have an influence", &declared.ruled_out),
                ] {
                    @if !all.is_empty() { dt { (meaning) } dd { (names(all)) } }
                }
            }
        }
    }
}

fn names(all: &[String]) -> String {
    let shown: Vec<_> = all.iter().take(MAX_NAMES).map(|name| clean(name)).collect();
    let more =
        if all.len() > MAX_NAMES { format!(", and {} more", all.len() - MAX_NAMES) } else { String::new() };
    shown.join(", ") + &more
}
