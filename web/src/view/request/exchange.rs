//! The request and the response, with their headers and bodies.

use maud::{Markup, html};
use zerver_replay::value::display;
use zerver_replay::{Edits, RebuiltRequest, Recording, Secrets};
use zerver_trace::{Header, Recorded, Trace};

use crate::loaded_trace::LoadedTrace;
use crate::page::values::body_block;
use crate::page::{safe, status_text};

/// Maximum length of a command that is shown.
const MAX_COMMAND: usize = 16 << 10;

/// Returns the request as received.
pub(crate) fn request(loaded: &LoadedTrace, limit: usize) -> Markup {
    let trace = &loaded.trace;
    html! {
        p { code { (safe(&trace.method)) " " (display::wire(&trace.target).join("\\n")) " " (safe(&trace.version)) } }
        @if !trace.peer.is_empty() { p.secondary { "from " (safe(&trace.peer)) } }
        (headers(&trace.request_headers, "Request headers"))
        h3 { "Request body" }
        (body_block(&trace.request_body, limit))
        @if let Some(command) = curl_command(trace) {
            details {
                summary { "Send it with curl" }
                pre.value tabindex="0" { @for line in command.lines() { (safe(line)) "\n" } }
            }
        }
    }
}

/// Returns a command that sends the request. Secrets are variables in it. `None` if the trace lacks the request, or the command is
/// too long to be shown.
fn curl_command(trace: &Trace) -> Option<String> {
    let recording = Recording { trace: trace.clone(), secrets: Secrets::default() };
    let request = RebuiltRequest::new(&recording, &Edits::default()).ok()?;
    Some(request.curl_command("localhost:3000")).filter(|command| command.len() <= MAX_COMMAND)
}

/// Returns the response.
pub(crate) fn response(loaded: &LoadedTrace, limit: usize) -> Markup {
    let trace = &loaded.trace;
    html! {
        p { code { (status_text(trace.status)) } }
        (headers(&trace.response_headers, "Response headers"))
        h3 { "Response body" }
        (body_block(&trace.response_body, limit))
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
