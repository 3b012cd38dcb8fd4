//! JSON as indented lines, which can be folded and compared line by line.

use crate::value::json_tree::JsonTree;

/// Line of an indented JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonLine {
    /// Names and positions that lead to the value.
    pub keys: Vec<String>,
    /// Text without the indentation: `"title": "Buy milk",`.
    pub text: String,
    /// Position in the text after the key.
    pub value_at: usize,
    /// Text and extent of the list or the object that begins here, for folding; `None` for any other line.
    pub fold: Option<JsonFold>,
}

/// A list or an object that can be folded into the line where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonFold {
    /// Number of lines that are hidden, with the closing bracket.
    pub lines: usize,
    /// Text of the folded line: `"items": [ 17 parts ],`.
    pub text: String,
}

/// Returns a JSON text as lines, each value on its own line; `None` if it is not JSON, or neither a list nor an object.
/// Lists and objects that fit into `columns` at two columns per level take one line.
pub fn json_lines(text: &[u8], columns: usize) -> Option<Vec<JsonLine>> {
    let tree = JsonTree::read(text).ok()?;
    if !matches!(tree, JsonTree::List(_) | JsonTree::Object(_)) {
        return None;
    }
    let mut printer = Printer { lines: Vec::new(), columns };
    printer.value(&tree, "", &mut Vec::new(), "");
    Some(printer.lines)
}

struct Printer {
    lines: Vec<JsonLine>,
    columns: usize,
}

impl Printer {
    /// Adds a value after its key, if it has one, and before a comma, unless it is the last. `keys` lead to the value.
    fn value(&mut self, tree: &JsonTree<'_>, key: &str, keys: &mut Vec<String>, comma: &str) {
        let room = self.columns.saturating_sub(2 * keys.len() + key.len() + comma.len());
        let (open, close, parts) = match tree {
            JsonTree::List(items) if !items.is_empty() => ('[', ']', items.len()),
            JsonTree::Object(entries) if !entries.is_empty() => ('{', '}', entries.len()),
            _ => return self.line(key, &format!("{}{comma}", compact(tree, usize::MAX).0), keys),
        };
        if let (text, true) = compact(tree, room) {
            return self.line(key, &format!("{text}{comma}"), keys);
        }
        let at = self.lines.len();
        self.line(key, &open.to_string(), keys);
        let comma_after = |n: usize| if n + 1 < parts { "," } else { "" };
        match tree {
            JsonTree::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    keys.push(n.to_string());
                    self.value(item, "", keys, comma_after(n));
                    keys.pop();
                }
            }
            JsonTree::Object(entries) => {
                for (n, (name, value)) in entries.iter().enumerate() {
                    keys.push(name.clone().into_owned());
                    self.value(value, &format!("{}: ", quoted(name)), keys, comma_after(n));
                    keys.pop();
                }
            }
            _ => {}
        }
        self.line("", &format!("{close}{comma}"), keys);
        let word = if parts == 1 { "part" } else { "parts" };
        let text = format!("{key}{open} {parts} {word} {close}{comma}");
        self.lines[at].fold = Some(JsonFold { lines: self.lines.len() - 1 - at, text });
    }

    fn line(&mut self, key: &str, value: &str, keys: &[String]) {
        let text = format!("{key}{value}");
        self.lines.push(JsonLine { keys: keys.to_vec(), text, value_at: key.len(), fold: None });
    }
}

impl JsonLine {
    /// Returns the nesting depth.
    pub fn depth(&self) -> usize {
        self.keys.len()
    }

    /// Returns the place of the value: `items[17].title`; empty for the whole.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for key in &self.keys {
            match key.bytes().all(|byte| byte.is_ascii_digit()) {
                true => path += &format!("[{key}]"),
                false => path += &format!("{}{key}", if path.is_empty() { "" } else { "." }),
            }
        }
        path
    }
}

/// Returns the JSON text of the value that begins at a line, indented.
pub fn json_value(lines: &[JsonLine], at: usize) -> String {
    let Some(first) = lines.get(at) else { return String::new() };
    let rest = first.fold.as_ref().map_or(0, |fold| fold.lines);
    let mut text = first.text[first.value_at..].to_owned();
    for line in lines.iter().skip(at + 1).take(rest) {
        text += &format!("\n{}{}", "  ".repeat(line.depth() - first.depth()), line.text);
    }
    text.strip_suffix(',').map(str::to_owned).unwrap_or(text)
}

/// Returns a value on one line, and true if it fits into `most` bytes; else the text is not complete.
fn compact(tree: &JsonTree<'_>, most: usize) -> (String, bool) {
    let mut out = String::new();
    let fits = write_compact(tree, most, &mut out);
    (out, fits)
}

/// Writes a value, and returns false as soon as it does not fit.
fn write_compact(tree: &JsonTree<'_>, most: usize, out: &mut String) -> bool {
    match tree {
        JsonTree::Null => out.push_str("null"),
        JsonTree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        JsonTree::Number(number) => out.push_str(number),
        JsonTree::Text(text) => out.push_str(&quoted(text)),
        JsonTree::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                if !write_compact(item, most, out) {
                    return false;
                }
            }
            out.push(']');
        }
        JsonTree::Object(entries) => {
            out.push('{');
            for (at, (name, value)) in entries.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                out.push_str(&quoted(name));
                out.push_str(": ");
                if !write_compact(value, most, out) {
                    return false;
                }
            }
            out.push('}');
        }
    }
    out.len() <= most
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, columns: usize) -> String {
        let lines = json_lines(text.as_bytes(), columns).unwrap();
        lines.iter().map(|line| format!("{}{}\n", "  ".repeat(line.depth()), line.text)).collect()
    }

    #[test]
    fn values_are_indented_and_keep_their_digits_and_order() {
        let text = r#"{"b":[1,2.50,{"a":null}],"a":"x\ny","b":{},"c":[]}"#;
        insta::assert_snapshot!(shown(text, 0), @r#"
        {
          "b": [
            1,
            2.50,
            {
              "a": null
            }
          ],
          "a": "x\ny",
          "b": {},
          "c": []
        }
        "#);
        insta::assert_snapshot!(shown(text, 32), @r#"
        {
          "b": [1, 2.50, {"a": null}],
          "a": "x\ny",
          "b": {},
          "c": []
        }
        "#);
        for other in ["", "not JSON", "17", "\"text\"", "{\"a\": "] {
            assert_eq!(json_lines(other.as_bytes(), 80), None, "{other}");
        }
    }

    #[test]
    fn lines_have_paths_and_fold() {
        let lines = json_lines(br#"{"items": [{"title": "a"}, {"title": "b"}]}"#, 0).unwrap();
        let paths: Vec<String> = lines.iter().map(JsonLine::path).collect();
        assert_eq!(paths[2..5], ["items[0]", "items[0].title", "items[0]"]);
        let fold = lines[1].fold.clone().unwrap();
        assert_eq!((fold.lines, fold.text.as_str()), (7, "\"items\": [ 2 parts ]"));
        assert_eq!(lines[1 + fold.lines].text, "]");
        assert_eq!(lines[3].fold, None);
        assert_eq!(json_value(&lines, 2), "{\n  \"title\": \"a\"\n}");
        assert_eq!(json_value(&lines, 3), "\"a\"");
    }
}
