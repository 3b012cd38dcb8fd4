//! The form of a replay: slots, effects, headers and the body, each with what was recorded.

use maud::{Markup, html};
use zerver_replay::ReplayError;

use super::report::report_section;
use crate::loaded_trace::LoadedTrace;
use crate::page::safe;
use crate::services::ReplayOutcome;
use crate::url::{self, Params};
use crate::view::request::head;

/// Kind of an editable value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Slot,
    Effect,
    Header,
    Body,
}

/// A value that can be edited.
#[derive(Debug, Clone)]
pub(crate) struct FormField {
    pub(crate) kind: FieldKind,
    /// Name of the slot or header, or the effect as findings name it.
    pub(crate) name: String,
    /// Name for the user.
    pub(crate) label: String,
    /// Recorded value on one line.
    pub(crate) recorded: String,
    /// Recorded value as the user would type it; `None` if it is a secret or was not recorded.
    pub(crate) editable: Option<String>,
    /// Names of the faults that can be injected.
    pub(crate) faults: Vec<&'static str>,
    /// True if the recorded value is a secret, so that nothing about it is filled in.
    pub(crate) is_secret: bool,
}

impl FormField {
    /// Returns the name of an input. The kind comes first, so that names do not clash.
    pub(crate) fn input(&self, part: &str) -> String {
        format!("{part}:{}", self.name)
    }
}

/// State of the page.
#[derive(Debug)]
pub(crate) struct ReplayForm<'a> {
    pub(crate) loaded: &'a LoadedTrace,
    pub(crate) fields: &'a [FormField],
    /// Returns what the user has typed into an input.
    pub(crate) typed: &'a Params,
    /// Mistake in what was typed.
    pub(crate) mistake: Option<String>,
    /// Result of the replay that was asked for.
    pub(crate) result: Option<&'a Result<ReplayOutcome, ReplayError>>,
    pub(crate) now_unix_ns: u64,
}

pub(crate) fn replay_form(view: &ReplayForm<'_>) -> Markup {
    let path = url::request(view.loaded.trace.id, "replay");
    let steps = view.loaded.trace.flow.steps.iter().map(|step| step.name.as_str());
    let at = view.typed.get("at");
    // What was typed for a secret stays out of URLs.
    let is_secret =
        |name: &str| view.fields.iter().any(|field| field.is_secret && field.input(part(field.kind)) == name);
    let edits: Vec<_> =
        view.typed.iter().filter(|(name, value)| !value.is_empty() && !is_secret(name)).collect();
    html! {
        (head(view.loaded, Some(view.now_unix_ns)))
        div #result role="region" aria-label="Result of the replay" aria-live="polite" {
            @if let Some(mistake) = &view.mistake { p.notice.bad role="alert" { (safe(mistake)) } }
            @if let Some(result) = view.result {
                (report_section(result))
                @if !edits.is_empty() { p { a href=(url::link(&path, &edits)) { "Link to the form with these edits" } } }
            }
        }
        form.replay #replay-form action=(path) method="post" data-busy="Building and replaying…" {
            p {
                "A replay runs today's code with the recorded request. Every effect is answered from the recording, or by "
                "an edit below: nothing is sent anywhere. "
                button.primary { "Replay" }
            }
            (group(view, FieldKind::Slot, "Slots", "New value as JSON, or a part: .title=\"x\""))
            @if view.fields.iter().any(|field| field.kind == FieldKind::Slot) {
                p {
                    label for="at" { "First step that sees the new values " }
                    select #at name="at" {
                        option value="" { "the step after the one that writes the slot" }
                        @for step in steps { option value=(step) selected[step == at] { (safe(step)) } }
                    }
                }
            }
            (group(view, FieldKind::Effect, "Effects", "New result as JSON"))
            (group(view, FieldKind::Header, "Request headers", "New value"))
            (group(view, FieldKind::Body, "Request body", "New body"))
            p { button.primary { "Replay" } " " a href=(url::request(view.loaded.trace.id, "replay")) { "Clear all edits" } }
        }
    }
}

/// Returns the first part of the name of the input for the new value.
const fn part(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Slot => "slot",
        FieldKind::Effect => "answer",
        FieldKind::Header => "header",
        FieldKind::Body => "body",
    }
}

fn group(view: &ReplayForm<'_>, kind: FieldKind, title: &str, hint: &str) -> Markup {
    let fields: Vec<_> = view.fields.iter().filter(|field| field.kind == kind).collect();
    html! {
        @if !fields.is_empty() {
            fieldset {
                legend { (title) }
                table.edits {
                    thead { tr {
                        th scope="col" { "Name" } th scope="col" { "Recorded" } th scope="col" { (hint) }
                        @if kind == FieldKind::Effect { th scope="col" { "Fault" } th scope="col" { "Takes" } }
                    } }
                    tbody { @for field in fields { (row(view, field)) } }
                }
            }
        }
    }
}

fn row(view: &ReplayForm<'_>, field: &FormField) -> Markup {
    let (name, fault, latency) =
        (field.input(part(field.kind)), field.input("fault"), field.input("latency"));
    // What was typed for a secret is one as well.
    let typed = if field.is_secret { "" } else { view.typed.get(&name) };
    let about = safe(&field.label);
    html! {
        tr class=[(!typed.is_empty()).then_some("edited")] {
            th scope="row" { (about) }
            td.recorded {
                code { (safe(&field.recorded)) }
                @if let Some(editable) = &field.editable {
                    // The script shows it: without it, there is nothing to press.
                    button.quiet type="button" hidden data-fill=(name) data-value=(editable) aria-label={ "Edit " (about) } { "Edit" }
                }
            }
            td {
                @match (field.kind, field.is_secret) {
                    (_, true) => input type="password" name=(name) autocomplete="off" aria-label={ "New value of " (about) };,
                    (FieldKind::Header, _) => input type="text" name=(name) value=(typed) spellcheck="false" autocomplete="off"
                        aria-label={ "New value of " (about) };,
                    _ => textarea name=(name) rows="1" spellcheck="false" aria-label={ "New value of " (about) } { (typed) },
                }
            }
            @if field.kind == FieldKind::Effect {
                td {
                    select name=(fault) aria-label={ "Fault of " (about) } {
                        option value="" { "none" }
                        @for word in &field.faults { option value=(word) selected[*word == view.typed.get(&fault)] { (word) } }
                    }
                }
                td {
                    input.short type="text" name=(latency) value=(view.typed.get(&latency)) placeholder="250ms" spellcheck="false"
                        autocomplete="off" aria-label={ "Time that " (about) " takes" };
                }
            }
        }
    }
}
