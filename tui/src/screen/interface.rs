//! The screens, a folder each: its state, its rows of the table of keys, and how it is drawn.
//!
//! To add one: a folder here, a [`Tab`], a field of [`Screens`].

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::RequestId;

use crate::keys::{Action, KeyBinding};
use crate::message::{Command, Message};
use crate::state::SharedState;

/// What a screen is to the rest.
pub(crate) trait Screen {
    /// Its name, for the head and the help.
    fn name(&self) -> &'static str;

    /// Its keys, as they are now; the first that fits counts.
    fn keys(&self) -> Vec<&'static [KeyBinding]>;

    /// Takes a key before any action is looked up, while something is being typed; none if nothing is.
    fn on_text_key(&mut self, _shared: &mut SharedState, _key: &KeyEvent) -> Option<Vec<Command>> {
        None
    }

    /// While something is being typed, what ends that: keys, each with what it does.
    fn text_hints(&self) -> Option<&'static [(&'static str, &'static str)]> {
        None
    }

    /// Takes a text that was pasted.
    #[must_use]
    fn on_paste(&mut self, _shared: &mut SharedState, _text: &str) -> Vec<Command> {
        Vec::new()
    }

    /// The request that is chosen or shown here.
    fn current_request(&self, _shared: &SharedState) -> Option<RequestId> {
        None
    }

    /// It is shown from now on.
    #[must_use]
    fn on_enter(&mut self, _shared: &SharedState) -> Vec<Command> {
        Vec::new()
    }

    /// Does what a key asked for.
    #[must_use]
    fn on_action(&mut self, shared: &mut SharedState, action: Action) -> Vec<Command>;

    /// Takes note of what happened elsewhere: `shared` has it already.
    #[must_use]
    fn on_message(&mut self, shared: &mut SharedState, message: &Message) -> Vec<Command>;

    /// A click or the wheel within `area`, which is where it was drawn.
    #[must_use]
    fn on_mouse(&mut self, shared: &mut SharedState, area: Rect, event: MouseEvent) -> Vec<Command>;

    /// Draws it. What it draws depends on nothing but `self` and `shared`.
    fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer);
}
