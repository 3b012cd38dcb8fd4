//! Which request is open, and what of it is looked at.

use std::sync::Arc;

use crossterm::event::MouseEvent;
use ratatui::layout::Rect;
use zerver_replay::Why;
use zerver_trace::RequestId;

use super::inspector::{self, Inspected};
use super::layout::{Areas, areas, columns};
use super::open_trace::Shown;
use super::value_tree::{Entry, Fold};
use super::waterfall::Subject;
use crate::draw::{MouseHit, width};
use crate::keys::Action;
use crate::message::Command;
use crate::state::{Notice, SharedState};
use crate::text_input::TextInput;

/// The sources of so many files are shown.
const MAX_SOURCES: usize = 16;
/// The share of the waterfall at the start, in percent.
const SHARE: u16 = 55;

/// One request.
#[derive(Debug)]
pub(crate) struct TimelineScreen {
    pub(super) id: Option<RequestId>,
    /// None until the trace has come.
    pub(super) shown: Option<Shown>,
    pub(super) why: Option<Result<Arc<Why>, String>>,
    pub(super) is_inspecting: bool,
    pub(super) share: u16,
    pub(super) is_dragging: bool,
    pub(super) prompt: Option<TextInput>,
    pub(super) search: String,
    /// The step to go to when the trace has come.
    pub(super) wanted: Option<u16>,
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
            shown: None,
            why: None,
            is_inspecting: false,
            share: SHARE,
            is_dragging: false,
            prompt: None,
            search: String::new(),
            wanted: None,
        }
    }

    /// The request that is open.
    pub(crate) fn id(&self) -> Option<RequestId> {
        self.id
    }

    /// Shows another request.
    pub(crate) fn open(&mut self, shared: &SharedState, id: RequestId) -> Vec<Command> {
        if self.id == Some(id) && self.shown.is_some() {
            return Vec::new();
        }
        (self.id, self.shown, self.why, self.is_inspecting) = (Some(id), None, None, false);
        let mut commands = vec![Command::Explain(id)];
        commands.extend(self.settle(shared));
        if self.shown.is_none() {
            commands.push(Command::LoadTrace(id));
        }
        commands
    }

    /// Goes to the first run of a step, now or when the trace has come.
    pub(crate) fn at_step(&mut self, shared: &SharedState, step: u16) -> Vec<Command> {
        self.wanted = Some(step);
        self.settle(shared)
    }

    /// Shows the trace if it has come, and asks for its sources.
    pub(super) fn settle(&mut self, shared: &SharedState) -> Vec<Command> {
        let commands = self.show_what_came(shared);
        if let Some(shown) = &mut self.shown
            && let Some(step) = self.wanted.take()
        {
            shown.go_to_step(step);
        }
        commands
    }

    pub(super) fn show_what_came(&mut self, shared: &SharedState) -> Vec<Command> {
        let story = self.id.and_then(|id| shared.traces.story(id)).filter(|_| self.shown.is_none());
        let Some(story) = story else { return Vec::new() };
        self.shown = Some(Shown::of(story));
        let mut files: Vec<&str> = story.timeline.runs.iter().map(|run| run.step.file.as_str()).collect();
        files.sort_unstable();
        files.dedup();
        files.retain(|file| !file.is_empty() && !shared.sources.is_known(file));
        files.into_iter().take(MAX_SOURCES).map(|file| Command::ReadSource(file.to_owned())).collect()
    }

    /// Where the parts of the screen are.
    pub(super) fn areas(&self, area: Rect) -> Areas {
        let rows = self.shown.as_ref().map_or(0, |shown| shown.rows.len());
        let is_failed = self.shown.as_ref().is_some_and(|shown| shown.story.timeline.failure.is_some());
        areas(area, self.share, rows, is_failed)
    }

    pub(super) fn why(&self) -> Option<&Why> {
        self.why.as_ref()?.as_ref().ok().map(Arc::as_ref)
    }

    /// Writes the lines of the inspector anew, where they are to tell something else.
    pub(crate) fn settle_lines(&mut self, shared: &SharedState) {
        let columns = columns(self.areas(shared.body()).inspector);
        let Some(shown) = &mut self.shown else { return };
        if shown.lines.as_ref().is_some_and(|(of, _)| *of == columns) {
            return;
        }
        let of = Inspected {
            story: &shown.story,
            rows: &shown.rows,
            moments: &shown.moments,
            moment: shown.moment,
            why: self.why.as_ref(),
            sources: &shared.sources,
        };
        shown.lines = Some((columns, inspector::entries(&of, &shown.folds, columns)));
    }

    /// The lines of the inspector tell of something that is not as it was.
    pub(crate) fn forget_lines(&mut self) {
        if let Some(shown) = &mut self.shown {
            shown.lines = None;
        }
    }

    /// The lines of the inspector.
    pub(super) fn entries(&self) -> &[Entry] {
        self.shown.as_ref().map_or(&[], Shown::entries)
    }

    /// The next match of the search from here, in the part that has the keys.
    pub(super) fn seek(&mut self, shared: &mut SharedState, down: bool) {
        let wanted = self.search.to_lowercase();
        let areas = self.areas(shared.body());
        let texts: Vec<String> = if self.is_inspecting {
            self.entries().iter().map(|entry| entry.line.text()).collect()
        } else {
            let rows = self.shown.iter().flat_map(|shown| &shown.rows);
            rows.map(|row| format!("{} {}", row.name, row.outcome)).collect()
        };
        let Some(shown) = self.shown.as_mut().filter(|_| !wanted.is_empty()) else { return };
        let here = if self.is_inspecting { shown.inspector.cursor } else { shown.row() };
        let n = texts.len();
        let order = (1..=n).map(|step| if down { (here + step) % n } else { (here + n - step) % n });
        let found = order.into_iter().find(|at| texts[*at].to_lowercase().contains(&wanted));
        match found {
            Some(at) if self.is_inspecting => {
                shown.inspector.cursor = at;
                shown.inspector.keep(n, usize::from(areas.inspector.height));
            }
            Some(at) => shown.go(shown.moments.of_row(at)),
            None => shared.notice = Some(Notice::bad(format!("{:?} is not here", self.search))),
        }
    }

    pub(super) fn act_in_inspector(&mut self, shared: &SharedState, action: Action) -> bool {
        let area = self.areas(shared.body()).inspector;
        let Some(shown) = &mut self.shown else { return false };
        let (len, height) = (shown.entries().len(), usize::from(area.height));
        match action {
            Action::NextSection => {
                let here = shown.inspector.first.max(shown.inspector.cursor);
                let entries = shown.entries().iter().enumerate();
                let next = entries.skip(here + 1).find(|(_, entry)| entry.is_head).map(|(at, _)| at);
                shown.inspector.cursor = next.unwrap_or(0);
                // Its head comes to the top.
                shown.inspector.first = shown.inspector.cursor;
                shown.inspector.keep(len, height);
                true
            }
            Action::Fold if self.is_inspecting => {
                let entry = shown.entries().get(shown.inspector.cursor);
                if let Some(Fold { place, .. }) = entry.and_then(|entry| entry.fold.clone()) {
                    shown.lines = None;
                    if !shown.folds.remove(&place) {
                        shown.folds.insert(place);
                    }
                }
                true
            }
            action if self.is_inspecting => shown.inspector.act(action, len, height),
            _ => false,
        }
    }

    pub(super) fn point_in_inspector(&mut self, shared: &SharedState, area: Rect, event: MouseEvent) {
        let len = self.entries().len();
        let Some(shown) = &mut self.shown else { return };
        let pointed = shown.inspector.mouse(event, area, len);
        let was_inspecting = self.is_inspecting;
        self.is_inspecting |= matches!(pointed, MouseHit::Selected | MouseHit::Reselected);
        if pointed == MouseHit::Reselected && was_inspecting {
            self.act_in_inspector(shared, Action::Fold);
        }
    }

    pub(super) fn point_in_rows(&mut self, area: Rect, event: MouseEvent) {
        let Some(shown) = &mut self.shown else { return };
        let mut scroll = shown.scroll(area.height.into());
        let pointed = scroll.mouse(event, area, shown.rows.len());
        if pointed == MouseHit::Miss {
            return;
        }
        shown.first = scroll.first;
        if pointed != MouseHit::Scrolled {
            self.is_inspecting = false;
            shown.go(shown.moments.of_row(scroll.cursor));
        } else if scroll.cursor != shown.row() {
            shown.go(shown.moments.of_row(scroll.cursor));
        }
    }

    pub(super) fn copy_value(&self) -> Option<Command> {
        let at = self.shown.as_ref()?.inspector.cursor;
        let text = self.entries().get(at)?.copy.clone()?;
        Some(Command::Copy { what: format!("{} columns of text", width(&text)), text })
    }

    /// Where the source of the chosen step is.
    pub(super) fn source(&self) -> Option<Command> {
        let shown = self.shown.as_ref()?;
        let run = match shown.rows.get(shown.row())?.subject {
            Subject::Run(run) | Subject::Effect(run, _) => run,
            Subject::Request => 0,
            Subject::Response => shown.story.timeline.runs.len().checked_sub(1)?,
        };
        let step = &shown.story.timeline.runs.get(run)?.step;
        (step.line > 0).then(|| Command::OpenEditor { file: step.file.clone(), line: step.line })
    }
}
