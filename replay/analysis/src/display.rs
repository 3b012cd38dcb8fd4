//! Wording for rows of a timeline, on one line and safe for a terminal. A secret becomes a row of dots.

use zerver_trace::duration::HumanDuration;
use zerver_trace::text::clean;
use zerver_trace::{Recorded, Trace};

pub use zerver_replay::value::display::{SECRET, header, json, value, wire};

use crate::{Effect, SlotWrite, StepRun};

/// Maximum number of kinds named in one row.
const MAX_KINDS: usize = 8;

/// Returns method and target: `GET /reports/todos?latency_ms=20`; the path in place of a target that was not recorded.
pub fn request_line(trace: &Trace) -> String {
    let is_recorded = trace.target.value().is_some();
    let target = if is_recorded { wire(&trace.target).join("\\n") } else { clean(&trace.path).into_owned() };
    format!("{} {target}", clean(&trace.method))
}

/// Returns the query of a target with its question mark: `?latency_ms=20`. Empty if there is none, or it was not recorded.
pub fn query_string(target: &Recorded) -> String {
    let text = target.value().map(|_| wire(target).join("\\n")).unwrap_or_default();
    text.find('?').map_or(String::new(), |at| text[at..].to_owned())
}

/// Returns a slot's value as text.
pub fn slot(write: &SlotWrite) -> String {
    if write.is_masked() { SECRET.to_owned() } else { value(&write.value) }
}

/// Returns a slot's value as JSON for editing, or `None` if it is secret or was not recorded.
pub fn editable(write: &SlotWrite) -> Option<String> {
    if write.is_masked() { None } else { json(&write.value) }
}

/// Returns the effects of a step in words: `needs http, 3 kv`.
pub fn needs(effects: &[Effect]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for effect in effects {
        match kinds.iter().position(|(kind, _)| *kind == effect.kind) {
            Some(at) => kinds[at].1 += 1,
            None if kinds.len() < MAX_KINDS => kinds.push((&effect.kind, 1)),
            None => {}
        }
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(kind, n)| if n == 1 { kind.to_owned() } else { format!("{n} {kind}") })
        .collect();
    format!("needs {}", if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") })
}

/// Returns the slots written in words: `wrote Todo, Claims`. Empty if there are none.
pub fn wrote(writes: &[SlotWrite]) -> String {
    let names: Vec<&str> = writes.iter().map(|write| write.name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("wrote {}", names.join(", ")) }
}

/// Returns the exceeded quantum in words: `longer than 10ms`. Empty if the run stayed within its quantum.
pub fn exceeded_quantum(run: &StepRun) -> String {
    run.exceeded_quantum_ns.map_or(String::new(), |ns| format!("longer than {}", HumanDuration { ns }))
}

/// Returns a rate with three significant digits, in the shortest period in which something happens: `12.3/s`, `3.50/h`.
pub fn rate(per_s: f64) -> String {
    let periods = [("s", 1.0), ("min", 60.0), ("h", 3600.0)];
    let fitting = periods.iter().find(|(_, seconds)| per_s * seconds >= 1.0);
    let (unit, seconds) = fitting.unwrap_or(&("d", 86_400.0));
    let number = per_s * seconds;
    let digits = if number > 0.0 { (2 - number.log10().floor() as i32).clamp(0, 6) } else { 0 };
    format!("{number:.0$}/{unit}", digits as usize)
}

#[cfg(test)]
mod tests {
    use zerver_testkit::sample;
    use zerver_trace::MissingReason;

    use super::*;

    #[test]
    fn a_request_is_named_with_its_query() {
        let trace = sample::report(40);
        assert_eq!(request_line(&trace), "GET /reports/todos?latency_ms=40");
        assert_eq!(query_string(&trace.target), "?latency_ms=40");
        let unknown = Trace { target: Recorded::Missing(MissingReason::TooLarge), ..trace };
        assert_eq!(request_line(&unknown), "GET /reports/todos");
        assert_eq!(query_string(&unknown.target), "");
    }

    #[test]
    fn rates_have_a_unit_in_which_they_can_be_read() {
        for (number, wanted) in [
            (0.0, "0/d"),
            (1e-5, "0.864/d"),
            (0.0001, "8.64/d"),
            (0.01, "36.0/h"),
            (0.5, "30.0/min"),
            (1.0, "1.00/s"),
            (1234.5, "1234/s"),
        ] {
            assert_eq!(rate(number), wanted);
        }
    }
}
