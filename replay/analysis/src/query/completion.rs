//! Completion of a query while it is typed.

use zerver_trace::FlowInfo;

use super::field::field_starts;
use super::value::STATE_NAMES;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
const CLASSES: [&str; 3] = ["interactive", "default", "batch"];
const OUTCOMES: [&str; 6] = ["done", "failed", "panicked", "timed_out", "gone", "rejected"];
const STATUSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "404"];
const EFFECTS: [&str; 4] = ["http", "kv", "sql", "timer"];
const TIMES: [&str; 6] = ["10m", "1h", "1d", "today", "yesterday", "now"];
const DURATIONS: [&str; 4] = ["1ms", "10ms", "100ms", "1s"];

/// Returns what the last word of a query can be completed to, as whole words. Flows, steps and slots are those of these
/// flows.
pub fn complete_query(word: &str, flows: &[FlowInfo]) -> Vec<String> {
    let negation = word.len() - word.trim_start_matches(['!', '(']).len();
    let (prefix, term) = word.split_at(negation);
    let candidates = match term.find([':', '~', '=', '<', '>']) {
        None => names(flows),
        Some(at) => {
            let field = &term[..at];
            let operator_len =
                term[at..].len() - term[at..].trim_start_matches([':', '~', '=', '<', '>']).len();
            // Each value of a list is completed by itself.
            let start = term.rfind(',').map_or(at + operator_len, |comma| comma + 1);
            let begun = &term[..start];
            values(field, flows).into_iter().map(|value| format!("{begun}{}", quoted(&value))).collect()
        }
    };
    let mut completed: Vec<_> = candidates
        .into_iter()
        .filter(|candidate| candidate.get(..term.len()).is_some_and(|start| start.eq_ignore_ascii_case(term)))
        .map(|candidate| format!("{prefix}{candidate}"))
        .collect();
    completed.dedup();
    completed
}

/// Returns the fields, each with the operator that is used most.
fn names(flows: &[FlowInfo]) -> Vec<String> {
    let mut names = field_starts();
    names.extend(sorted(flows.iter().flat_map(|flow| &flow.slots).map(|slot| format!("slot.{}", slot.name))));
    names.extend(EFFECTS.map(|kind| format!("effect.{kind}.took>")));
    names
}

fn values(field: &str, flows: &[FlowInfo]) -> Vec<String> {
    let known = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    match field.to_ascii_lowercase().as_str() {
        "flow" => sorted(flows.iter().map(|flow| flow.name.clone())),
        "step" => sorted(flows.iter().flat_map(|flow| &flow.steps).map(|step| step.name.clone())),
        "is" => known(&STATE_NAMES),
        "status" => known(&STATUSES),
        "method" => known(&METHODS),
        "class" => known(&CLASSES),
        "outcome" => known(&OUTCOMES),
        "effect" => known(&EFFECTS),
        "since" | "until" => known(&TIMES),
        "took" | "queued" => known(&DURATIONS),
        field if field.ends_with(".took") => known(&DURATIONS),
        _ => Vec::new(),
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./%+@$".contains(c);
    if value.chars().all(is_plain) {
        value.to_owned()
    } else {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{QueryClock, RequestQuery};
    use super::*;
    use zerver_testkit::sample;

    fn complete(word: &str) -> Vec<String> {
        complete_query(word, &[(*sample::slow().flow).clone()])
    }

    #[test]
    fn fields_and_values_are_completed() {
        for (word, wanted) in [
            ("flo", &["flow:"][..]),
            ("flow:", &["flow:todos-item"]),
            ("!flow=to", &["!flow=todos-item"]),
            ("(is:fa", &["(is:failed"]),
            ("is:failed,cl", &["is:failed,client_error"]),
            ("step:load", &["step:load_todo"]),
            ("slot.Cl", &["slot.Claims"]),
            ("status:5", &["status:5xx"]),
            ("since:y", &["since:yesterday"]),
            ("took>=1", &["took>=1ms", "took>=10ms", "took>=100ms", "took>=1s"][..]),
            ("took>=10", &["took>=10ms", "took>=100ms"]),
            ("nothing:", &[]),
            ("\u{e9}", &[]),
        ] {
            let mut completed = complete(word);
            let mut wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
            completed.sort();
            wanted.sort();
            assert_eq!(completed, wanted, "{word}");
        }
    }

    #[test]
    fn completed_terms_are_valid() {
        for field in complete("") {
            for term in complete(&field) {
                // Not the beginning of another field.
                if term.len() > field.len() && !term.ends_with([':', '>', '.']) {
                    let parsed = RequestQuery::parse(&term, &QueryClock::utc(1 << 60));
                    assert!(parsed.is_ok(), "{term}: {parsed:?}");
                }
            }
        }
    }
}
