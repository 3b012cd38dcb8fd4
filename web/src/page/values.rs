//! Recorded values: JSON with indentation, text, bytes. Secrets stay masked.

use maud::{Markup, html};
use serde::de::IgnoredAny;
use zerver_analysis::SlotWrite;
use zerver_replay::RecordedJson;
use zerver_replay::value::display::{self, SECRET};
use zerver_trace::{MissingReason, Recorded, RecordedBody};

use super::text::{amount, safe_lines};

/// Maximum length of a value on a page, in bytes.
pub(crate) const MAX_SHOWN: usize = 64 * 1024;
/// Indentation of a level.
const INDENT: &str = "  ";

/// Returns a recorded value as a block.
pub(crate) fn block(recorded: &Recorded, limit: usize) -> Markup {
    match recorded {
        Recorded::Missing(MissingReason::TooLarge) => html! { p.secondary { "not recorded: too large" } },
        Recorded::Missing(MissingReason::Failed(error)) => {
            html! { p.secondary { "not recorded: could not be serialized: " (super::safe(error)) } }
        }
        _ if recorded.value().is_none() => html! { p.secret { (SECRET) } },
        _ => text_block(&json(&RecordedJson::Value(recorded.clone())), limit),
    }
}

/// Returns the value of a slot as a block.
pub(crate) fn slot_block(write: &SlotWrite, limit: usize) -> Markup {
    if write.is_masked() {
        html! { p.secret { (SECRET) } }
    } else {
        block(&write.value, limit)
    }
}

/// Returns a body as a block.
pub(crate) fn body_block(body: &RecordedBody, limit: usize) -> Markup {
    if body.full_len == 0 {
        return html! { p.secondary { "empty" } };
    }
    let text = display::wire(&body.bytes).join("\n");
    html! {
        (text_block(&text, limit))
        @if body.kept_len < body.full_len {
            p.secondary { "recorded: " (body.kept_len) " of " (amount(body.full_len as usize, "byte", "bytes")) }
        }
    }
}

/// Returns text as a block. JSON is indented.
pub(crate) fn text_block(text: &str, limit: usize) -> Markup {
    let indented = serde_json::from_str::<IgnoredAny>(text).is_ok().then(|| indented(text));
    let whole = safe_lines(indented.as_deref().unwrap_or(text));
    let shown = &whole[..whole.floor_char_boundary(limit)];
    html! {
        // It can be scrolled, so the keyboard must be able to reach it.
        pre.value tabindex="0" { (shown) }
        @if shown.len() < whole.len() {
            p.secondary { "shown: the first " (shown.len()) " of " (amount(whole.len(), "byte", "bytes")) }
        }
    }
}

fn json(value: &RecordedJson) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Adds line breaks and indentation to JSON. Everything else stays as it is, numbers in particular.
fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut is_text, mut is_escape) = (0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str(INDENT));
    };
    let mut rest = json.chars().peekable();
    while let Some(c) = rest.next() {
        if is_text {
            out.push(c);
            is_text = is_escape || c != '"';
            is_escape = c == '\\' && !is_escape;
            continue;
        }
        match c {
            '"' => {
                is_text = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while rest.next_if(|c| c.is_whitespace()).is_some() {}
                if rest.peek().is_some_and(|c| matches!(c, '}' | ']')) {
                    out.extend(rest.next());
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use zerver_testkit::sample;

    #[test]
    fn json_is_indented_and_otherwise_kept() {
        let text = r#"{"a": [1, 2.50, {}, [ ]], "b":"x, {\"y\\\": 1}","big":123456789012345678901234567890}"#;
        insta::assert_snapshot!(indented(text), @r#"
        {
          "a": [
            1,
            2.50,
            {},
            []
          ],
          "b": "x, {\"y\\\": 1}",
          "big": 123456789012345678901234567890
        }
        "#);
    }

    proptest! {
        #[test]
        fn indented_json_is_the_same_json(text in "[\\[\\]{}:,\" a1\\\\]{0,24}") {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&indented(&text)).unwrap(), value);
            } else {
                indented(&text);
            }
        }
    }

    #[test]
    fn secrets_and_missing_values_are_not_shown() {
        assert_eq!(block(&sample::sealed(), 100).0, format!("<p class=\"secret\">{SECRET}</p>"));
        assert!(block(&Recorded::Missing(MissingReason::TooLarge), 100).0.contains("too large"));
    }

    #[test]
    fn hostile_and_long_text_is_escaped_and_cut() {
        let markup = text_block("<script>alert(1)</script>\u{202e}ü", 28).0;
        assert!(
            markup.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !markup.contains('\u{202e}'),
            "{markup}"
        );
        assert!(markup.contains("the first 28 of"), "{markup}");
    }
}
