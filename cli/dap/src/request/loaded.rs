//! The loaded request: its waterfall, whose rows are the places where the debugger can stop.

use zerver_analysis::{
    Effect, Moments, RowSubject, SlotSnapshot, SlotWrite, StepRun, Timeline, WaterfallRow, slots_at,
    waterfall_rows,
};
use zerver_trace::Trace;

/// A recorded request.
pub(crate) struct LoadedRequest {
    pub(crate) trace: Trace,
    pub(crate) timeline: Timeline,
    /// Rows, in the order in which they are stepped through: the request, runs of steps with their effects, the response.
    pub(crate) rows: Vec<WaterfallRow>,
    moments: Moments,
}

impl LoadedRequest {
    pub(crate) fn new(trace: Trace) -> Self {
        let timeline = Timeline::of(&trace);
        let rows = waterfall_rows(&trace, &timeline, usize::MAX);
        let moments = Moments::new(&trace, &timeline, &rows);
        Self { trace, timeline, rows, moments }
    }

    /// Returns the position of the response.
    pub(crate) fn last(&self) -> usize {
        self.rows.len().saturating_sub(1)
    }

    pub(crate) fn subject(&self, row: usize) -> RowSubject {
        self.rows.get(row).map_or(RowSubject::Response, |row| row.subject)
    }

    /// Returns the run of a step that a row belongs to.
    pub(crate) fn run(&self, row: usize) -> Option<&StepRun> {
        match self.subject(row) {
            RowSubject::Run(run) | RowSubject::Effect(run, _) => self.timeline.runs.get(run),
            RowSubject::Request | RowSubject::Response => None,
        }
    }

    /// Returns the effect of a row.
    pub(crate) fn effect(&self, row: usize) -> Option<&Effect> {
        match self.subject(row) {
            RowSubject::Effect(_, effect) => self.run(row)?.effects.get(effect),
            _ => None,
        }
    }

    /// Returns the slots that a row writes: the step itself, or an effect with its answer.
    pub(crate) fn writes(&self, row: usize) -> &[SlotWrite] {
        match (self.effect(row), self.run(row)) {
            (Some(effect), _) => &effect.writes,
            (None, Some(run)) => &run.writes,
            (None, None) => &[],
        }
    }

    /// Returns the slots as they were when a row began; at the response, as they were at the end.
    pub(crate) fn slots_before(&self, row: usize) -> Vec<SlotSnapshot<'_>> {
        let at =
            if row >= self.last() { self.moments.len().saturating_sub(1) } else { self.moments.of_row(row) };
        self.moments.get(at).map_or_else(Vec::new, |moment| slots_at(&self.trace, &self.timeline, moment))
    }
}
