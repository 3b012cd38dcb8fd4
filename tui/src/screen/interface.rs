//! Interface of a screen.

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::RequestId;

use crate::keys::{Action, KeyBinding};
use crate::message::{Command, Message};
use crate::state::SharedState;

/// A screen of the UI.
pub(crate) trait Screen {
    /// Returns the name, for the tab bar and the help.
    fn name(&self) -> &'static str;

    /// Returns the key tables for the current state; the first match wins.
    fn keys(&self, shared: &SharedState) -> Vec<&'static [KeyBinding]>;

    /// Returns false if an action of the screen would have no effect in the current state.
    fn is_available(&self, shared: &SharedState, action: Action) -> bool;

    /// Handles a key while text is being typed. Returns `None` if nothing is being typed, or if the key is not for the
    /// text.
    fn on_text_key(&mut self, _shared: &mut SharedState, _key: &KeyEvent) -> Option<Vec<Command>> {
        None
    }

    /// Returns the keys that end typing, with their effect; `None` if nothing is being typed.
    fn text_hints(&self) -> Option<&'static [(&'static str, &'static str)]> {
        None
    }

    /// Handles pasted text.
    #[must_use]
    fn on_paste(&mut self, _shared: &mut SharedState, _text: &str) -> Vec<Command> {
        Vec::new()
    }

    /// Returns the request that is selected or open.
    fn current_request(&self, _shared: &SharedState) -> Option<RequestId> {
        None
    }

    /// Called when the screen is shown.
    #[must_use]
    fn on_enter(&mut self, _shared: &SharedState) -> Vec<Command> {
        Vec::new()
    }

    /// Runs the action of a key.
    #[must_use]
    fn on_action(&mut self, shared: &mut SharedState, action: Action) -> Vec<Command>;

    /// Handles a message that `shared` already reflects.
    #[must_use]
    fn on_message(&mut self, shared: &mut SharedState, message: &Message) -> Vec<Command>;

    /// Handles a mouse event; `area` is where the screen is drawn.
    #[must_use]
    fn on_mouse(&mut self, shared: &mut SharedState, area: Rect, event: MouseEvent) -> Vec<Command>;

    /// Draws the screen from `self` and `shared` alone.
    fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer);
}

/// Returns false if an action would have no effect on this screen in its current state.
pub(crate) fn is_available(screen: &dyn Screen, shared: &SharedState, action: Action) -> bool {
    match action {
        Action::Quit
        | Action::Back
        | Action::Suspend
        | Action::Redraw
        | Action::Help
        | Action::Palette
        | Action::Screen(_) => true,
        Action::Diff | Action::Replay => screen.current_request(shared).is_some(),
        action => screen.is_available(shared, action),
    }
}
