//! The list of requests: the newest on top, followed as they come, or held still.

use std::collections::BTreeSet;

use crossterm::event::{Event, KeyCode, KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::RequestId;

use super::view;
use crate::draw::{Pointed, Scroll};
use crate::index::{CHUNK, Filter, List, Pulse, Seq, Sort, Usual};
use crate::keys::{self, Action, Key, key, named, row};
use crate::message::{Command, Message, Notice, Show};
use crate::screen::Screen;
use crate::state::Shared;
use crate::text_input::Prompt;

/// So many traces are on their way at a time, to be shown beside the list.
const MAX_ASKED: usize = 2;
/// The slots of so many requests are looked at for one filter, the newest.
const MAX_SCAN: usize = 20_000;

const KEYS: &[Key] = &[
    row(
        &[named(KeyCode::Enter), key('l'), named(KeyCode::Right)],
        Action::Open,
        "Open the request",
        Some("open"),
    ),
    row(&[key('/')], Action::Filter, "Filter the list; esc takes the filter away", Some("filter")),
    row(&[key('f'), key(' ')], Action::Follow, "Follow new requests, or hold the list still", Some("follow")),
    row(&[key('s')], Action::Sort, "Sort by another column", Some("sort")),
    row(&[key('n')], Action::NextFailed, "To the next one that failed", None),
    row(&[key('N')], Action::PreviousFailed, "To the one before that failed", None),
    row(&[key('m')], Action::Mark, "Mark the request, or take its mark away", None),
    row(&[key('\'')], Action::NextMark, "To the next marked request", None),
    row(&[key('y')], Action::CopyId, "Copy the id", None),
    row(&[key('L')], Action::Log, "Show or hide what the service says (zerver dev)", None),
];

/// The list of requests.
#[derive(Debug)]
pub(crate) struct Requests {
    /// Whether the top is shown as it changes.
    pub(super) is_following: bool,
    /// The chosen request, and the one on the first line; both stay where they are when others come.
    pub(super) cursor: Option<Seq>,
    pub(super) first: Option<Seq>,
    pub(super) list: List,
    /// The filter as it is typed.
    pub(super) prompt: Option<Prompt>,
    /// The filter as it was typed last, and what is wrong with it.
    pub(super) filter: String,
    pub(super) error: Option<String>,
    pub(super) marks: BTreeSet<Seq>,
    /// Of all requests, and of those that the filter lets through.
    pub(super) pulse: Pulse,
    pub(super) selected: Pulse,
    pub(super) usual: Usual,
    /// How much of the index is in `pulse` and `usual`.
    pub(super) counted: (Seq, Seq),
    pub(super) scan: Scan,
    /// Whether another turn has been asked for.
    pub(super) is_going_on: bool,
}

/// A search through slots.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) generation: u64,
    pub(super) asked: usize,
    pub(super) looked: usize,
    /// Whether more were there than are looked at.
    pub(super) is_cut: bool,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            is_following: true,
            cursor: None,
            first: None,
            list: List::default(),
            prompt: None,
            filter: String::new(),
            error: None,
            marks: BTreeSet::new(),
            pulse: Pulse::default(),
            selected: Pulse::default(),
            usual: Usual::default(),
            counted: (0, 0),
            scan: Scan::default(),
            is_going_on: false,
        }
    }
}

impl Requests {
    /// Another filter or order; the chosen request stays chosen where it is still there.
    pub(super) fn relist(&mut self, shared: &Shared, filter: Filter, sort: Sort) -> Vec<Command> {
        self.list.set(filter, sort, &shared.index);
        self.selected = Pulse::default();
        // The chosen request is looked for at once.
        let chosen = self.cursor.filter(|_| !self.is_following);
        self.list.catch_up(&shared.index, CHUNK, chosen);
        self.count_selected(shared);
        let generation = self.scan.generation + 1;
        let is_searching = self.scan.looked < self.scan.asked;
        self.scan = Scan { generation, ..Scan::default() };
        self.fill(shared);
        let mut commands = self.look_into_slots(shared);
        if is_searching && commands.is_empty() {
            // The search for the filter before ends.
            commands.push(Command::Scan { generation, requests: Vec::new(), terms: Vec::new() });
        }
        commands.extend(self.go_on(shared));
        commands
    }

