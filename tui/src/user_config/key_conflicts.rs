//! Keys that the user has given to two actions of one screen, or taken from one without which there is no way out.

use super::ConfigMistake;
use super::action_names::name;
use super::key_map::{KeyMap, UserKeys};
use super::key_names;
use crate::keys::{self, Action, KeyBinding, ctrl};
use crate::screen::{Tab, all_keys};

/// Returns the keys without those that cannot be, which become mistakes.
pub(super) fn checked(mut all: Vec<UserKeys>, mistakes: &mut Vec<ConfigMistake>) -> KeyMap {
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
    let mut map = KeyMap(all);
    // Each round removes an entry.
    while let Some((line, what)) = conflict(&map) {
        map.0.retain(|of| of.line != line);
        mistakes.push(ConfigMistake { line, what });
    }
    map
}

/// Returns the line of a key that means two things on a screen because of the file, and what is wrong with it.
fn conflict(map: &KeyMap) -> Option<(usize, String)> {
    for tab in Tab::ALL {
        let mut bindings = all_keys(tab);
        bindings.push(keys::EVERYWHERE);
        let bindings: Vec<&KeyBinding> = bindings.into_iter().flatten().collect();
        for (at, first) in bindings.iter().enumerate() {
            for second in &bindings[at + 1..] {
                if first.action == second.action {
                    continue;
                }
                let shared = map.presses(Some(tab), second);
                let press = map.presses(Some(tab), first).iter().find(|press| shared.contains(press));
                let Some(press) = press else { continue };
                let lines = [first.action, second.action].map(|action| line(map, tab, action));
                let Some(line) = lines.into_iter().flatten().max() else { continue };
                let (key, screen) = (key_names::written(*press), tab.name());
                let [first, second] = [first.action, second.action].map(name);
                return Some((line, format!("{key} is both {first} and {second} on the screen {screen}")));
            }
        }
    }
    None
}

/// Returns the line that gives an action its keys on a screen.
fn line(map: &KeyMap, tab: Tab, action: Action) -> Option<usize> {
    let mut own = map.0.iter().rev();
    own.find(|of| of.action == action && (of.tab.is_none() || of.tab == Some(tab))).map(|of| of.line)
}
