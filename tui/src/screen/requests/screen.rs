//! Keys, mouse and messages of the request list.

use crossterm::event::{Event, KeyCode, KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::RequestId;

use super::state::RequestsScreen;
use super::view;
use crate::draw::{MouseHit, Scroll};
use crate::index::{Filter, SCAN_CHUNK, SortOrder};
use crate::keys::{self, Action, KeyBinding, binding, key, named};
use crate::message::{Command, Message, Navigation};
use crate::screen::Tab;
use crate::screen::interface::Screen;
use crate::state::Notice;
use crate::state::SharedState;
use crate::text_input::TextInput;

const KEYS: &[KeyBinding] = &[
    binding(
        &[named(KeyCode::Enter), key('l'), named(KeyCode::Right)],
        Action::Open,
        "Open the request",
        Some("open"),
    ),
    binding(&[key('/')], Action::Filter, "Filter the list; esc clears the filter", Some("filter")),
];

const LIVE_KEYS: &[KeyBinding] =
    &[binding(&[key('f'), key(' ')], Action::ToggleFollow, "Pause the list", Some("pause"))];

const PAUSED_KEYS: &[KeyBinding] =
    &[binding(&[key('f'), key(' ')], Action::ToggleFollow, "Go live: follow new requests", Some("live"))];

const LIST_KEYS: &[KeyBinding] = &[
    binding(&[key('s')], Action::NextSort, "Sort by the next column", Some("sort")),
    binding(&[key('n')], Action::NextFailed, "Next failed request", None),
    binding(&[key('N')], Action::PreviousFailed, "Previous failed request", None),
    binding(&[key('m')], Action::Mark, "Mark or unmark the request, and move down", None),
    binding(&[key('\'')], Action::NextMark, "Next marked request", None),
    binding(&[key('y')], Action::CopyId, "Copy the id", None),
];

/// Only if the new code changed the outcome of a request.
const CHECK_KEYS: &[KeyBinding] = &[binding(
    &[key('c')],
    Action::NextChanged,
    "Next request that differs with the new code",
    Some("next change"),
)];

/// Only for `zerver dev`.
const LOG_KEYS: &[KeyBinding] =
    &[binding(&[key('L')], Action::ToggleLog, "Show or hide the service log", Some("log"))];

impl RequestsScreen {
    /// Returns the key tables of all states.
    pub(crate) fn all_keys() -> Vec<&'static [KeyBinding]> {
        vec![KEYS, LIVE_KEYS, PAUSED_KEYS, LIST_KEYS, keys::REQUEST, CHECK_KEYS, LOG_KEYS, keys::MOVING]
    }
}

