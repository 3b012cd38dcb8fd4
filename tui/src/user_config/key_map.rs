//! Keys that the user has given to actions, on all screens or on one. Without any, this costs a look at an empty list.

use crate::keys::{self, Action, KeyBinding, KeyPress, ctrl};
use crate::screen::Tab;

/// The user's keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyMap(pub(super) Vec<UserKeys>);

/// Keys of one action.
#[derive(Debug, Clone)]
pub(super) struct UserKeys {
    /// Screen on which they apply; `None` for all.
    pub(super) tab: Option<Tab>,
    pub(super) action: Action,
    pub(super) presses: Vec<KeyPress>,
    /// Line of the file, from 1.
    pub(super) line: usize,
}

impl KeyMap {
    /// Returns the keys of a binding on a screen.
    pub(crate) fn presses<'k>(&'k self, tab: Option<Tab>, binding: &'k KeyBinding) -> &'k [KeyPress] {
        let of_screen = |of: &&UserKeys| of.action == binding.action && tab.is_some() && of.tab == tab;
        let everywhere = |of: &&UserKeys| of.action == binding.action && of.tab.is_none();
        let own = self.0.iter().rev().find(of_screen).or_else(|| self.0.iter().rev().find(everywhere));
        own.map_or(binding.presses, |of| &of.presses)
    }

    /// Returns the action of the first matching binding.
    pub(crate) fn find(
        &self,
        tab: Option<Tab>,
        tables: &[&'static [KeyBinding]],
        press: KeyPress,
    ) -> Option<Action> {
        if self.0.is_empty() {
            return keys::find(tables, press);
        }
        if press == ctrl('c') {
            return Some(Action::Quit);
        }
        let mut bindings = tables.iter().flat_map(|table| table.iter());
        bindings.find(|binding| self.presses(tab, binding).contains(&press)).map(|binding| binding.action)
    }

    /// Returns the name of the first key of an action on a screen with these tables; its description if it has no key.
    pub(crate) fn name_of(&self, tab: Tab, tables: &[&'static [KeyBinding]], action: Action) -> String {
        let mut bindings = tables.iter().flat_map(|table| table.iter());
        let Some(binding) = bindings.find(|binding| binding.action == action) else { return String::new() };
        let press = self.presses(Some(tab), binding).first();
        press.map_or_else(|| format!("{:?}", binding.description), |press| press.name())
    }
}
