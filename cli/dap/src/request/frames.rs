//! Frames at a stop: the current effect and step, the steps that ran before, and the request.

use zerver_analysis::RowSubject;
use zerver_trace::text::clean;

use super::loaded::LoadedRequest;
use crate::recordings::Recordings;
use crate::source_files::{FunctionPlace, SourceFiles};

/// A frame.
pub(crate) struct Frame {
    pub(crate) row: usize,
    pub(crate) name: String,
    /// The function of its step, if the source is here.
    pub(crate) place: Option<FunctionPlace>,
    /// True for what had ended before the current row.
    pub(crate) is_past: bool,
}

impl LoadedRequest {
    /// Returns the rows of the frames at a row, innermost first.
    pub(crate) fn frame_rows(&self, row: usize) -> Vec<usize> {
        let is_run = |at: &usize| matches!(self.subject(*at), RowSubject::Run(_));
        let own = (!is_run(&row) && row > 0).then_some(row);
        let runs = (1..=row.min(self.last())).rev().filter(is_run);
        own.into_iter().chain(runs).chain([0]).collect()
    }

    /// Describes the frame of a row, as seen from the current row.
    pub(crate) fn frame(
        &self,
        row: usize,
        current: usize,
        sources: &mut SourceFiles,
        recordings: &dyn Recordings,
    ) -> Frame {
        let shown = &self.rows[row];
        let name = match self.subject(row) {
            RowSubject::Request => zerver_analysis::display::request_line(&self.trace),
            RowSubject::Response => format!("response {}", shown.outcome),
            _ if shown.outcome.is_empty() => shown.name.clone(),
            _ => format!("{}: {}", shown.name, shown.outcome),
        };
        let step = self.run(row).map(|run| &run.step).filter(|step| step.line > 0);
        let place = step.and_then(|step| sources.function(recordings, &step.file, &step.name, step.line));
        let is_of_current = match (self.subject(row), self.subject(current)) {
            (RowSubject::Run(run), RowSubject::Run(now) | RowSubject::Effect(now, _)) => run == now,
            (RowSubject::Run(_), _) => false,
            _ => true,
        };
        Frame { row, name: clean(&name).into_owned(), place, is_past: !is_of_current }
    }
}
