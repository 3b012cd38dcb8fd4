//! The request and the response in full.

use zerver_trace::text::clean;
use zerver_trace::{Header, Recorded, RecordedBody, Trace};

use crate::view::layout::field;
use crate::view::status::status_of;
use crate::view::{count, paint, style, value};

/// Returns the heads and bodies, one block each.
pub(crate) fn exchange(trace: &Trace) -> String {
    let target = value::wire(&trace.target).join("\\n");
    let origin = match trace.origin.visible() {
        Some((scheme, authority)) => clean(&format!("{scheme}://{authority}")).into_owned(),
        None => String::new(),
    };
    let mut request = vec![format!("{} {origin}{target} {}", clean(&trace.method), clean(&trace.version))];
    if !trace.peer.is_empty() {
        request[0] += &format!("  {}", paint(style::FAINT, &format!("from {}", clean(&trace.peer))));
    }
    message(&mut request, &trace.request_headers, &trace.request_body);
    let mut response = vec![status_of(trace)];
    message(&mut response, &trace.response_headers, &trace.response_body);
    field("request", &request) + &field("response", &response)
}

fn message(lines: &mut Vec<String>, headers: &[Header<Recorded>], body: &RecordedBody) {
    lines.extend(headers.iter().map(value::header));
    if body.full_len == 0 {
        return;
    }
    let mut about = format!("body: {}", count(body.full_len, "byte", "bytes"));
    if body.kept_len < body.full_len {
        about += &format!(", the first {} recorded", body.kept_len);
    }
    lines.push(paint(style::FAINT, &about));
    lines.extend(value::wire(&body.bytes));
}
