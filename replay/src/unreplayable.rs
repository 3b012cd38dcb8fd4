//! Reports on recordings that cannot be replayed.

use zerver_trace::{Outcome, Trace, nearest_name};

use crate::missing_input::MissingInput;
use crate::observed::Observed;
use crate::report::{Coverage, Finding, FindingClass, Report, ReportedValue};

pub(crate) fn not_replayable(missing_inputs: Vec<MissingInput>) -> Report {
    Report { missing_inputs, ..Report::default() }
}

pub(crate) fn without_steps(trace: &Trace) -> Report {
    let reason = match &trace.outcome {
        Outcome::Rejected { reason } => format!(": {}", zerver_trace::text::clean(reason)),
        _ => String::new(),
    };
    not_replayable(vec![MissingInput::Other(format!("answered before any step ran{reason}"))])
}

/// Returns the report for a trace that no flow took, or whose flow no longer exists.
pub fn removed_flow_report<'n>(trace: &Trace, names: impl IntoIterator<Item = &'n str>) -> Report {
    if trace.flow.name.is_empty() {
        return without_steps(trace);
    }
    let got = match nearest_name(&trace.flow.name, names) {
        Some(name) => ReportedValue::text(format!("no such flow; the nearest is {name}")),
        None => ReportedValue::text("no such flow"),
    };
    let finding = Finding {
        class: FindingClass::CodeChanged,
        step: String::new(),
        field: "flow".to_owned(),
        expected: ReportedValue::text(trace.flow.name.clone()),
        got,
        source: None,
    };
    let decisions_recorded = Observed::of_trace(trace).runs.len() as u32;
    Report {
        coverage: Coverage { decisions_recorded, ..Coverage::default() },
        findings: vec![finding],
        ..Report::default()
    }
}
