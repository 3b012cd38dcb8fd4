//! The box with the query, and its mistake beside it.

use maud::{Markup, html};
use zerver_analysis::{field_names, rfc3339};

use crate::page::{amount, safe};
use crate::selection::TypedQuery;
use crate::url::Params;

/// Returns the box. Sending it keeps the other parameters of the page, except those that name a place in it.
pub(crate) fn query_box(path: &str, typed: &TypedQuery, params: &Params) -> Markup {
    let kept = params.iter().filter(|(name, _)| !["q", "from", "row", "older"].contains(name));
    let error = typed.error.as_ref();
    html! {
        form.query action=(path) method="get" role="search" {
            label.visually-hidden for="query" { "Query" }
            input #query type="search" name="q" value=(typed.text) spellcheck="false" autocomplete="off"
                autocapitalize="off" list="fields" aria-keyshortcuts="/"
                placeholder="flow:report status:5xx took>10ms since:1h"
                aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| "query-error")];
            datalist #fields { @for name in field_names() { option value=(completion(&name)) {} } }
            @for (name, value) in kept { input type="hidden" name=(name) value=(value); }
            button { "Find" }
        }
        @if let Some(error) = error {
            p #query-error.notice.bad role="alert" {
                "The query is not understood"
                @if let Some(part) = typed.text.get(error.range()).filter(|part| !part.is_empty()) {
                    " at " code { (safe(part)) }
                }
                ": " (safe(&error.to_string()))
            }
        }
    }
}

/// Returns a field as it is typed: names that stand for many are left open.
fn completion(name: &str) -> String {
    if name.ends_with('.') || name.contains(':') { name.to_owned() } else { format!("{name}:") }
}

/// Returns a remark if not all requests of the store were looked at, with a link to older ones.
pub(crate) fn older_link(
    path: &str,
    params: &Params,
    typed: &TypedQuery,
    stopped_at_unix_ns: Option<u64>,
) -> Markup {
    let Some(stopped_at) = stopped_at_unix_ns else { return html! {} };
    let time = rfc3339(stopped_at);
    let kept: Vec<_> =
        typed.text.split(' ').filter(|term| !term.starts_with("until:") && !term.is_empty()).collect();
    // Alternatives would not be limited by a term at their end.
    let rest = kept.join(" ");
    let rest = if rest.contains(" or ") { format!("({rest})") } else { rest };
    let query = format!("{rest} until:\"{time}\"");
    html! {
        p.secondary {
            "Older requests were not looked at. "
            a href=(params.link(path, &[("q", query.trim()), ("from", ""), ("row", "")])) { "Look at those before " (time) }
        }
    }
}

/// Returns a remark about requests that could not be read.
pub(crate) fn unreadable_notice(unreadable: usize) -> Markup {
    html! {
        @if unreadable > 0 {
            p.notice.bad role="alert" {
                (amount(unreadable, "unreadable request", "unreadable requests")) " left out; zerver doctor shows more"
            }
        }
    }
}
