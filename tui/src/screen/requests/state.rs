//! State of the request list: filter, order, selection and marks.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use zerver_analysis::QueryClock;

use super::queries::QueryStrings;
use crate::draw::Scroll;
use crate::index::{Baseline, Filter, Rates, RequestList, SCAN_CHUNK, SelectionTotals, Seq, SortOrder};
use crate::message::Command;
use crate::state::SharedState;
use crate::text_input::TextInput;

/// Number of requests whose traces are read by one command. The next ones follow once they have been.
const SCAN_BATCH: usize = 20_000;

/// The request list.
#[derive(Debug)]
pub(crate) struct RequestsScreen {
    /// True if the list is live: the newest request stays selected.
    pub(super) is_following: bool,
    /// Selected request, and the first visible one.
    pub(super) cursor: Option<Seq>,
    pub(super) first: Option<Seq>,
    pub(super) list: RequestList,
    /// Filter being typed.
    pub(super) prompt: Option<TextInput>,
    /// Filter as typed last, and the error in it.
    pub(super) filter: String,
    pub(super) error: Option<String>,
    pub(super) marks: BTreeSet<Seq>,
    /// Rates of all requests.
    pub(super) rates: Rates,
    /// Totals of all requests, and of those that the filter admits.
    pub(super) totals: SelectionTotals,
    pub(super) selected: SelectionTotals,
    pub(super) baseline: Baseline,
    /// Range of the index included in `rates` and `baseline`.
    pub(super) counted: (Seq, Seq),
    pub(super) scan: SlotScan,
    pub(super) queries: QueryStrings,
    /// True while a [`Command::Continue`] is pending.
    pub(super) is_turn_requested: bool,
}

/// Progress of a slot search.
#[derive(Debug, Default)]
pub(super) struct SlotScan {
    pub(super) generation: u64,
    /// Requests still to read, the next one first.
    pub(super) queued: VecDeque<Seq>,
    pub(super) requested: usize,
    pub(super) scanned: usize,
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
            totals: SelectionTotals::default(),
            selected: SelectionTotals::default(),
            baseline: Baseline::default(),
            counted: (0, 0),
            scan: SlotScan::default(),
            queries: QueryStrings::default(),
            is_turn_requested: false,
        }
    }
}

impl RequestsScreen {
    /// Applies another filter or order. The selected request stays selected if it is still listed.
    pub(super) fn relist(&mut self, shared: &SharedState, filter: Filter, sort: SortOrder) -> Vec<Command> {
        self.list.set(filter, sort, &shared.index);
        self.selected = SelectionTotals::default();
        // The selected request must be found at once.
        let selected = self.cursor.filter(|_| !self.is_following);
        self.list.catch_up(&shared.index, SCAN_CHUNK, selected);
        self.count_selected(shared);
        let generation = self.scan.generation + 1;
        let is_searching = self.scan.scanned < self.scan.requested;
        self.scan = SlotScan { generation, ..SlotScan::default() };
        self.fill(shared);
        let mut commands = self.scan_slots(shared);
        if is_searching && commands.is_empty() {
            // Ends the search for the previous filter.
            commands.push(Command::Scan { generation, requests: Vec::new(), query: Arc::default() });
        }
        commands.extend(self.request_turn(shared));
        commands
    }

    /// Requests another turn if there are requests left to scan.
    pub(super) fn request_turn(&mut self, shared: &SharedState) -> Option<Command> {
        let is_new = !self.is_turn_requested && self.list.is_behind(&shared.index);
        self.is_turn_requested |= is_new;
        is_new.then_some(Command::Continue)
    }

    /// Requests the traces that the filter needs, unless others are being read.
    pub(super) fn scan_slots(&mut self, shared: &SharedState) -> Vec<Command> {
        // Those that have just arrived come first.
        let newest = self.scan.queued.front().copied();
        let unscanned = self.list.take_unscanned().into_iter();
        let (newer, older): (Vec<Seq>, Vec<Seq>) =
            unscanned.partition(|seq| newest.is_some_and(|newest| *seq > newest));
        newer.into_iter().rev().for_each(|seq| self.scan.queued.push_front(seq));
        self.scan.queued.extend(older);
        if self.scan.scanned < self.scan.requested || self.scan.queued.is_empty() {
            return Vec::new();
        }
        let batch = self.scan.queued.drain(..self.scan.queued.len().min(SCAN_BATCH));
        let requests: Vec<_> = batch.filter_map(|seq| Some((seq, shared.index.row(seq)?.id))).collect();
        self.scan.requested += requests.len();
        vec![Command::Scan {
            generation: self.scan.generation,
            requests,
            query: Arc::clone(self.list.filter().query()),
        }]
    }

    /// Lists the requests that a query selects.
    pub(crate) fn show_filter(&mut self, shared: &SharedState, query: &str) -> Vec<Command> {
        self.prompt = Some(TextInput::new(query));
        let mut commands = self.apply_filter_text(shared);
        self.prompt = None;
        self.is_following = true;
        self.set(shared, Scroll::default());
        commands.extend(self.load_shown(shared));
        commands
    }

    pub(super) fn apply_filter_text(&mut self, shared: &SharedState) -> Vec<Command> {
        let Some(prompt) = &self.prompt else { return Vec::new() };
        self.filter = prompt.text();
        let clock = QueryClock { now_unix_ns: shared.now_unix_ns, zone: shared.time_zone.clone() };
        match Filter::parse(&self.filter, &clock) {
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
        commands.extend(self.load_shown(shared));
        commands
    }
}
