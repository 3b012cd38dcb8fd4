//! The whole state of the terminal UI.

use ratatui::layout::Size;

use crate::keys::{self, Action, KeyBinding};
use crate::overlay::{KeyTables, Overlay};
use crate::screen::{Screens, Tab, is_available};
use crate::state::{Notice, SharedState};
use crate::theme::Appearance;
use crate::user_config::UserConfig;

/// The state of the terminal UI.
#[derive(Debug)]
pub struct App {
    pub(crate) shared: SharedState,
    pub(crate) screens: Screens,
    pub(crate) tab: Tab,
    /// Tabs that led to the current one, most recent last.
    pub(crate) trail: Vec<Tab>,
    pub(crate) overlay: Option<Overlay>,
    /// True if a frame would look different from the one before the last [`App::take_changed`].
    pub(crate) is_changed: bool,
}

impl App {
    /// Creates the state at start-up.
    pub fn new(appearance: Appearance, size: Size, now_unix_ns: u64) -> Self {
        Self {
            shared: SharedState::new(appearance, size, now_unix_ns),
            screens: Screens::default(),
            tab: Tab::Requests,
            trail: Vec::new(),
            overlay: None,
            is_changed: true,
        }
    }

    /// Applies the keys and colors of the user, and shows what is wrong with them.
    pub fn configure(&mut self, config: &UserConfig, appearance: Appearance) {
        config.color(&mut self.shared.theme, appearance.colors);
        self.shared.key_map = config.keys.clone();
        if let Some(warning) = &config.warning {
            self.shared.notice = Some(Notice::error(warning.clone()));
            self.shared.notice_unix_ns = self.shared.now_unix_ns;
        }
    }

    /// Returns true if the UI must be redrawn, and resets the flag.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// Returns the active key tables, most specific first.
    pub(crate) fn keys(&self) -> Vec<&'static [KeyBinding]> {
        let mut tables = self.screens.get(self.tab).keys(&self.shared);
        tables.push(keys::EVERYWHERE);
        tables
    }

    /// Returns false if the action would have no effect in the current state.
    pub(crate) fn is_available(&self, action: Action) -> bool {
        is_available(self.screens.get(self.tab), &self.shared, action)
    }

    /// Returns the active key tables with their titles, for the help and the command palette.
    pub(crate) fn key_tables(&self) -> KeyTables {
        let screen = self.screens.get(self.tab);
        let mut own = screen.keys(&self.shared);
        own.retain(|table| !std::ptr::eq(*table, keys::MOVING));
        vec![(screen.name(), own), ("movement", vec![keys::MOVING]), ("everywhere", vec![keys::EVERYWHERE])]
    }
}
