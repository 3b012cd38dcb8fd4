//! Keys, mouse and messages of the timeline screen.

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::{CurlCommand, curl_command};
use zerver_trace::RequestId;

use super::layout::share_at;
use super::state::TimelineScreen;
use super::view;
use crate::keys::{self, Action, KeyBinding, binding, key, named};
use crate::message::{Command, Message, Navigation};
use crate::screen::interface::Screen;
use crate::state::Notice;
use crate::state::SharedState;
use crate::text_input::TextInput;

/// Limits of the share of the waterfall, in percent.
const SHARE_LIMITS: std::ops::RangeInclusive<u16> = 15..=85;

const EVENT_KEYS: &[KeyBinding] = &[
    binding(&[key('h'), named(KeyCode::Left)], Action::PreviousEvent, "Previous event", Some("previous")),
    binding(&[key('l'), named(KeyCode::Right)], Action::NextEvent, "Next event", Some("next event")),
    binding(
        &[named(KeyCode::Tab), named(KeyCode::BackTab)],
        Action::NextPane,
        "Switch between waterfall and inspector",
        Some("pane"),
    ),
];

const KEYS: &[KeyBinding] = &[
    binding(
        &[named(KeyCode::Esc), named(KeyCode::Backspace)],
        Action::Back,
        "Back to the previous screen",
        Some("back"),
    ),
    binding(&[key('e')], Action::OpenSource, "Open the source of the step in $EDITOR", Some("source")),
    binding(&[key('i')], Action::NextSection, "Next section of the inspector", Some("section")),
    binding(
        &[key('y')],
        Action::CopyId,
        "Copy the id; in the inspector, the value of the line",
        Some("copy"),
    ),
    binding(&[key('Y')], Action::CopyCurl, "Copy the request as a curl command", Some("curl")),
    binding(
        &[key('w')],
        Action::WhyValue,
        "In the inspector, show where a value came from",
        Some("where from"),
    ),
    binding(
        &[named(KeyCode::Enter), key(' ')],
        Action::Fold,
        "Inspect the row; in the inspector, fold a value",
        None,
    ),
    binding(&[key('/')], Action::Search, "Search in the current pane", None),
    binding(&[key('n')], Action::NextMatch, "Next match", None),
    binding(&[key('N')], Action::PreviousMatch, "Previous match", None),
    binding(&[key('J'), key(']')], Action::NextRequest, "Next request of the list", None),
    binding(&[key('K'), key('[')], Action::PreviousRequest, "Previous request of the list", None),
    binding(&[key('+')], Action::Grow, "Enlarge the waterfall", None),
    binding(&[key('-')], Action::Shrink, "Shrink the waterfall", None),
];

impl TimelineScreen {
    /// Returns the key tables of all states.
    pub(crate) fn all_keys() -> Vec<&'static [KeyBinding]> {
        vec![EVENT_KEYS, keys::REQUEST, KEYS, keys::MOVING]
    }
}

