//! `zerver replay --edit`: opens the slots of a trace in an editor, and turns the changes into edits.

use std::collections::BTreeSet;

use serde_json::Value as Tree;
use zerver_replay::{RecordedJson, SlotEdit};
use zerver_trace::text::clean;
use zerver_trace::{Event, Recorded, Trace};

use crate::editor;
use crate::error::CommandError;
use crate::output::Output;
use crate::paths;

/// Opens the slots in the editor, and returns the changes.
pub(super) fn edit(trace: &Trace, output: &mut Output) -> Result<Vec<SlotEdit>, CommandError> {
    let slots = EditableSlots::new(trace);
    if slots.known.is_empty() {
        return Err(CommandError::new("nothing to edit: no step wrote a slot that can be shown")
            .with_hint("to edit the request, use --request-header and --request-body"));
    }
    let (text, file) = editor::edit(&slots.text, ".txt")?;
    match slots.changed(&text) {
        Ok(edits) => {
            for edit in &edits {
                output.info(&format!("--set '{}'", clean(&argument(edit))));
            }
            Ok(edits)
        }
        Err(SyntaxError { line, what }) => {
            let kept = file.keep().map(|(_, path)| path);
            let mut error = CommandError::new(format!("cannot parse line {line}: {what}"));
            if let Ok(path) = kept {
                error = error.with_hint(format!("your text is kept in {}", paths::display(&path)));
            }
            Err(error)
        }
    }
}

/// Returns the argument of `--set` for an edit.
fn argument(edit: &SlotEdit) -> String {
    let path = edit.path.iter().flat_map(|part| [".", part.as_str()]);
    std::iter::once(edit.slot.as_str()).chain(path).chain(["=", &edit.json]).collect()
}

/// The slots of a trace as text to edit.
struct EditableSlots {
    text: String,
    known: Vec<(String, Tree)>,
}

/// A syntax error; lines are counted from 1.
#[derive(Debug, PartialEq, Eq)]
struct SyntaxError {
    line: usize,
    what: String,
}

impl EditableSlots {
    fn new(trace: &Trace) -> Self {
        let flow = &trace.flow;
        let mut text = format!(
            "# Slots of {} {} ({}), as its steps wrote them.\n\
             # Change values, which are JSON, then save and exit: the request is replayed with the changes.\n\
             # Without changes, nothing is replayed. Lines between values that begin with # are ignored.\n",
            clean(&trace.method),
            clean(&trace.path),
            clean(&flow.name)
        );
        let mut known = Vec::new();
        for event in &trace.events {
            let Event::SlotWritten { step, slot, value, .. } = event else { continue };
            let Some(info) = flow.slots.get(usize::from(*slot)) else { continue };
            let step = flow.steps.get(usize::from(*step)).map_or("", |step| step.name.as_str());
            let name = &info.name;
            let is_shown = !info.is_secret
                && !matches!(
                    value,
                    Recorded::Missing(_)
                        | Recorded::Sealed { masked: None, .. }
                        | Recorded::Hashed { masked: None, .. }
                );
            let json = RecordedJson::Value(value.clone());
            let forms =
                serde_json::to_string_pretty(&json).and_then(|text| Ok((text, serde_json::to_value(&json)?)));
            match forms.ok().filter(|_| is_shown) {
                Some((json, tree)) => {
                    // JSON does not escape bidirectional controls and the like.
                    text +=
                        &format!("\n# written by {}\n{} = {}\n", clean(step), clean(name), escaped(&json));
                    known.push((name.clone(), tree));
                }
                None => {
                    let why = if info.is_secret { "a secret" } else { "not recorded in full" };
                    text += &format!("\n# {} is {why}; --set '{}=JSON' sets it\n", clean(name), clean(name));
                }
            }
        }
        Self { text, known }
    }

    /// Returns the changes in an edited text.
    fn changed(&self, text: &str) -> Result<Vec<SlotEdit>, SyntaxError> {
        let (mut edits, mut seen, mut at) = (Vec::new(), BTreeSet::new(), 0);
        let wrong = |at: usize, what: String| SyntaxError {
            line: 1 + text[..at].bytes().filter(|byte| *byte == b'\n').count(),
            what,
        };
        while at < text.len() {
            let rest = &text[at..];
            let line = rest.lines().next().unwrap_or_default();
            if line.trim().is_empty() || line.starts_with('#') {
                at += rest.find('\n').map_or(rest.len(), |end| end + 1);
                continue;
            }
            let Some((name, _)) = line.split_once('=') else {
                return Err(wrong(at, "expected Slot = JSON".to_owned()));
            };
            let slot = name.trim();
            let begin = at + name.len() + 1;
            let mut values = serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Tree>();
            let tree = match values.next() {
                Some(Ok(tree)) => tree,
                Some(Err(error)) => {
                    // The position is relative to the value; column 0 is the end of the previous line.
                    let (text, line) =
                        (error.to_string(), error.line().saturating_sub(usize::from(error.column() == 0)));
                    let what = text.split(" at line ").next().unwrap_or_default();
                    let mut wrong = wrong(begin, format!("{slot} is not JSON: {what}"));
                    wrong.line += line.saturating_sub(1);
                    return Err(wrong);
                }
                None => return Err(wrong(at, format!("{slot} has no value"))),
            };
            let end = begin + values.byte_offset();
            let after = text[end..].lines().next().unwrap_or_default();
            if !after.trim().is_empty() {
                return Err(wrong(end, format!("{:?} follows the value of {slot}", after.trim())));
            }
            if !seen.insert(slot) {
                return Err(wrong(at, format!("{slot} occurs twice")));
            }
            match self.known.iter().find(|(name, _)| name == slot) {
                Some((_, before)) => differences(slot, &mut Vec::new(), before, &tree, &mut edits),
                None => edits.push(set(slot, &[], &tree)),
            }
            at = end + after.len();
        }
        Ok(edits)
    }
}