    /// Asks for another turn, where there are requests left to look at.
    pub(super) fn go_on(&mut self, shared: &Shared) -> Option<Command> {
        let is_new = !self.is_going_on && self.list.is_behind(&shared.index);
        self.is_going_on |= is_new;
        is_new.then_some(Command::GoOn)
    }

    /// Asks for what the filter must know of slots.
    pub(super) fn look_into_slots(&mut self, shared: &Shared) -> Vec<Command> {
        let mut waiting = self.list.take_waiting();
        let room = MAX_SCAN.saturating_sub(self.scan.asked);
        self.scan.is_cut |= waiting.len() > room;
        waiting.truncate(room);
        if waiting.is_empty() {
            return Vec::new();
        }
        self.scan.asked += waiting.len();
        let id = |seq: Seq| Some((seq, shared.index.row(seq)?.id));
        vec![Command::Scan {
            generation: self.scan.generation,
            requests: waiting.into_iter().filter_map(id).collect(),
            terms: self.list.filter().slots.clone(),
        }]
    }

    pub(super) fn typed(&mut self, shared: &Shared) -> Vec<Command> {
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

    /// What is to be loaded to be shown beside the list.
    pub(super) fn preview(&self, shared: &Shared) -> Vec<Command> {
        let is_shown = view::areas(self, shared, shared.body()).preview.is_some();
        let row = self.chosen(shared).filter(|_| is_shown).and_then(|seq| shared.index.row(seq));
        let wanted =
            row.filter(|row| shared.traces.get(row.id).is_none() && shared.traces.asked() < MAX_ASKED);
        wanted.map(|row| Command::Load(row.id)).into_iter().collect()
    }
}

impl Screen for Requests {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn keys(&self) -> Vec<&'static [Key]> {
        vec![KEYS, keys::REQUEST, keys::MOVING]
    }

    fn request(&self, shared: &Shared) -> Option<RequestId> {
        Some(shared.index.row(self.chosen(shared)?)?.id)
    }

    fn type_key(&mut self, shared: &mut Shared, key: &KeyEvent) -> Option<Vec<Command>> {
        let prompt = self.prompt.as_mut()?;
        match key.code {
            KeyCode::Enter if self.error.is_none() => self.prompt = None,
            KeyCode::Enter => {}
            KeyCode::Esc => {
                *prompt = Prompt::default();
                let commands = self.typed(shared);
                self.prompt = None;
                return Some(commands);
            }
            KeyCode::Backspace if prompt.is_empty() => self.prompt = None,
            _ => {
                if prompt.press(key) {
                    return Some(self.typed(shared));
                }
                // Moving in the list while typing.
                match key.code {
                    KeyCode::Down => return Some(self.act(shared, Action::Down)),
                    KeyCode::Up => return Some(self.act(shared, Action::Up)),
                    _ => {}
                }
            }
        }
        Some(Vec::new())
    }

