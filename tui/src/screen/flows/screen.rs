//! Keys, mouse and messages of the flows screen.

use std::sync::Arc;

use crossterm::event::{KeyCode, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::state::{FlowTimes, FlowsScreen, Pane};
use super::view;
use crate::draw::{MouseHit, Scroll};
use crate::keys::{self, Action, KeyBinding, binding, key, named};
use crate::message::{Command, Message, Navigation};
use crate::screen::interface::Screen;
use crate::state::{Notice, SharedState};

const KEYS: &[KeyBinding] = &[
    binding(
        &[named(KeyCode::Tab), named(KeyCode::BackTab)],
        Action::NextPane,
        "Switch between flows and steps",
        Some("pane"),
    ),
    binding(
        &[named(KeyCode::Enter), key('l'), named(KeyCode::Right)],
        Action::Open,
        "List the requests of the flow, within the window",
        Some("requests"),
    ),
    binding(
        &[key('w')],
        Action::NextWindow,
        "Next window: all, the last 10 minutes, hour, 24 hours, compared with the time before",
        Some("window"),
    ),
    binding(&[key('s')], Action::NextSort, "Sort by the next column", Some("sort")),
    binding(&[key('r')], Action::Rerun, "Measure the flow again, from its newest requests", Some("refresh")),
    binding(
        &[named(KeyCode::Esc), named(KeyCode::Backspace)],
        Action::Back,
        "Back to the previous screen",
        Some("back"),
    ),
];

impl FlowsScreen {
    /// Returns the key tables of all states.
    pub(crate) fn all_keys() -> Vec<&'static [KeyBinding]> {
        vec![KEYS, keys::MOVING]
    }
}

impl Screen for FlowsScreen {
    fn name(&self) -> &'static str {
        "flows"
    }

    fn keys(&self, _shared: &SharedState) -> Vec<&'static [KeyBinding]> {
        vec![KEYS, keys::MOVING]
    }

    fn is_available(&self, _shared: &SharedState, _action: Action) -> bool {
        !self.rows().is_empty()
    }

    fn on_enter(&mut self, shared: &SharedState) -> Vec<Command> {
        let mut commands = vec![Command::ListFlows];
        commands.extend(self.count(shared));
        commands
    }

    fn on_action(&mut self, shared: &mut SharedState, action: Action) -> Vec<Command> {
        let (scroll, len, height) = self.scrolled(shared, shared.body());
        if scroll.apply(action, len, height) {
            if self.pane == Pane::List {
                self.steps = Scroll::default();
                return self.settle();
            }
            return Vec::new();
        }
        match action {
            Action::Back => return vec![Command::Navigate(Navigation::Back)],
            Action::Open => {
                let Some(flow) = self.table.number(self.list.cursor) else {
                    shared.notice = Some(Notice::error("the flow has no requests in this window"));
                    return Vec::new();
                };
                let terms = self.table.window.term();
                return vec![Command::Navigate(Navigation::RequestsOfFlow { flow, terms })];
            }
            Action::NextWindow => {
                self.table.next_window();
                return self.count(shared);
            }
            Action::NextSort => {
                self.table.next_order();
                self.list = Scroll::default();
                let mut commands = self.count(shared);
                commands.extend(self.settle());
                return commands;
            }
            Action::NextPane => {
                self.pane = if self.pane == Pane::List { Pane::Steps } else { Pane::List };
            }
            Action::Rerun => {
                self.table.restart();
                let mut commands = self.count(shared);
                let name = self.selected().map(|flow| flow.name.clone());
                // The current times stay visible until the new ones arrive.
                let is_running = |name: &String| matches!(self.measured.get(name), Some(FlowTimes::Running));
                commands.extend(name.filter(|name| !is_running(name)).map(Command::MeasureFlow));
                return commands;
            }
            _ => {}
        }
        Vec::new()
    }

    fn on_message(&mut self, shared: &mut SharedState, message: &Message) -> Vec<Command> {
        match message {
            // Nothing is counted before the screen is opened.
            Message::Continue if self.is_turn_requested => {
                self.is_turn_requested = false;
                self.count(shared)
            }
            Message::OlderRequests { .. } | Message::NewRequests(_) if self.flows.is_some() => {
                self.count(shared)
            }
            Message::Flows(flows) => {
                // The known flows stay visible after an error.
                if flows.is_ok() || self.known().is_empty() {
                    self.flows = Some(flows.clone());
                }
                let mut commands = self.count(shared);
                self.list.cursor = self.list.cursor.min(self.rows().len().saturating_sub(1));
                commands.extend(self.settle());
                commands
            }
            Message::Measured(name, measured) => {
                let measured = match measured {
                    Ok(measured) => FlowTimes::Done(Arc::clone(measured)),
                    Err(why) => FlowTimes::Failed(why.clone()),
                };
                self.measured.insert(name.clone(), measured);
                self.settle()
            }
            _ => Vec::new(),
        }
    }

    fn on_mouse(&mut self, shared: &mut SharedState, area: Rect, event: MouseEvent) -> Vec<Command> {
        let areas = self.areas(shared, area);
        let at = (event.column, event.row).into();
        let (pane, part) = match (areas.list.contains(at), areas.steps.contains(at)) {
            (true, _) => (Pane::List, areas.list),
            (_, true) => (Pane::Steps, areas.steps),
            _ => return Vec::new(),
        };
        let before = std::mem::replace(&mut self.pane, pane);
        let (scroll, len, _) = self.scrolled(shared, area);
        match scroll.mouse(event, part, len) {
            MouseHit::Miss => self.pane = before,
            MouseHit::Reselected if pane == Pane::List => return self.on_action(shared, Action::Open),
            _ => {}
        }
        if self.pane == Pane::List { self.settle() } else { Vec::new() }
    }

    fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}