/// Escapes what could mislead the reader or the terminal.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && zerver_trace::text::is_dangerous(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Collects the smallest parts that differ, so that the rest keeps its types and secrets.
fn differences(slot: &str, path: &mut Vec<String>, a: &Tree, b: &Tree, edits: &mut Vec<SlotEdit>) {
    // A value that JSON cannot express is an object with one key, which is not part of a path.
    let is_form = |tree: &Tree| {
        let key = tree.as_object().filter(|object| object.len() == 1).and_then(|object| object.keys().next());
        key.is_some_and(|key| ["bytes", "map", "number", "secret", "missing"].contains(&key.as_str()))
    };
    match (a, b) {
        (a, b) if a == b => {}
        (Tree::Object(x), Tree::Object(y)) if !is_form(a) && x.len() == y.len() && x.keys().eq(y.keys()) => {
            for (key, value) in x {
                path.push(key.clone());
                differences(slot, path, value, &y[key], edits);
                path.pop();
            }
        }
        (Tree::Array(x), Tree::Array(y)) if x.len() == y.len() => {
            for (at, (x, y)) in std::iter::zip(x, y).enumerate() {
                path.push(at.to_string());
                differences(slot, path, x, y, edits);
                path.pop();
            }
        }
        _ => edits.push(set(slot, path, b)),
    }
}

fn set(slot: &str, path: &[String], tree: &Tree) -> SlotEdit {
    SlotEdit { slot: slot.to_owned(), path: path.to_vec(), json: tree.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slots() -> EditableSlots {
        let known = vec![
            ("Claims".to_owned(), json!({ "sub": "ann", "roles": ["admin"] })),
            ("TodoId".to_owned(), json!(1)),
            ("Key".to_owned(), json!({ "bytes": "00ff" })),
        ];
        EditableSlots { text: String::new(), known }
    }

    fn changed(text: &str) -> Vec<String> {
        slots().changed(text).unwrap().iter().map(argument).collect()
    }

    #[test]
    fn only_changed_parts_become_edits() {
        assert_eq!(
            changed("# a\n\nClaims = {\"roles\": [\"admin\"],\n  \"sub\": \"ann\"}\nTodoId = 1\n"),
            [""; 0]
        );
        assert_eq!(changed(""), [""; 0]);
        let text = "Claims = {\n  \"sub\": \"bob\",\n  \"roles\": [\"reader\"]\n}\nTodoId = 2";
        assert_eq!(changed(text), [r#"Claims.roles.0="reader""#, r#"Claims.sub="bob""#, "TodoId=2"]);
        assert_eq!(changed(r#"Claims = {"sub": "ann", "roles": []}"#), ["Claims.roles=[]"]);
        assert_eq!(changed(r#"Claims = {"sub": "ann"}"#), [r#"Claims={"sub":"ann"}"#]);
        assert_eq!(changed(r#"Key = {"bytes": "00"}"#), [r#"Key={"bytes":"00"}"#]);
        assert_eq!(changed("Other = null"), ["Other=null"]);
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let check = |text: &str, line: usize, what: &str| {
            let wrong = slots().changed(text).unwrap_err();
            assert!(wrong.line == line && wrong.what.contains(what), "{wrong:?}");
        };
        check("# a\nTodoId = 1\nClaims = {\n  \"sub\": ann\n}", 4, "Claims is not JSON");
        check("TodoId = 1\nClaims = {\n  \"sub\": \"ann\n}", 3, "Claims is not JSON: control character");
        check("TodoId = 1 2", 1, "\"2\" follows the value of TodoId");
        check("\nTodoId", 2, "expected Slot = JSON");
        check("TodoId =", 1, "TodoId");
        check("TodoId = 1\n\nTodoId = 1", 3, "twice");
        check("TodoId = 1\n}", 2, "expected Slot = JSON");
    }
}
