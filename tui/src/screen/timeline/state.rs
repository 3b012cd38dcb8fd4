//! State of the timeline screen: the open request and the focus.

use std::sync::Arc;

use crossterm::event::MouseEvent;
use ratatui::layout::Rect;
use zerver_analysis::{RowSubject, Why};
use zerver_replay::ValuePath;
use zerver_trace::RequestId;

use super::inspector::{self, InspectorInput};
use super::inspector_lines::{Fold, InspectorLine};

use super::layout::{Areas, areas, columns};
use super::open_trace::OpenTrace;
use super::summary_lines;
use crate::draw::MouseHit;
use crate::keys::Action;
use crate::message::Command;
use crate::state::{Notice, SharedState, SourceFiles};
use crate::text_input::TextInput;

/// Maximum number of source files loaded.
const MAX_SOURCES: usize = 16;
/// Initial share of the waterfall, in percent.
const INITIAL_SHARE: u16 = 55;

/// The timeline screen.
#[derive(Debug)]
pub(crate) struct TimelineScreen {
    pub(super) id: Option<RequestId>,
    /// `None` until the trace is loaded.
    pub(super) open_trace: Option<OpenTrace>,
    pub(super) why: Option<Result<Arc<Why>, String>>,
    pub(super) is_inspecting: bool,
    pub(super) waterfall_percent: u16,
    pub(super) is_dragging: bool,
    pub(super) prompt: Option<TextInput>,
    pub(super) search: String,
    /// Step to select once the trace is loaded.
    pub(super) pending_step: Option<u16>,
}

impl Default for TimelineScreen {
    fn default() -> Self {
        Self::new(None)
    }
}

impl TimelineScreen {
    pub(crate) fn new(id: Option<RequestId>) -> Self {
        Self {
            id,
            open_trace: None,
            why: None,
            is_inspecting: false,
            waterfall_percent: INITIAL_SHARE,
            is_dragging: false,
            prompt: None,
            search: String::new(),
            pending_step: None,
        }
    }

    /// Returns the id of the open request.
    pub(crate) fn id(&self) -> Option<RequestId> {
        self.id
    }

    /// Opens a request.
    pub(crate) fn open(&mut self, shared: &SharedState, id: RequestId) -> Vec<Command> {
        if self.id == Some(id) && self.open_trace.is_some() {
            return Vec::new();
        }
        (self.id, self.open_trace, self.why, self.is_inspecting) = (Some(id), None, None, false);
        let mut commands = vec![Command::Explain(id)];
        commands.extend(self.settle(shared));
        if self.open_trace.is_none() {
            commands.push(Command::LoadTrace(id));
        }
        commands
    }

    /// Selects the first run of a step, as soon as the trace is loaded.
    pub(crate) fn show_step(&mut self, shared: &SharedState, step: u16) -> Vec<Command> {
        self.pending_step = Some(step);
        self.settle(shared)
    }

    /// Shows the trace once it is loaded, and requests its source files.
    pub(super) fn settle(&mut self, shared: &SharedState) -> Vec<Command> {
        let commands = self.show_what_came(shared);
        if let Some(open_trace) = &mut self.open_trace
            && let Some(step) = self.pending_step.take()
        {
            open_trace.go_to_step(step);
        }
        commands
    }

    pub(super) fn show_what_came(&mut self, shared: &SharedState) -> Vec<Command> {
        let loaded = self.id.and_then(|id| shared.traces.loaded(id)).filter(|_| self.open_trace.is_none());
        let Some(loaded) = loaded else { return Vec::new() };
        self.open_trace = Some(OpenTrace::new(loaded));
        let mut files: Vec<&str> = loaded.timeline.runs.iter().map(|run| run.step.file.as_str()).collect();
        files.sort_unstable();
        files.dedup();
        files.retain(|file| !file.is_empty() && !shared.sources.contains(file));
        files.into_iter().take(MAX_SOURCES).map(|file| Command::ReadSource(file.to_owned())).collect()
    }

    /// Returns the areas of the screen.
    pub(super) fn areas(&self, area: Rect) -> Areas {
        let rows = self.open_trace.as_ref().map_or(0, |open_trace| open_trace.rows.len());
        let head_lines =
            self.open_trace.as_ref().map_or(2, |open_trace| summary_lines::count(&open_trace.loaded));
        areas(area, self.waterfall_percent, rows, head_lines)
    }

    pub(super) fn why(&self) -> Option<&Why> {
        self.why.as_ref()?.as_ref().ok().map(Arc::as_ref)
    }

    /// Regenerates the inspector lines if they are outdated.
    pub(crate) fn refresh_inspector(&mut self, shared: &SharedState) {
        let columns = columns(self.areas(shared.body()).inspector);
        let Some(open_trace) = &mut self.open_trace else { return };
        if open_trace.lines.as_ref().is_some_and(|(of, _)| *of == columns) {
            return;
        }
        let of = InspectorInput {
            loaded: &open_trace.loaded,
            rows: &open_trace.rows,
            moments: &open_trace.moments,
            moment: open_trace.moment,
            why: self.why.as_ref(),
            sources: &shared.sources,
            glyphs: shared.theme.glyphs,
        };
        open_trace.lines = Some((columns, inspector::entries(&of, &open_trace.folds, columns)));
    }

    /// Marks the inspector lines as outdated.
    pub(crate) fn invalidate_inspector(&mut self) {
        if let Some(open_trace) = &mut self.open_trace {
            open_trace.lines = None;
        }
    }

