//! The list as it is: its filter, its order, what is chosen and marked in it.

use std::collections::BTreeSet;

use crate::draw::Scroll;
use crate::index::{Baseline, Filter, Rates, RequestList, SCAN_CHUNK, Seq, SortOrder};
use crate::message::Command;
use crate::state::SharedState;
use crate::text_input::TextInput;

/// The slots of so many requests are looked at for one filter, the newest.
const MAX_SCAN: usize = 20_000;

/// The list of requests.
#[derive(Debug)]
pub(crate) struct RequestsScreen {
    /// Whether the top is shown as it changes.
    pub(super) is_following: bool,
    /// The chosen request, and the one on the first line; both stay where they are when others come.
    pub(super) cursor: Option<Seq>,
    pub(super) first: Option<Seq>,
    pub(super) list: RequestList,
    /// The filter as it is typed.
    pub(super) prompt: Option<TextInput>,
    /// The filter as it was typed last, and what is wrong with it.
    pub(super) filter: String,
    pub(super) error: Option<String>,
    pub(super) marks: BTreeSet<Seq>,
    /// Of all requests, and of those that the filter lets through.
    pub(super) rates: Rates,
    pub(super) selected: Rates,
    pub(super) baseline: Baseline,
    /// How much of the index is in `pulse` and `usual`.
    pub(super) counted: (Seq, Seq),
    pub(super) scan: SlotScan,
    /// Whether another turn has been asked for.
    pub(super) is_turn_requested: bool,
}

/// A search through slots.
#[derive(Debug, Default)]
pub(super) struct SlotScan {
    pub(super) generation: u64,
    pub(super) asked: usize,
    pub(super) looked: usize,
    /// Whether more were there than are looked at.
    pub(super) is_cut: bool,
}

impl Default for RequestsScreen {
    fn default() -> Self {
        Self {
            is_following: true,
            cursor: None,
            first: None,
            list: RequestList::default(),
            prompt: None,
            filter: String::new(),
            error: None,
            marks: BTreeSet::new(),
            rates: Rates::default(),
            selected: Rates::default(),
            baseline: Baseline::default(),
            counted: (0, 0),
            scan: SlotScan::default(),
            is_turn_requested: false,
        }
    }
}

impl RequestsScreen {
    /// Another filter or order; the chosen request stays chosen where it is still there.
    pub(super) fn relist(&mut self, shared: &SharedState, filter: Filter, sort: SortOrder) -> Vec<Command> {
        self.list.set(filter, sort, &shared.index);
        self.selected = Rates::default();
        // The chosen request is looked for at once.
        let chosen = self.cursor.filter(|_| !self.is_following);
        self.list.catch_up(&shared.index, SCAN_CHUNK, chosen);
        self.count_selected(shared);
        let generation = self.scan.generation + 1;
        let is_searching = self.scan.looked < self.scan.asked;
        self.scan = SlotScan { generation, ..SlotScan::default() };
        self.fill(shared);
        let mut commands = self.scan_slots(shared);
        if is_searching && commands.is_empty() {
            // The search for the filter before ends.
            commands.push(Command::Scan { generation, requests: Vec::new(), terms: Vec::new() });
        }
        commands.extend(self.request_turn(shared));
        commands
    }

    /// Asks for another turn, where there are requests left to look at.
    pub(super) fn request_turn(&mut self, shared: &SharedState) -> Option<Command> {
        let is_new = !self.is_turn_requested && self.list.is_behind(&shared.index);
        self.is_turn_requested |= is_new;
        is_new.then_some(Command::Continue)
    }

    /// Asks for what the filter must know of slots.
    pub(super) fn scan_slots(&mut self, shared: &SharedState) -> Vec<Command> {
        let mut unscanned = self.list.take_unscanned();
        let room = MAX_SCAN.saturating_sub(self.scan.asked);
        self.scan.is_cut |= unscanned.len() > room;
        unscanned.truncate(room);
        if unscanned.is_empty() {
            return Vec::new();
        }
        self.scan.asked += unscanned.len();
        let id = |seq: Seq| Some((seq, shared.index.row(seq)?.id));
        vec![Command::Scan {
            generation: self.scan.generation,
            requests: unscanned.into_iter().filter_map(id).collect(),
            terms: self.list.filter().slots.clone(),
        }]
    }

    pub(super) fn apply_filter_text(&mut self, shared: &SharedState) -> Vec<Command> {
        let Some(prompt) = &self.prompt else { return Vec::new() };
        self.filter = prompt.text();
        match Filter::parse(&self.filter) {
            Ok(filter) => {
                self.error = None;
                if filter == *self.list.filter() {
                    return Vec::new();
                }
                let sort = self.list.sort();
                self.relist(shared, filter, sort)
            }
            Err(error) => {
                self.error = Some(error);
                Vec::new()
            }
        }
    }

    pub(super) fn sort_by(&mut self, shared: &SharedState, sort: SortOrder) -> Vec<Command> {
        let mut commands = Vec::new();
        if sort != self.list.sort() {
            self.is_following = false;
            self.cursor = None;
            let filter = self.list.filter().clone();
            commands = self.relist(shared, filter, sort);
            self.set(shared, Scroll::default());
        }
        commands.extend(self.preview(shared));
        commands
    }
}
