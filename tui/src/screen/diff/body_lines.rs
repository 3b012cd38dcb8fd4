//! The changes between two bodies as lines.

use zerver_analysis::{BodyChange, body_changes};

use crate::draw::{StyledLine, Tone};

/// Maximum number of lines.
const MAX_LINES: usize = 500;

/// Adds what differs between two bodies, with the lines around it and its place; nothing if they are equal.
pub(in crate::screen) fn push_body_changes(a: &str, b: &str, out: &mut Vec<StyledLine>) {
    let changes = body_changes(a, b);
    for change in changes.iter().take(MAX_LINES) {
        out.push(match change {
            BodyChange::LeftOut { lines, before } => {
                let noun = if *lines == 1 { "line" } else { "lines" };
                let line = StyledLine::new(format!("… {lines} {noun} …"), Tone::Secondary);
                if before.is_empty() { line } else { line.with(format!("  {before}"), Tone::Info) }
            }
            BodyChange::Line(line) => {
                let (sign, tone) = match (line.in_a, line.in_b) {
                    (true, true) => ("  ", Tone::Secondary),
                    (true, false) => ("- ", Tone::Bad),
                    (false, _) => ("+ ", Tone::Good),
                };
                let parts = line.parts.iter();
                parts.fold(StyledLine::new(sign, tone), |drawn, (is_changed, part)| {
                    let is_plain = !is_changed && line.in_a != line.in_b;
                    drawn.with(part.as_str(), if is_plain { Tone::Text } else { tone })
                })
            }
        });
    }
    if changes.len() > MAX_LINES {
        let more = format!("and {} more lines", changes.len() - MAX_LINES);
        out.push(StyledLine::new(more, Tone::Secondary));
    }
}
