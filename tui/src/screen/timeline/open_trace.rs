//! The open request: its rows and moments, and which of them are selected.

use std::collections::HashSet;
use std::sync::Arc;

use zerver_analysis::{Moments, RowSubject, TimeUse, WaterfallRow, failing_run, time_uses, waterfall_rows};

use super::inspector_lines::InspectorLine;
use crate::draw::Scroll;
use crate::state::LoadedTrace;

/// Maximum number of rows.
const MAX_ROWS: usize = 100_000;

/// Loaded request with its view state.
#[derive(Debug)]
pub(super) struct OpenTrace {
    pub(super) loaded: Arc<LoadedTrace>,
    pub(super) rows: Vec<WaterfallRow>,
    /// Kinds of bars that occur.
    pub(super) time_uses: Vec<TimeUse>,
    pub(super) moments: Moments,
    pub(super) moment: usize,
    /// First visible row of the waterfall.
    pub(super) first: usize,
    pub(super) inspector: Scroll,
    pub(super) folds: HashSet<String>,
    /// Inspector lines with the width they were generated for; `None` if outdated.
    pub(super) lines: Option<(usize, Vec<InspectorLine>)>,
}

impl OpenTrace {
    pub(super) fn new(loaded: &Arc<LoadedTrace>) -> Self {
        let rows = waterfall_rows(&loaded.trace, &loaded.timeline, MAX_ROWS);
        let moments = Moments::new(&loaded.trace, &loaded.timeline, &rows);
        let mut open = Self {
            loaded: Arc::clone(loaded),
            time_uses: time_uses(&rows),
            rows,
            moments,
            moment: 0,
            first: 0,
            inspector: Scroll::default(),
            folds: HashSet::new(),
            lines: None,
        };
        // Start at the failure, else at the longest row.
        let wanted = open.failing_row().or_else(|| open.longest_row());
        open.moment = wanted.map_or(0, |row| open.moments.of_row(row));
        open
    }

    fn failing_row(&self) -> Option<usize> {
        let run = failing_run(&self.loaded.timeline)?;
        let is_effect = |row: &WaterfallRow| {
            matches!(row.subject, RowSubject::Effect(of, _) if of == run) && row.state.is_failure()
        };
        let is_run = |row: &WaterfallRow| row.subject == RowSubject::Run(run);
        self.rows.iter().position(is_effect).or_else(|| self.rows.iter().position(is_run))
    }

    fn longest_row(&self) -> Option<usize> {
        let inner = self.rows.iter().enumerate().filter(|(_, row)| row.subject != RowSubject::Request);
        inner.max_by_key(|(at, row)| (row.took_ns, usize::MAX - at)).map(|(at, _)| at)
    }

    /// Returns the inspector lines.
    pub(super) fn entries(&self) -> &[InspectorLine] {
        self.lines.as_ref().map_or(&[], |(_, entries)| entries)
    }

    /// Returns the row of the current moment.
    pub(super) fn row(&self) -> usize {
        self.moments.get(self.moment).map_or(0, |moment| moment.row)
    }

    pub(super) fn scroll(&self, height: usize) -> Scroll {
        let mut scroll = Scroll { cursor: self.row(), first: self.first };
        scroll.fill(self.rows.len(), height);
        scroll
    }

    pub(super) fn go_to_step(&mut self, step: u16) {
        let runs = &self.loaded.timeline.runs;
        let is_it =
            |row: &WaterfallRow| matches!(row.subject, RowSubject::Run(run) if runs[run].step.index == step);
        if let Some(row) = self.rows.iter().position(is_it) {
            self.go(self.moments.of_row(row));
        }
    }

    pub(super) fn go(&mut self, moment: usize) {
        if moment != self.moment {
            self.moment = moment.min(self.moments.len().saturating_sub(1));
            self.inspector = Scroll::default();
            self.lines = None;
        }
    }
}
