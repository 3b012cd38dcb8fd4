//! The request and the response, with their headers and bodies.

use maud::{Markup, html};
use zerver_analysis::curl_command;
use zerver_replay::value::display;
use zerver_trace::{Header, Recorded};

use crate::loaded_trace::LoadedTrace;
use crate::page::values::body_block;
use crate::page::{safe, status_text};
use crate::view::value_link::ValueStyle;

/// Maximum length of a command that is shown.
const MAX_COMMAND: usize = 16 << 10;

/// Returns the request as received.
pub(crate) fn request(loaded: &LoadedTrace, style: ValueStyle) -> Markup {
    let trace = &loaded.trace;
    html! {
        p { code { (safe(&trace.method)) " " (display::wire(&trace.target).join("\\n")) " " (safe(&trace.version)) } }
        @if !trace.peer.is_empty() { p.secondary { "from " (safe(&trace.peer)) } }
        (headers(&trace.request_headers, "Request headers"))
        h3 { "Request body" }
        (body_block(&trace.request_body, style.limit))
        @let command = curl_command(trace).text;
        @if command.len() <= MAX_COMMAND {
            details {
                summary { "Send it with curl" }
                pre.value tabindex="0" { @for line in command.lines() { (safe(line)) "\n" } }
            }
        }
    }
}

/// Returns the response.
pub(crate) fn response(loaded: &LoadedTrace, style: ValueStyle) -> Markup {
    let trace = &loaded.trace;
    html! {
        p { code { (status_text(trace.status)) } @if trace.status > 0 { (style.sources_link(loaded, "response.status")) } }
        (headers(&trace.response_headers, "Response headers"))
        h3 { "Response body" @if trace.response_body.full_len > 0 { (style.sources_link(loaded, "response.body")) } }
        (body_block(&trace.response_body, style.limit))
    }
}

fn headers(headers: &[Header<Recorded>], caption: &str) -> Markup {
    html! {
        @if !headers.is_empty() {
            table.headers {
                caption { (caption) }
                thead.visually-hidden { tr { th scope="col" { "Name" } th scope="col" { "Value" } } }
                tbody {
                    @for header in headers {
                        tr { th scope="row" { (safe(&header.name)) } td { (display::wire(&header.value).join("\\n")) } }
                    }
                }
            }
        }
    }
}
