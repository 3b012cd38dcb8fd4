//! Keys that the user has given to actions, on all screens or on one. Without any, this costs a look at an empty list.

use super::action_names::name;
use super::{ConfigMistake, key_names};
use crate::keys::{self, Action, KeyBinding, KeyPress, ctrl};
use crate::screen::{Tab, all_keys};

/// The user's keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyMap(Vec<UserKeys>);

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
    /// Creates a map without keys that would mean two things, or without which there is no way out.
    pub(super) fn new(mut all: Vec<UserKeys>, mistakes: &mut Vec<ConfigMistake>) -> Self {
        all.retain(|of| {
            let wrong = match of.action {
                Action::Quit if of.presses.is_empty() => Some("quit needs a key"),
                Action::Back if of.presses.is_empty() => Some("back needs a key"),
                Action::Help if of.presses.is_empty() => Some("help needs a key"),
                action if action != Action::Quit && of.presses.contains(&ctrl('c')) => {
                    Some("ctrl-c always quits")
                }
                _ => None,
            };
            mistakes.extend(wrong.map(|what| ConfigMistake { line: of.line, what: what.to_owned() }));
            wrong.is_none()
        });
        let mut map = Self(all);
        // Each round removes an entry.
        while let Some((line, what)) = map.conflict() {
            map.0.retain(|of| of.line != line);
            mistakes.push(ConfigMistake { line, what });
        }
        map
    }

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

    /// Returns the name of the first key of an action on a screen; its description if it has no key.
    pub(crate) fn name_of(&self, tab: Tab, action: Action) -> String {
        let mut bindings = all_keys(tab).into_iter().chain([keys::EVERYWHERE]).flatten();
        let Some(binding) = bindings.find(|binding| binding.action == action) else { return String::new() };
        let press = self.presses(Some(tab), binding).first();
        press.map_or_else(|| format!("{:?}", binding.description), |press| press.name())
    }

    /// Returns the line of a key that means two things on a screen because of the file, and what is wrong with it.
    fn conflict(&self) -> Option<(usize, String)> {
        for tab in Tab::ALL {
            let mut bindings = all_keys(tab);
            bindings.push(keys::EVERYWHERE);
            let bindings: Vec<&KeyBinding> = bindings.into_iter().flatten().collect();
            for (at, first) in bindings.iter().enumerate() {
                for second in &bindings[at + 1..] {
                    if first.action == second.action {
                        continue;
                    }
                    let shared = self.presses(Some(tab), second);
                    let press = self.presses(Some(tab), first).iter().find(|press| shared.contains(press));
                    let Some(press) = press else { continue };
                    let lines = [first.action, second.action].map(|action| self.line(tab, action));
                    let Some(line) = lines.into_iter().flatten().max() else { continue };
                    let (key, screen) = (key_names::written(*press), tab.name());
                    let [first, second] = [first.action, second.action].map(name);
                    return Some((
                        line,
                        format!("{key} is both {first} and {second} on the screen {screen}"),
                    ));
                }
            }
        }
        None
    }

    fn line(&self, tab: Tab, action: Action) -> Option<usize> {
        let mut own = self.0.iter().rev();
        own.find(|of| of.action == action && (of.tab.is_none() || of.tab == Some(tab))).map(|of| of.line)
    }
}
