//! The plans of a recorded SQL call, as text.

use zerver_analysis::SqlCall;
use zerver_replay::CallExplanation;
use zerver_trace::text::clean;
use zerver_trace::{Trace, duration};

use super::diff::{fold_lines, title};
use super::layout::{Layout, field};
use super::{fit, paint, style};

/// Returns the whole document.
pub(crate) fn explain(
    trace: &Trace,
    call: &SqlCall,
    explanations: &[CallExplanation],
    layout: Layout,
) -> String {
    let took = duration::show(call.duration_ns);
    let about = format!("{} {}, {took} when it was recorded", call.call, clean(&call.summary));
    let mut out = title(None, trace, layout) + &field("call", &fold_lines(&about, layout.line_width()));
    let several = explanations.len() > 1;
    for CallExplanation { subject, lines, .. } in explanations {
        if several {
            let text = subject.split_whitespace().collect::<Vec<_>>().join(" ");
            out += &field("statement", &[fit(&clean(&text), layout.line_width())]);
        }
        let shown = lines.iter().map(|line| {
            let line = clean(line).into_owned();
            let line = if layout.folds { fit(&line, layout.line_width()) } else { line };
            match line.split_once("   ").filter(|(start, _)| !start.trim().is_empty()) {
                Some((operation, numbers)) => {
                    format!("{}   {}", paint(style::STRONG, operation), paint(style::FAINT, numbers))
                }
                None => paint(style::FAINT, &line),
            }
        });
        out += &field("plan", &shown.collect::<Vec<_>>());
    }
    out
}