impl Screen for TimelineScreen {
    fn name(&self) -> &'static str {
        "timeline"
    }

    fn keys(&self, _shared: &SharedState) -> Vec<&'static [KeyBinding]> {
        vec![EVENT_KEYS, keys::REQUEST, KEYS, keys::MOVING]
    }

    fn is_available(&self, _shared: &SharedState, action: Action) -> bool {
        match action {
            Action::CopyId | Action::NextRequest | Action::PreviousRequest => self.id.is_some(),
            Action::WhyValue => self.is_inspecting,
            Action::NextMatch | Action::PreviousMatch => self.open_trace.is_some() && !self.search.is_empty(),
            _ => self.open_trace.is_some(),
        }
    }

    fn current_request(&self, _shared: &SharedState) -> Option<RequestId> {
        self.id
    }

    fn on_text_key(&mut self, shared: &mut SharedState, key: &KeyEvent) -> Option<Vec<Command>> {
        let prompt = self.prompt.as_mut()?;
        match key.code {
            KeyCode::Enter => {
                self.search = prompt.text();
                self.prompt = None;
                self.seek(shared, true);
            }
            KeyCode::Esc => self.prompt = None,
            KeyCode::Backspace if prompt.is_empty() => self.prompt = None,
            _ => drop(prompt.press(key)),
        }
        Some(Vec::new())
    }

    fn text_hints(&self) -> Option<&'static [(&'static str, &'static str)]> {
        self.prompt.as_ref().map(|_| &[("enter", "search"), ("esc", "cancel")][..])
    }

    fn on_paste(&mut self, _shared: &mut SharedState, text: &str) -> Vec<Command> {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
        }
        Vec::new()
    }

    fn on_action(&mut self, shared: &mut SharedState, action: Action) -> Vec<Command> {
        if self.act_in_inspector(shared, action) {
            return Vec::new();
        }
        let height = usize::from(self.areas(shared.body()).rows.height);
        if let Some(open_trace) = &mut self.open_trace {
            let mut scroll = open_trace.scroll(height);
            if scroll.apply(action, open_trace.rows.len(), height) {
                open_trace.first = scroll.first;
                open_trace.go(open_trace.moments.of_row(scroll.cursor));
                return Vec::new();
            }
        }
        match action {
            Action::Back if self.is_inspecting => self.is_inspecting = false,
            Action::Back => return vec![Command::Navigate(Navigation::Back)],
            Action::NextPane => self.is_inspecting = !self.is_inspecting,
            Action::Fold | Action::Open => self.is_inspecting = true,
            Action::PreviousEvent | Action::NextEvent => {
                if let Some(open_trace) = &mut self.open_trace {
                    let step = if action == Action::NextEvent { 1 } else { -1 };
                    open_trace
                        .go(open_trace.moment.saturating_add_signed(step).min(open_trace.moments.len() - 1));
                    open_trace.first = open_trace.scroll(height).first;
                }
            }
            Action::Search => self.prompt = Some(TextInput::default()),
            Action::NextMatch => self.seek(shared, true),
            Action::PreviousMatch => self.seek(shared, false),
            Action::NextRequest => return vec![Command::Navigate(Navigation::Neighbor { is_below: true })],
            Action::PreviousRequest => {
                return vec![Command::Navigate(Navigation::Neighbor { is_below: false })];
            }
            Action::Grow => self.waterfall_percent = (self.waterfall_percent + 5).min(*SHARE_LIMITS.end()),
            Action::Shrink => {
                self.waterfall_percent = self.waterfall_percent.saturating_sub(5).max(*SHARE_LIMITS.start())
            }
            Action::CopyId if self.is_inspecting => return self.copy_value().into_iter().collect(),
            Action::CopyId => return self.id.map(Command::copy_id).into_iter().collect(),
            Action::CopyCurl => {
                let curl = self.open_trace.as_ref().map(|open_trace| curl_command(&open_trace.loaded.trace));
                let copy = |curl: CurlCommand| {
                    let lacks = if curl.is_partial { "; its comments name what is missing" } else { "" };
                    Command::Copy { text: curl.text, description: format!("the curl command{lacks}") }
                };
                return curl.map(copy).into_iter().collect();
            }
            Action::WhyValue => match self.selected_value() {
                Some((id, value)) => {
                    shared.source_searches += 1;
                    return vec![Command::FindSources { number: shared.source_searches, id, value }];
                }
                None => {
                    let what = "no value: select a slot, arguments, or a part of the response in the inspector (tab)";
                    shared.notice = Some(Notice::error(what));
                }
            },
            Action::OpenSource => match self.source(&shared.sources) {
                Some(command) => return vec![command],
                None => shared.notice = Some(Notice::error("no source location in the trace")),
            },
            _ => {}
        }
        Vec::new()
    }

    fn on_message(&mut self, shared: &mut SharedState, message: &Message) -> Vec<Command> {
        if let Message::Explained(id, why) = message
            && Some(*id) == self.id
        {
            self.why = Some(why.clone());
            self.invalidate_inspector();
        }
        self.settle(shared)
    }

    fn on_mouse(&mut self, shared: &mut SharedState, area: Rect, event: MouseEvent) -> Vec<Command> {
        let areas = self.areas(area);
        let place = (event.column, event.row).into();
        match event.kind {
            MouseEventKind::Up(_) => self.is_dragging = false,
            MouseEventKind::Drag(MouseButton::Left) if self.is_dragging => {
                self.waterfall_percent = share_at(areas.whole, areas.is_wide, event)
                    .clamp(*SHARE_LIMITS.start(), *SHARE_LIMITS.end());
            }
            MouseEventKind::Down(MouseButton::Left) if areas.splitter.contains(place) => {
                self.is_dragging = true
            }
            _ if areas.inspector.contains(place) => self.point_in_inspector(shared, areas.inspector, event),
            _ => self.point_in_rows(areas.rows, event),
        }
        Vec::new()
    }

    fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}