    fn typing(&self) -> Option<&'static [(&'static str, &'static str)]> {
        self.prompt
            .as_ref()
            .map(|_| &[("enter", "keep it"), ("esc", "all requests"), ("up down", "move")][..])
    }

    fn paste(&mut self, shared: &mut Shared, text: &str) -> Vec<Command> {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
            return self.typed(shared);
        }
        Vec::new()
    }

    fn act(&mut self, shared: &mut Shared, action: Action) -> Vec<Command> {
        let mut scroll = self.scroll(shared);
        if scroll.act(action, self.list.len(&shared.index), self.height(shared)) {
            // Whoever moves wants to look: only the top follows.
            self.is_following = action == Action::Top;
            self.set(shared, scroll);
            return self.preview(shared);
        }
        let chosen = self.chosen(shared).and_then(|seq| shared.index.row(seq));
        match action {
            Action::Follow => {
                self.set(shared, scroll);
                self.is_following = !self.is_following;
            }
            Action::Open => {
                return chosen.map(|row| Command::Show(Show::Timeline(row.id))).into_iter().collect();
            }
            Action::CopyId => return chosen.map(|row| Command::copy_id(row.id)).into_iter().collect(),
            Action::Filter => self.prompt = Some(Prompt::new(&self.filter)),
            Action::Back if !self.filter.is_empty() => {
                (self.filter, self.error) = (String::new(), None);
                return self.relist(shared, Filter::default(), self.list.sort());
            }
            Action::Back => return self.list_by(shared, Sort::Newest),
            Action::Sort => return self.list_by(shared, self.list.sort().next()),
            Action::Mark => {
                if let Some(seq) = chosen.map(|row| row.seq) {
                    if !self.marks.remove(&seq) {
                        self.marks.insert(seq);
                    }
                    return self.act(shared, Action::Down);
                }
            }
            Action::NextMark => {
                let marks = self.marks.clone();
                let is_marked = |seq| marks.contains(&seq);
                if !self.seek(shared, true, is_marked) {
                    self.is_following = false;
                    let top = Scroll::default();
                    let before = self.scroll(shared);
                    self.set(shared, top);
                    if !self.list.nth(0, &shared.index).is_some_and(is_marked)
                        && !self.seek(shared, true, is_marked)
                    {
                        self.set(shared, before);
                        shared.notice = Some(Notice::bad("no request in the list is marked; m marks one"));
                    }
                }
            }
            Action::NextFailed | Action::PreviousFailed => {
                let down = action == Action::NextFailed;
                let failed = |seq| shared.index.row(seq).is_some_and(|row| row.failed || row.status >= 400);
                if !self.seek(shared, down, failed) {
                    let beyond = if down { "below" } else { "above" };
                    shared.notice = Some(Notice::bad(format!("no request {beyond} failed")));
                }
            }
            Action::Log => {
                if let Some(service) = &mut shared.service {
                    service.is_shown = !service.is_shown;
                }
            }
            _ => {}
        }
        self.preview(shared)
    }

    fn take(&mut self, shared: &mut Shared, message: &Message) -> Vec<Command> {
        let is_at_top = self.cursor.is_some() && self.cursor == self.list.nth(0, &shared.index);
        let mut commands = match message {
            Message::GoOn => {
                self.is_going_on = false;
                self.list.catch_up(&shared.index, CHUNK, None);
                self.count_selected(shared);
                if is_at_top {
                    // What comes above is what was asked for.
                    self.set(shared, Scroll::default());
                }
                self.look_into_slots(shared)
            }
            Message::Older { .. } | Message::Newer(_) => {
                self.catch_up(shared);
                self.look_into_slots(shared)
            }
            Message::Input(Event::Resize(..)) => {
                self.fill(shared);
                Vec::new()
            }
            Message::Scanned { generation, looked, found } if *generation == self.scan.generation => {
                self.scan.looked += looked;
                self.list.let_in(found, &shared.index);
                self.count_selected(shared);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.set(shared, self.scroll(shared));
        commands.extend(self.go_on(shared));
        commands.extend(self.preview(shared));
        commands
    }

    fn mouse(&mut self, shared: &mut Shared, area: Rect, event: MouseEvent) -> Vec<Command> {
        let rows = view::areas(self, shared, area).rows;
        let mut scroll = self.scroll(shared);
        match scroll.mouse(event, rows, self.list.len(&shared.index)) {
            Pointed::Nowhere => return Vec::new(),
            Pointed::Again => return self.act(shared, Action::Open),
            Pointed::Turned | Pointed::Chosen => {}
        }
        self.is_following = false;
        self.set(shared, scroll);
        self.preview(shared)
    }

    fn draw(&self, shared: &Shared, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}

impl Requests {
    pub(super) fn list_by(&mut self, shared: &Shared, sort: Sort) -> Vec<Command> {
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
