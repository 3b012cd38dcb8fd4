//! The changes between two bodies: what differs, with the lines around it and where that is.

use zerver_replay::value::json_lines::{JsonLine, json_lines};

use crate::diff::{TextLine, changed_lines_after};

/// Number of unchanged lines shown around a change.
const CONTEXT: usize = 2;

/// A part of the comparison of two bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyChange {
    /// A line, with its indentation.
    Line(TextLine),
    /// Unchanged lines that are left out.
    LeftOut {
        /// Number of lines, with those at the end of long bodies, which are not compared.
        lines: usize,
        /// Place of what follows, such as `items[17].title`; empty if the body is not JSON, or nothing follows.
        before: String,
    },
}

/// Compares two bodies line by line. JSON is indented first, so that a change in a long line does not make all of it
/// differ.
pub fn body_changes(raw_a: &str, raw_b: &str) -> Vec<BodyChange> {
    let (mut a, mut b) = (Indented::of(raw_a), Indented::of(raw_b));
    // Only the notation differs.
    if a.text == b.text && raw_a != raw_b {
        (a, b) = (Indented::plain(raw_a), Indented::plain(raw_b));
    }
    let (start, changed) = changed_lines_after(&a.text, &b.text);
    let differs: Vec<usize> =
        changed.iter().enumerate().filter(|(_, line)| line.in_a != line.in_b).map(|(at, _)| at).collect();
    let (mut at_a, mut at_b) = (start, start);
    let mut changes = Vec::new();
    let mut left_out = start;
    for (at, line) in changed.into_iter().enumerate() {
        let near = differs.partition_point(|differing| differing + CONTEXT < at);
        let is_shown = differs.get(near).is_some_and(|differing| *differing <= at + CONTEXT);
        if is_shown {
            let path = if line.in_a { a.path(at_a) } else { b.path(at_b) };
            if left_out > 0 {
                changes.push(BodyChange::LeftOut { lines: left_out, before: path.to_owned() });
            }
            left_out = 0;
        } else {
            left_out += 1;
        }
        at_a += usize::from(line.in_a);
        at_b += usize::from(line.in_b);
        if is_shown {
            changes.push(BodyChange::Line(line));
        }
    }
    // The end of long texts is not compared.
    left_out += a.paths.len().saturating_sub(at_a).max(b.paths.len().saturating_sub(at_b));
    if left_out > 0 && !changes.is_empty() {
        changes.push(BodyChange::LeftOut { lines: left_out, before: String::new() });
    }
    changes
}

/// A body as lines, each with the place of its value.
struct Indented {
    text: String,
    paths: Vec<String>,
}

impl Indented {
    fn of(body: &str) -> Self {
        match json_lines(body.as_bytes(), 0) {
            Some(lines) => Self {
                text: lines
                    .iter()
                    .map(|line| format!("{}{}\n", "  ".repeat(line.depth()), line.text))
                    .collect(),
                paths: lines.iter().map(JsonLine::path).collect(),
            },
            None => Self::plain(body),
        }
    }

    fn plain(body: &str) -> Self {
        Self { text: body.to_owned(), paths: body.lines().map(|_| String::new()).collect() }
    }

    fn path(&self, at: usize) -> &str {
        self.paths.get(at).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(a: &str, b: &str) -> String {
        let show = |change: &BodyChange| match change {
            BodyChange::LeftOut { lines, before } => format!("… {lines} lines … {before}\n"),
            BodyChange::Line(line) => {
                let sign = match (line.in_a, line.in_b) {
                    (true, true) => ' ',
                    (true, false) => '-',
                    _ => '+',
                };
                format!("{sign} {}\n", line.parts.iter().map(|(_, part)| part.as_str()).collect::<String>())
            }
        };
        body_changes(a, b).iter().map(show).collect()
    }

    #[test]
    fn a_change_deep_in_a_body_is_shown_with_its_place() {
        let body = |title: &str| {
            let items =
                (0..20).map(|n| format!(r#"{{"id":{n},"title":"{}"}}"#, if n == 17 { title } else { "x" }));
            format!(r#"{{"items":[{}],"total":20}}"#, items.collect::<Vec<_>>().join(","))
        };
        insta::assert_snapshot!(shown(&body("old"), &body("new")), @r#"
        … 70 lines … items[17]
              {
                "id": 17,
        -       "title": "old"
        +       "title": "new"
              },
              {
        … 10 lines …
        "#);
        assert_eq!(shown(&body("same"), &body("same")), "");
        // Long bodies, which are compared from the first difference on.
        let long = |end: &str| format!(r#"{{"text":[{}],"end":"{end}"}}"#, vec!["\"a\""; 5_000].join(","));
        let text = shown(&long("old"), &long("new"));
        assert!(
            text.starts_with("… 500") && text.contains("-   \"end\": \"old\"\n+   \"end\": \"new\""),
            "{text}"
        );
    }

    #[test]
    fn other_texts_are_compared_by_line() {
        assert_eq!(shown("{\"a\":1}", "{\"a\": 1}"), "- {\"a\":1}\n+ {\"a\": 1}\n");
        assert_eq!(shown("a\nb\nc\nd\ne", "a\nb\nc\nd\nE"), "… 2 lines … \n  c\n  d\n- e\n+ E\n");
    }
}
