//! Cursor and scroll position of the list. Both refer to requests, not positions, so that they stay in place as
//! requests arrive.

use ratatui::layout::Rect;

use super::layout::{self, Areas, Contents};
use super::state::{RequestsScreen, SlotScan};
use crate::draw::Scroll;
use crate::index::{RequestList, SCAN_CHUNK, Seq};
use crate::message::Command;
use crate::state::SharedState;

/// Maximum number of previews being loaded.
const MAX_PENDING_PREVIEWS: usize = 2;

impl RequestsScreen {
    /// Returns the areas of the screen.
    pub(super) fn areas(&self, shared: &SharedState, area: Rect) -> Areas {
        let contents = Contents {
            has_load: shared.scheduler.health().is_some(),
            has_check: shared.replay_check.sentence().is_some(),
            is_filtered: self.prompt.is_some() || !self.filter.is_empty(),
            has_log: shared.service.as_ref().is_some_and(|service| service.is_log_shown),
        };
        layout::areas(area, contents)
    }

    /// Returns the scroll position, counted from the top.
    pub(super) fn scroll(&self, shared: &SharedState) -> Scroll {
        let position = |seq: Option<Seq>| seq.map_or(0, |seq| self.list.position(seq, &shared.index));
        if self.is_following {
            Scroll::default()
        } else {
            Scroll { cursor: position(self.cursor), first: position(self.first) }
        }
    }

    pub(super) fn set(&mut self, shared: &SharedState, mut scroll: Scroll) {
        scroll.clamp(self.list.len(&shared.index), self.height(shared));
        self.cursor = self.list.nth(scroll.cursor, &shared.index);
        self.first = self.list.nth(scroll.first, &shared.index);
    }

    /// Adjusts to a renumbered index: all numbers are smaller by `by`, and the oldest requests may be gone.
    pub(crate) fn renumber(&mut self, shared: &SharedState, by: Seq) {
        let start = shared.index.range().start;
        let new = |seq: Seq| seq.checked_sub(by).filter(|seq| *seq >= start);
        let oldest = (start < 0).then_some(start);
        self.cursor = self.cursor.and_then(|seq| new(seq).or(oldest));
        self.first = self.first.and_then(|seq| new(seq).or(oldest));
        self.marks = self.marks.iter().filter_map(|seq| new(*seq)).collect();
        // Dropped requests stay counted.
        self.counted = (start, self.counted.1.saturating_sub(by));
        let (filter, sort) = (self.list.filter().clone(), self.list.sort());
        // The list holds old numbers.
        self.list = RequestList::default();
        self.list.set(filter, sort, &shared.index);
        self.scan = SlotScan { generation: self.scan.generation + 1, ..SlotScan::default() };
        self.list.catch_up(&shared.index, SCAN_CHUNK, self.cursor);
    }

    /// Scrolls back if rows at the bottom would stay empty.
    pub(super) fn fill(&mut self, shared: &SharedState) {
        let mut scroll = self.scroll(shared);
        scroll.fill(self.list.len(&shared.index), self.height(shared));
        self.set(shared, scroll);
    }

    pub(super) fn height(&self, shared: &SharedState) -> usize {
        usize::from(self.areas(shared, shared.body()).rows.height)
    }

    /// Returns the selected request.
    pub(crate) fn selected(&self, shared: &SharedState) -> Option<Seq> {
        let seq = if self.is_following { self.list.nth(0, &shared.index) } else { self.cursor };
        seq.or_else(|| self.list.nth(0, &shared.index))
    }

    /// Returns the request before or after another one in the list.
    pub(crate) fn neighbor(
        &self,
        shared: &SharedState,
        id: zerver_trace::RequestId,
        down: bool,
    ) -> Option<Seq> {
        let here = shared.index.find(id)?;
        let position = self.list.position(here, &shared.index);
        let there = if down { position + 1 } else { position.checked_sub(1)? };
        self.list.nth(there, &shared.index)
    }

    /// Selects a request.
    pub(crate) fn choose(&mut self, shared: &SharedState, seq: Seq) {
        self.is_following = false;
        let position = self.list.position(seq, &shared.index);
        let first = self.scroll(shared).first;
        self.set(shared, Scroll { cursor: position, first });
    }

    /// Moves to the next request for which `is_wanted` returns true.
    pub(super) fn seek(&mut self, shared: &SharedState, down: bool, is_wanted: impl Fn(Seq) -> bool) -> bool {
        let scroll = self.scroll(shared);
        let len = self.list.len(&shared.index);
        let fits = |position: &usize| self.list.nth(*position, &shared.index).is_some_and(&is_wanted);
        let found = if down {
            (scroll.cursor + 1..len).find(fits)
        } else {
            (0..scroll.cursor.min(len)).rev().find(fits)
        };
        if let Some(position) = found {
            self.is_following = false;
            self.set(shared, Scroll { cursor: position, ..scroll });
        }
        found.is_some()
    }

    /// Moves to the first request for which `is_wanted` returns true. Returns false and stays if there is none.
    pub(super) fn seek_from_top(&mut self, shared: &SharedState, is_wanted: impl Fn(Seq) -> bool) -> bool {
        let before = (self.is_following, self.scroll(shared));
        self.is_following = false;
        self.set(shared, Scroll::default());
        let is_first = self.list.nth(0, &shared.index).is_some_and(&is_wanted);
        let is_found = is_first || self.seek(shared, true, is_wanted);
        if !is_found {
            self.is_following = before.0;
            self.set(shared, before.1);
        }
        is_found
    }

    /// Requests what the visible rows and the preview lack.
    pub(super) fn load_shown(&mut self, shared: &SharedState) -> Vec<Command> {
        let is_shown = self.areas(shared, shared.body()).preview.is_some();
        let row = self.selected(shared).filter(|_| is_shown).and_then(|seq| shared.index.row(seq));
        let wanted = row.filter(|row| {
            shared.traces.get(row.id).is_none() && shared.traces.pending_len() < MAX_PENDING_PREVIEWS
        });
        let trace = wanted.map(|row| Command::LoadTrace(row.id));
        trace.into_iter().chain(self.read_queries(shared)).collect()
    }
}
