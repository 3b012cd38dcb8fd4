//! Differences in words, and changed values as `before -> after`, or one above the other where that is too long.

use zerver_replay::{Difference, Json, What, changed_lines};
use zerver_trace::text::clean;
use zerver_trace::{Node, Recorded, Value};

use crate::view::{filler, fit, paint, style, value, width};
use zerver_trace::duration;

/// In a sentence, a value is cut to so many columns.
const IN_SENTENCE: usize = 32;
/// Around what changed in a line, so many characters are shown.
const AROUND: usize = 16;
/// Of a text, so many lines are shown.
const MAX_LINES: usize = 40;

/// Two times in words; the unit is said once if it is the same.
pub(super) fn span(a_ns: u64, b_ns: u64) -> (String, String) {
    let (mut from, to) = (duration::show(a_ns), duration::show(b_ns));
    if let (Some((number, unit)), Some((_, other))) = (from.rsplit_once(' '), to.rsplit_once(' '))
        && unit == other
    {
        from = number.to_owned();
    }
    (from, to)
}

/// `request query latency_ms 0 -> 250`, `queue of load_todo 0 ns -> 2.00 ms`.
pub(super) fn sentence(difference: &Difference) -> String {
    let mut text = difference.what.as_str().to_owned();
    if matches!(difference.what, What::Step | What::Effect) {
        let side = if difference.a.is_none() { "b" } else { "a" };
        let name = [&difference.b, &difference.a].into_iter().flatten().next().map(word).unwrap_or_default();
        return format!("{text} {name}, only in {side}");
    }
    let about = difference.effect.as_deref().or(difference.step.as_ref().map(|step| step.name.as_str()));
    if let Some(about) = about.filter(|_| difference.what != What::Slot) {
        text += &format!(" of {}", clean(about));
    }
    if !difference.path.is_empty() {
        text += &format!(" {}", clean(&difference.path));
    }
    format!("{text} {}", change(difference))
}

/// `0 -> 250`, each side cut to what goes into a sentence.
pub(super) fn change(difference: &Difference) -> String {
    let (a, b) = sides(difference);
    format!("{} -> {}", fit(&a, IN_SENTENCE), fit(&b, IN_SENTENCE))
}

/// What it is, in a block that already says what it is about.
fn label(difference: &Difference) -> String {
    let path = clean(&difference.path);
    let word = difference.what.as_str().rsplit(' ').next().unwrap_or_default();
    let words = match difference.what {
        What::Slot => path.into_owned(),
        What::ResponseBody | What::RequestBody if !path.is_empty() => {
            format!("body.{path}").replace(".[", "[")
        }
        _ if path.is_empty() => word.to_owned(),
        _ => format!("{word} {path}"),
    };
    match &difference.effect {
        Some(effect) if difference.what != What::Slot => format!("{}  {words}", clean(effect)),
        _ => words,
    }
}

/// A difference on a line of `room` columns, or on several.
pub(super) fn lines(difference: &Difference, room: usize, is_verbose: bool) -> Vec<String> {
    let name = label(difference);
    let (a, b) = sides(difference);
    let columns = width(&name) + 2 + width(&a) + 4 + width(&b);
    let named = paint(style::NOTED, &name);
    if columns <= room {
        let (a, b) = (paint(style::BAD, &a), paint(style::GOOD, &b));
        return vec![format!("{named}  {a} {} {b}", paint(style::FAINT, "->"))];
    }
    let mut out = vec![paint(style::NOTED, &fit(&name, room))];
    match (text(difference.a.as_ref()), text(difference.b.as_ref())) {
        (Some(a), Some(b)) => out.extend(texts(&a, &b, room, is_verbose)),
        _ => {
            for (sign, side, style) in [("-", &a, style::BAD), ("+", &b, style::GOOD)] {
                let side = if is_verbose { side.clone() } else { fit(side, room.saturating_sub(4)) };
                out.push(format!("  {} {}", paint(style, sign), paint(style, &side)));
            }
        }
    }
    out
}

/// The lines of two texts that changed, with the changes in them marked.
fn texts(a: &str, b: &str, room: usize, is_verbose: bool) -> Vec<String> {
    let changed = changed_lines(a, b);
    let mut out = Vec::new();
    for line in changed.iter().filter(|line| line.in_a != line.in_b) {
        if out.len() == MAX_LINES && !is_verbose {
            out.push(paint(style::FAINT, "  more lines differ; -v shows all"));
            break;
        }
        let (sign, style) = if line.in_a { ("-", style::BAD) } else { ("+", style::GOOD) };
        let mut left = if is_verbose { usize::MAX } else { room.saturating_sub(4) };
        let mut drawn = format!("  {} ", paint(style, sign));
        let last = line.parts.len().saturating_sub(1);
        for (at, (is_changed, part)) in line.parts.iter().enumerate() {
            let is_near = *is_changed || is_verbose || (last == 0);
            let part = if is_near { clean(part).into_owned() } else { shortened(part, at > 0, at < last) };
            let part = fit(&part, left);
            left = left.saturating_sub(width(&part));
            drawn += &if *is_changed { paint(style, &part) } else { part };
        }
        out.push(drawn);
    }
    out
}

/// What did not change, next to what did: its beginning after a change, and its end before one.
fn shortened(part: &str, after: bool, before: bool) -> String {
    let chars: Vec<char> = part.chars().collect();
    let (head, tail) = (if after { AROUND } else { 0 }, if before { AROUND } else { 0 });
    if chars.len() <= head + tail + 1 {
        return clean(part).into_owned();
    }
    let text = |chars: &[char]| clean(&chars.iter().collect::<String>()).into_owned();
    format!("{}…{}", text(&chars[..head]), text(&chars[chars.len() - tail..]))
}

/// Both sides, on one line each.
fn sides(difference: &Difference) -> (String, String) {
    let (a, b) = (difference.a.as_ref(), difference.b.as_ref());
    if difference.what.is_time() {
        let ns = |side: Option<&Json>| match side.and_then(root) {
            Some(Node::Uint(ns)) => ns,
            _ => 0,
        };
        return span(ns(a), ns(b));
    }
    // What is text by its nature needs no quotes.
    let is_bare = matches!(
        difference.what,
        What::Flow
            | What::RequestMethod
            | What::RequestPath
            | What::RequestParameter
            | What::RequestQuery
            | What::Decision
            | What::Outcome
    );
    let side = |side: Option<&Json>| match side {
        None => "nothing".to_owned(),
        Some(side) if is_bare => word(side),
        Some(side) => shown(side),
    };
    (side(a), side(b))
}

fn shown(side: &Json) -> String {
    match side {
        Json::Value(recorded) => value::value(recorded),
        Json::Wire(recorded) => value::wire(recorded).join("\\n"),
        Json::Masked => value::SECRET.to_owned(),
    }
}

fn word(side: &Json) -> String {
    match root(side) {
        Some(Node::Str("")) => "\"\"".to_owned(),
        Some(Node::Str(text)) => clean(text).into_owned(),
        _ => shown(side),
    }
}

fn text(side: Option<&Json>) -> Option<String> {
    match root(side?)? {
        Node::Str(text) => Some(text.to_owned()),
        _ => None,
    }
}

fn root(side: &Json) -> Option<Node<'_>> {
    match side {
        Json::Value(recorded) | Json::Wire(recorded) => Recorded::value(recorded).map(Value::root),
        Json::Masked => None,
    }
}

/// A text in so many columns, and the spaces that it lacks.
pub(super) fn padded(text: &str, columns: usize) -> (String, String) {
    let text = fit(text, columns);
    let filler = filler(&text, columns);
    (text, filler)
}
