//! Compares how two requests or two attempts ended. The recorder may have cut texts or masked secrets in them, and
//! marks them; such a text proves less.

use zerver_replay::value::masked_text;
use zerver_trace::{EffectError, Outcome, RedactedText, TextPlace, Trace};

use crate::diff::compare::differences::{Differences, Subject, text};
use crate::diff::compare::value_changes::{ONE_SIDE, OTHER_KEY};
use crate::diff::difference::DifferenceKind;
use crate::{EffectEnd, Timeline};

/// A text and what the recorder did to it.
type TextPart<'t> = (&'t str, Option<&'t RedactedText>);

/// Result of comparing two texts.
enum Known {
    Equal,
    Different,
    Nothing(&'static str),
}

/// Compares the outcomes of two requests.
pub(crate) fn compare(
    (a, of_a): (&Trace, &Timeline),
    (b, of_b): (&Trace, &Timeline),
    found: &mut Differences<'_>,
) {
    let at = Subject::whole(DifferenceKind::Outcome);
    let words = |trace: &Trace, of: &Timeline| {
        of.failure.as_ref().map_or_else(|| trace.outcome.as_str().to_owned(), ToString::to_string)
    };
    if decide(at, "", [&parts(a), &parts(b)], [words(a, of_a), words(b, of_b)], found) {
        return;
    }
    let causes = |trace: &Trace| match &trace.outcome {
        Outcome::Failed(info) => info.causes.join("; "),
        _ => String::new(),
    };
    decide(at, "causes", [&of_causes(a), &of_causes(b)], [causes(a), causes(b)], found);
}

/// Compares the errors of two attempts, each with the number of its call.
pub(crate) fn errors(
    at: Subject<'_>,
    path: &str,
    [a, b]: [(&EffectError, u32); 2],
    found: &mut Differences<'_>,
) {
    let [in_a, in_b] = found.redactions;
    let mark = |call| TextPlace::EffectError(call);
    let of_a = [(a.0.kind.as_str(), None), (a.0.message.as_str(), in_a.text(mark(a.1)))];
    let of_b = [(b.0.kind.as_str(), None), (b.0.message.as_str(), in_b.text(mark(b.1)))];
    let words = [a, b].map(|(error, _)| EffectEnd::Err(error.clone()).to_string());
    decide(at, path, [&of_a, &of_b], words, found);
}

/// Returns the texts of an outcome, except its causes.
fn parts(trace: &Trace) -> Vec<TextPart<'_>> {
    let mark = |place| trace.redaction.text(place);
    let mut parts: Vec<TextPart<'_>> = vec![(trace.outcome.as_str(), None)];
    match &trace.outcome {
        Outcome::Failed(info) => parts.extend([
            (info.kind.as_str(), None),
            (&*info.what, mark(TextPlace::What)),
            (info.key.as_str(), mark(TextPlace::Key)),
            (info.message.as_str(), mark(TextPlace::Message)),
        ]),
        Outcome::Panicked { message: text, .. } | Outcome::Rejected { reason: text } => {
            parts.push((text, mark(TextPlace::Message)));
        }
        Outcome::Done | Outcome::TimedOut { .. } | Outcome::ClientLeft { .. } => {}
    }
    parts
}

fn of_causes(trace: &Trace) -> Vec<TextPart<'_>> {
    let Outcome::Failed(info) = &trace.outcome else { return Vec::new() };
    let causes = (0..).zip(&info.causes);
    let mut parts: Vec<TextPart<'_>> =
        causes.map(|(at, cause)| (cause.as_str(), trace.redaction.text(TextPlace::Cause(at)))).collect();
    // There may have been further causes.
    if let Some(mark) = trace.redaction.text(TextPlace::Causes) {
        parts.push(("", Some(mark)));
    }
    parts
}

/// Adds a difference if the texts differ, or a note if that is unknown. Returns true if they differ.
fn decide(
    at: Subject<'_>,
    path: &str,
    [a, b]: [&[TextPart<'_>]; 2],
    words: [String; 2],
    found: &mut Differences<'_>,
) -> bool {
    let mut unknown = (a.len() != b.len()).then_some(Known::Different);
    for (a, b) in a.iter().zip(b) {
        match known(*a, *b, found.has_one_key) {
            Known::Equal => {}
            known => {
                if !matches!(unknown, Some(Known::Different)) {
                    unknown = Some(known);
                }
            }
        }
    }
    let [a, b] = words;
    match unknown {
        None | Some(Known::Equal) => {}
        Some(Known::Nothing(why)) => found.skip(&at, path, why),
        Some(Known::Different) => {
            let side = |words: String| (!words.is_empty()).then(|| text(&words));
            found.add(at, path, side(a), side(b));
            return true;
        }
    }
    false
}

fn known((a, mark_a): TextPart<'_>, (b, mark_b): TextPart<'_>, has_one_key: bool) -> Known {
    let any = |is: fn(&RedactedText) -> bool| [mark_a, mark_b].into_iter().flatten().any(is);
    let all = |is: fn(&RedactedText) -> bool| [mark_a, mark_b].iter().all(|mark| mark.is_some_and(is));
    if any(|mark| mark.is_cut) {
        // The part left of both.
        let left = |text: &'_ str, mark: Option<&RedactedText>| match mark {
            Some(mark) if mark.is_cut => text.trim_end_matches('…').len(),
            _ => text.len(),
        };
        let len = left(a, mark_a).min(left(b, mark_b));
        let is_alike = a.as_bytes()[..len] == b.as_bytes()[..len];
        if is_alike || any(|mark| mark.is_masked) {
            return Known::Nothing("cut while recording");
        }
        return Known::Different;
    }
    if a == b {
        return Known::Equal;
    }
    if any(|mark| mark.is_masked) && masked_text::may_be_equal(a, b) {
        if !all(|mark| mark.is_masked) {
            return Known::Nothing(ONE_SIDE);
        }
        if !has_one_key {
            return Known::Nothing(OTHER_KEY);
        }
    }
    Known::Different
}
