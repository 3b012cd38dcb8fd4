//! Text of the pages. Recorded text is cleaned here and escaped by the template.

use std::borrow::Cow;

use maud::{Markup, html};
use zerver_analysis::rfc3339;
use zerver_trace::{RequestId, Summary, text};

use crate::url;

/// Returns recorded text with its control and invisible characters escaped.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    text::clean(text)
}

/// Applies [`safe`] to each line, and keeps the line breaks.
pub(crate) fn safe_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| line.replace('\t', "    ")).collect();
    lines.iter().map(|line| text::clean(line.trim_end_matches('\r'))).collect::<Vec<_>>().join("\n")
}

/// Returns a duration, as the other parts of zerver write it.
pub(crate) fn duration(ns: u64) -> String {
    zerver_trace::duration::show(ns)
}

/// Returns a number with a noun: `1 request`, `3 requests`.
pub(crate) fn amount(number: usize, one: &str, more: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { more })
}

/// Returns a number with its digits in groups: `1,204`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Returns a rate in the shortest period in which something happens: `12.3/s`, `3.50/h`.
pub(crate) fn rate(per_s: f64) -> String {
    zerver_analysis::display::rate(per_s)
}

/// Returns a time as the time since then, with the time itself as a title.
pub(crate) fn age(now_unix_ns: u64, then_unix_ns: u64) -> Markup {
    let exact = rfc3339(then_unix_ns);
    let age = zerver_trace::duration::age(now_unix_ns, then_unix_ns);
    html! { time datetime=(exact) title=(exact) { (age) } }
}

/// Returns a time without its fraction of a second: `2026-11-29 17:55:46 UTC`.
pub(crate) fn instant(unix_ns: u64) -> String {
    let exact = rfc3339(unix_ns);
    let (seconds, _) = exact.split_once('.').unwrap_or((&exact, ""));
    format!("{} UTC", seconds.replace('T', " "))
}

/// Returns a status with its reason: `404 Not Found`.
pub(crate) fn status_text(status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    match (status, reason) {
        (0, _) => "no response".to_owned(),
        (_, Some(reason)) => format!("{status} {reason}"),
        (_, None) => status.to_string(),
    }
}

/// Returns a status with a style for its class. The number says the same as the color.
pub(crate) fn status(status: u16) -> Markup {
    let class = match status {
        200..=399 => "good",
        400..=499 => "warn",
        _ => "bad",
    };
    html! { span class={ "status " (class) } title=(status_text(status)) { @if status == 0 { "–" } @else { (status) } } }
}

/// Returns a link to a request with the first digits of its id.
pub(crate) fn request_id(id: RequestId, digits: usize) -> Markup {
    html! { a class="id" href=(url::request(id, "")) { (id.short(digits)) } }
}

/// Returns the request in words: `GET /todos`.
pub(crate) fn title_of(request: &Summary) -> String {
    safe(&format!("{} {}", request.method, request.path)).into_owned()
}

/// Returns a sentence in place of an empty table.
pub(crate) fn table_empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, wanted) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), wanted);
        }
        assert_eq!(amount(1, "request", "requests"), "1 request");
    }

    #[test]
    fn recorded_text_cannot_mislead() {
        assert_eq!(safe_lines("a\r\n\tb\u{202e}\u{1b}[31m"), "a\n    b\\u{202e}\\u{1b}[31m");
        let markup = status(0).0 + &request_id(RequestId::from_u128(7), 12).0;
        assert!(markup.contains("no response") && markup.contains("/requests/00000000-0000"), "{markup}");
    }
}