    /// Returns the inspector lines.
    pub(super) fn entries(&self) -> &[InspectorLine] {
        self.open_trace.as_ref().map_or(&[], OpenTrace::entries)
    }

    /// Moves to the next match of the search in the part that has the focus.
    pub(super) fn seek(&mut self, shared: &mut SharedState, down: bool) {
        let wanted = self.search.to_lowercase();
        let areas = self.areas(shared.body());
        let texts: Vec<String> = if self.is_inspecting {
            self.entries().iter().map(|entry| entry.line.text()).collect()
        } else {
            let rows = self.open_trace.iter().flat_map(|open_trace| &open_trace.rows);
            rows.map(|row| format!("{} {}", row.name, row.outcome)).collect()
        };
        let Some(open_trace) = self.open_trace.as_mut().filter(|_| !wanted.is_empty()) else { return };
        let here = if self.is_inspecting { open_trace.inspector.cursor } else { open_trace.row() };
        let n = texts.len();
        let order = (1..=n).map(|step| if down { (here + step) % n } else { (here + n - step) % n });
        let found = order.into_iter().find(|at| texts[*at].to_lowercase().contains(&wanted));
        match found {
            Some(at) if self.is_inspecting => {
                open_trace.inspector.cursor = at;
                open_trace.inspector.clamp(n, usize::from(areas.inspector.height));
            }
            Some(at) => open_trace.go(open_trace.moments.of_row(at)),
            None => shared.notice = Some(Notice::error(format!("no match for {:?}", self.search))),
        }
    }

    pub(super) fn act_in_inspector(&mut self, shared: &SharedState, action: Action) -> bool {
        let area = self.areas(shared.body()).inspector;
        let Some(open_trace) = &mut self.open_trace else { return false };
        let (len, height) = (open_trace.entries().len(), usize::from(area.height));
        match action {
            Action::NextSection => {
                let here = open_trace.inspector.first.max(open_trace.inspector.cursor);
                let entries = open_trace.entries().iter().enumerate();
                let next = entries.skip(here + 1).find(|(_, entry)| entry.is_head).map(|(at, _)| at);
                open_trace.inspector.cursor = next.unwrap_or(0);
                // Scroll its heading to the top.
                open_trace.inspector.first = open_trace.inspector.cursor;
                open_trace.inspector.clamp(len, height);
                true
            }
            Action::Fold if self.is_inspecting => {
                let entry = open_trace.entries().get(open_trace.inspector.cursor);
                if let Some(Fold { place, .. }) = entry.and_then(|entry| entry.fold.clone()) {
                    open_trace.lines = None;
                    if !open_trace.folds.remove(&place) {
                        open_trace.folds.insert(place);
                    }
                }
                true
            }
            action if self.is_inspecting => open_trace.inspector.apply(action, len, height),
            _ => false,
        }
    }

    pub(super) fn point_in_inspector(&mut self, shared: &SharedState, area: Rect, event: MouseEvent) {
        let len = self.entries().len();
        let Some(open_trace) = &mut self.open_trace else { return };
        let pointed = open_trace.inspector.mouse(event, area, len);
        let was_inspecting = self.is_inspecting;
        self.is_inspecting |= matches!(pointed, MouseHit::Selected | MouseHit::Reselected);
        if pointed == MouseHit::Reselected && was_inspecting {
            self.act_in_inspector(shared, Action::Fold);
        }
    }

    pub(super) fn point_in_rows(&mut self, area: Rect, event: MouseEvent) {
        let Some(open_trace) = &mut self.open_trace else { return };
        let mut scroll = open_trace.scroll(area.height.into());
        let pointed = scroll.mouse(event, area, open_trace.rows.len());
        if pointed == MouseHit::Miss {
            return;
        }
        open_trace.first = scroll.first;
        if pointed != MouseHit::Scrolled {
            self.is_inspecting = false;
            open_trace.go(open_trace.moments.of_row(scroll.cursor));
        } else if scroll.cursor != open_trace.row() {
            open_trace.go(open_trace.moments.of_row(scroll.cursor));
        }
    }

    pub(super) fn copy_value(&self) -> Option<Command> {
        let at = self.open_trace.as_ref()?.inspector.cursor;
        let text = self.entries().get(at)?.copy.clone()?;
        Some(Command::Copy { description: "the value".to_owned(), text })
    }

    /// Returns the request and the value of the selected line of the inspector whose sources can be found.
    pub(super) fn selected_value(&self) -> Option<(RequestId, ValuePath)> {
        let at = self.open_trace.as_ref().filter(|_| self.is_inspecting)?.inspector.cursor;
        Some((self.id?, self.entries().get(at)?.value.clone()?))
    }

    /// Returns the command that opens the source of the selected step.
    pub(super) fn source(&self, sources: &SourceFiles) -> Option<Command> {
        let open_trace = self.open_trace.as_ref()?;
        let run = match open_trace.rows.get(open_trace.row())?.subject {
            RowSubject::Run(run) | RowSubject::Effect(run, _) => run,
            RowSubject::Request => 0,
            RowSubject::Response => open_trace.loaded.timeline.runs.len().checked_sub(1)?,
        };
        let step = &open_trace.loaded.timeline.runs.get(run)?.step;
        let line = sources.line_of(&step.file, &step.name, step.line);
        (line > 0).then(|| Command::OpenEditor { file: step.file.clone(), line })
    }
}