impl Screen for RequestsScreen {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn keys(&self, shared: &SharedState) -> Vec<&'static [KeyBinding]> {
        let follow_keys = if self.is_following { LIVE_KEYS } else { PAUSED_KEYS };
        let mut tables = vec![KEYS, follow_keys, LIST_KEYS, keys::REQUEST];
        if !shared.replay_check.changed.is_empty() {
            tables.push(CHECK_KEYS);
        }
        if shared.service.is_some() {
            tables.push(LOG_KEYS);
        }
        tables.push(keys::MOVING);
        tables
    }

    fn is_available(&self, shared: &SharedState, action: Action) -> bool {
        match action {
            Action::ToggleLog => true,
            Action::Filter | Action::ToggleFollow | Action::NextSort => shared.index.len() > 0,
            _ => self.list.len(&shared.index) > 0,
        }
    }

    fn current_request(&self, shared: &SharedState) -> Option<RequestId> {
        Some(shared.index.row(self.selected(shared)?)?.id)
    }

    fn on_text_key(&mut self, shared: &mut SharedState, key: &KeyEvent) -> Option<Vec<Command>> {
        let prompt = self.prompt.as_mut()?;
        match key.code {
            KeyCode::Enter if self.error.is_none() => self.prompt = None,
            KeyCode::Enter => {}
            KeyCode::Esc => {
                *prompt = TextInput::default();
                let commands = self.apply_filter_text(shared);
                self.prompt = None;
                return Some(commands);
            }
            KeyCode::Backspace if prompt.is_empty() => self.prompt = None,
            _ => {
                if prompt.press(key) {
                    return Some(self.apply_filter_text(shared));
                }
                // Moving in the list while typing.
                match key.code {
                    KeyCode::Down => return Some(self.on_action(shared, Action::Down)),
                    KeyCode::Up => return Some(self.on_action(shared, Action::Up)),
                    _ => {}
                }
            }
        }
        Some(Vec::new())
    }

    fn text_hints(&self) -> Option<&'static [(&'static str, &'static str)]> {
        self.prompt.as_ref().map(|_| &[("enter", "apply"), ("esc", "clear"), ("up down", "move")][..])
    }

    fn on_paste(&mut self, shared: &mut SharedState, text: &str) -> Vec<Command> {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
            return self.apply_filter_text(shared);
        }
        Vec::new()
    }

    fn on_action(&mut self, shared: &mut SharedState, action: Action) -> Vec<Command> {
        let mut scroll = self.scroll(shared);
        if scroll.apply(action, self.list.len(&shared.index), self.height(shared)) {
            // Moving pauses the list, except to the top.
            self.is_following = action == Action::Top;
            self.set(shared, scroll);
            return self.load_shown(shared);
        }
        let selected = self.selected(shared).and_then(|seq| shared.index.row(seq));
        match action {
            Action::ToggleFollow => {
                self.set(shared, scroll);
                self.is_following = !self.is_following;
            }
            Action::Open => {
                return selected
                    .map(|row| Command::Navigate(Navigation::Timeline(row.id)))
                    .into_iter()
                    .collect();
            }
            Action::CopyId => return selected.map(|row| Command::copy_id(row.id)).into_iter().collect(),
            Action::Filter => self.prompt = Some(TextInput::new(&self.filter)),
            Action::Back if !self.filter.is_empty() => {
                (self.filter, self.error) = (String::new(), None);
                return self.relist(shared, Filter::default(), self.list.sort());
            }
            Action::Back => return self.sort_by(shared, SortOrder::Newest),
            Action::NextSort => return self.sort_by(shared, self.list.sort().next()),
            Action::Mark => {
                if let Some(seq) = selected.map(|row| row.seq) {
                    if !self.marks.remove(&seq) {
                        self.marks.insert(seq);
                    }
                    return self.on_action(shared, Action::Down);
                }
            }
            Action::NextMark => {
                let marks = self.marks.clone();
                let is_marked = |seq| marks.contains(&seq);
                if !self.seek(shared, true, is_marked) && !self.seek_from_top(shared, is_marked) {
                    let key = shared.key_map.name_of(Tab::Requests, &Self::all_keys(), Action::Mark);
                    shared.notice =
                        Some(Notice::error(format!("no marked requests in the list; {key} marks one")));
                }
            }
            Action::NextFailed | Action::PreviousFailed => {
                let down = action == Action::NextFailed;
                let failed = |seq| shared.index.row(seq).is_some_and(|row| row.is_error());
                if !self.seek(shared, down, failed) {
                    let beyond = if down { "below" } else { "above" };
                    shared.notice =
                        Some(Notice::error(format!("no failed request {beyond}; 4xx do not count")));
                }
            }
            Action::NextChanged => {
                let changed = |seq| {
                    let row = shared.index.row(seq);
                    row.is_some_and(|row| shared.replay_check.changed.contains(&row.id))
                };
                if !self.seek(shared, true, changed) && !self.seek_from_top(shared, changed) {
                    shared.notice = Some(Notice::error("no other request of the list differs"));
                }
            }
            Action::ToggleLog => {
                if let Some(service) = &mut shared.service {
                    service.is_log_shown = !service.is_log_shown;
                }
            }
            _ => {}
        }
        self.load_shown(shared)
    }

    fn on_message(&mut self, shared: &mut SharedState, message: &Message) -> Vec<Command> {
        let is_at_top = self.cursor.is_some() && self.cursor == self.list.nth(0, &shared.index);
        let mut commands = match message {
            Message::Continue => {
                self.is_turn_requested = false;
                self.list.catch_up(&shared.index, SCAN_CHUNK, None);
                self.count_selected(shared);
                if is_at_top {
                    // At the top, show what is added above.
                    self.set(shared, Scroll::default());
                }
                self.scan_slots(shared)
            }
            Message::OlderRequests { .. } | Message::NewRequests(_) => {
                self.catch_up(shared);
                self.scan_slots(shared)
            }
            Message::Input(Event::Resize(..)) => {
                self.fill(shared);
                Vec::new()
            }
            Message::Scanned { generation, scanned, found } if *generation == self.scan.generation => {
                self.scan.scanned += scanned;
                self.list.admit_scanned(found, &shared.index);
                self.count_selected(shared);
                self.scan_slots(shared)
            }
            Message::Nodes(nodes) => {
                self.queries.add_nodes(nodes);
                Vec::new()
            }
            Message::Queries(queries) => {
                self.queries.add(queries);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.set(shared, self.scroll(shared));
        commands.extend(self.request_turn(shared));
        commands.extend(self.load_shown(shared));
        commands
    }

    fn on_mouse(&mut self, shared: &mut SharedState, area: Rect, event: MouseEvent) -> Vec<Command> {
        let rows = self.areas(shared, area).rows;
        let mut scroll = self.scroll(shared);
        match scroll.mouse(event, rows, self.list.len(&shared.index)) {
            MouseHit::Miss => return Vec::new(),
            MouseHit::Reselected => return self.on_action(shared, Action::Open),
            MouseHit::Scrolled | MouseHit::Selected => {}
        }
        self.is_following = false;
        self.set(shared, scroll);
        self.load_shown(shared)
    }

    fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}
