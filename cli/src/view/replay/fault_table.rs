//! Outcome of a request with each injected fault, as a table.

use std::collections::BTreeSet;

use zerver_trace::text::clean;

use zerver_replay::{Consequence, ConsequenceState};

use crate::service::fault_trial::FaultOutcome;
use crate::view::status::status;
use crate::view::table::Column::{Left, Right, Shrinks};
use crate::view::table::Table;
use crate::view::{count, paint, style};
use zerver_trace::duration::show;

/// Minimum width of an outcome, in columns.
const MIN_OUTCOME: usize = 30;

/// Returns the table for a request that was recorded with this status and duration.
pub(crate) fn faults((code, took_ns): (u16, u64), rows: &[FaultOutcome], columns: Option<usize>) -> String {
    let calls: BTreeSet<u32> = rows.iter().map(|row| row.call).collect();
    let mut out = format!(
        "recorded: {} in {}, with {}\n",
        paint(style::status(code), &status(code)),
        show(took_ns),
        count(calls.len() as u64, "effect", "effects"),
    );
    if rows.is_empty() {
        return out;
    }
    let shows_consequences = rows.iter().any(|row| !row.consequences.is_empty());
    let columns_shown = [Left("effect"), Left("fault"), Left("status"), Right("took"), Shrinks("outcome")];
    let last = Left("what was done");
    let mut table = match shows_consequences {
        true => Table::new(&[&columns_shown[..], &[last]].concat()),
        false => Table::new(&columns_shown),
    };
    table.optional("took", MIN_OUTCOME);
    let mut above = None;
    for row in rows {
        // Each effect is named once.
        let effect = if above.replace(row.call) == Some(row.call) {
            String::new()
        } else {
            // Several calls of one name are distinguished by the number that --fail accepts.
            let is_one = rows.iter().all(|other| other.call == row.call || other.effect != row.effect);
            let number = if is_one { String::new() } else { format!("  ({})", row.call) };
            format!("{}{number}", clean(&row.effect))
        };
        let (mark, paint_outcome) = match (row.finding, &*row.outcome) {
            (Some(_), _) => ("✗ ", style::BAD),
            (None, "unanswered" | "refused") => ("? ", style::WARN),
            (None, _) => ("✓ ", style::PLAIN),
        };
        let failure =
            if row.failure.is_empty() { String::new() } else { format!(": {}", clean(&row.failure)) };
        let step = if row.step.is_empty() { String::new() } else { format!(", at {}", clean(&row.step)) };
        let mut cells = vec![
            (style::STRONG, effect),
            (style::PLAIN, row.fault.to_owned()),
            (
                row.status.map_or(style::FAINT, style::status),
                row.status.map_or_else(|| "-".to_owned(), |s| s.to_string()),
            ),
            (style::FAINT, row.duration_ns.map_or_else(|| "-".to_owned(), show)),
            (paint_outcome, format!("{mark}{}{failure}{step}", clean(&row.outcome))),
        ];
        if shows_consequences {
            cells.push((style::PLAIN, consequences(&row.consequences)));
        }
        table.row(cells);
    }
    out += &table.draw(columns);
    let found = || rows.iter().filter_map(|row| row.finding);
    let kinds: BTreeSet<&str> = found().collect();
    for kind in kinds {
        let times = found().filter(|known| *known == kind).count() as u64;
        out += &format!("{} {}: {kind}\n", paint(style::BAD, "✗"), count(times, "time", "times"));
    }
    out
}

/// Returns what became of the effects in words: `charge undone`, `charge kept`. An effect that was undone needs no
/// attention, so the others come first.
pub(super) fn consequences(all: &[Consequence]) -> String {
    let words = [
        (ConsequenceState::NotUndone, "not undone"),
        (ConsequenceState::Unknown, "perhaps kept"),
        (ConsequenceState::Kept, "kept"),
        (ConsequenceState::Undone, "undone"),
    ];
    let word = |(state, word): (ConsequenceState, &str)| {
        let mut effects = all.iter().filter(|of| of.state == state).peekable();
        effects.peek()?;
        let names: Vec<String> = effects.map(|of| clean(&of.effect).into_owned()).collect();
        Some(format!("{}: {word}", names.join(", ")))
    };
    words.into_iter().filter_map(word).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    #[test]
    fn each_fault_has_a_row() {
        let row = |call: u32, fault: &'static str, outcome: &str| FaultOutcome {
            effect: format!("http GET \u{1b}[31m{call}"),
            call,
            fault,
            status: Some(200),
            outcome: outcome.into(),
            failure: String::new(),
            step: String::new(),
            duration_ns: Some(1_260_000_000),
            panicked: false,
            consequences: Vec::new(),
            finding: None,
        };
        let rows = [
            row(0, "timeout", "done"),
            FaultOutcome {
                status: Some(504),
                failure: "no time \u{202e}".into(),
                step: "ask".into(),
                finding: Some("it is bad"),
                ..row(0, "slow", "failed")
            },
            FaultOutcome { status: None, duration_ns: None, ..row(1, "timeout", "unanswered") },
            FaultOutcome { effect: "kv get a".into(), ..row(2, "timeout", "done") },
            FaultOutcome { effect: "kv get a".into(), ..row(3, "timeout", "done") },
        ];
        let text = strip_str(&faults((200, 5_400_000), &rows, None)).to_string();
        insta::assert_snapshot!(text, @r"
        recorded: 200 OK in 5.40 ms, with 4 effects
        effect                fault    status    took  outcome
        http GET \u{1b}[31m0  timeout  200     1.26 s  ✓ done
                              slow     504     1.26 s  ✗ failed: no time \u{202e}, at ask
        http GET \u{1b}[31m1  timeout  -            -  ? unanswered
        kv get a  (2)         timeout  200     1.26 s  ✓ done
        kv get a  (3)         timeout  200     1.26 s  ✓ done
        ✗ 1 time: it is bad
        ");
    }
}
