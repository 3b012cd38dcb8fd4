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
use crate::state::SharedState;

const KEYS: &[KeyBinding] = &[
    binding(
        &[named(KeyCode::Tab), named(KeyCode::BackTab)],
        Action::NextPane,
        "Switch between flows and steps",
        Some("pane"),
    ),
    binding(&[key('r')], Action::Rerun, "Measure the flow again, from its newest requests", Some("refresh")),
    binding(
        &[named(KeyCode::Esc), named(KeyCode::Backspace)],
        Action::Back,
        "Back to the previous screen",
        Some("back"),
    ),
];

impl Screen for FlowsScreen {
    fn name(&self) -> &'static str {
        "flows"
    }

    fn keys(&self, _shared: &SharedState) -> Vec<&'static [KeyBinding]> {
        vec![KEYS, keys::MOVING]
    }

    fn is_available(&self, _shared: &SharedState, _action: Action) -> bool {
        !self.all().is_empty()
    }

    fn on_enter(&mut self, _shared: &SharedState) -> Vec<Command> {
        vec![Command::ListFlows]
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
            Action::NextPane => {
                self.pane = if self.pane == Pane::List { Pane::Steps } else { Pane::List };
            }
            Action::Rerun => {
                let name = self.selected().map(|flow| flow.name.clone());
                let is_running = |name: &String| matches!(self.measured.get(name), Some(FlowTimes::Running));
                // The current times stay visible until the new ones arrive.
                return name.filter(|name| !is_running(name)).map(Command::MeasureFlow).into_iter().collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn on_message(&mut self, _shared: &mut SharedState, message: &Message) -> Vec<Command> {
        match message {
            Message::Flows(flows) => {
                // The known flows stay visible after an error.
                if flows.is_ok() || self.all().is_empty() {
                    self.flows = Some(flows.clone());
                }
                self.list.cursor = self.list.cursor.min(self.all().len().saturating_sub(1));
                self.settle()
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
        if scroll.mouse(event, part, len) == MouseHit::Miss {
            self.pane = before;
        }
        if self.pane == Pane::List { self.settle() } else { Vec::new() }
    }

    fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}
