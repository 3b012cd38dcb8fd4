//! A file with everything as it is without one.

use std::fmt::Write as _;

use super::action_names::name;
use super::{key_names, style_names, style_text};
use crate::keys::{self, KeyBinding};
use crate::screen::{Tab, all_keys};
use crate::theme::{Appearance, Theme};

/// Column of the comments.
const COMMENTS: usize = 40;

pub(super) fn defaults(appearance: Appearance) -> String {
    let mut out = "# Keys and colors of `zerver tui` and `zerver dev`, as they are without this file.\n\
                   # Keep what you change. [] leaves an action without a key.\n\n\
                   theme = \"auto\"  # auto, dark, light, 16, mono, or the name of a file in the folder themes\n\n\
                   [colors]\n"
        .to_owned();
    let mut theme = Theme::new(appearance);
    for (name, of, what) in style_names::STYLES {
        line(&mut out, name, &quoted(&style_text::written(*of(&mut theme))), what);
    }
    out += "\n[keys]\n";
    let mut shared: Vec<&KeyBinding> = keys::EVERYWHERE.iter().chain(keys::MOVING).collect();
    shared.extend(keys::REQUEST);
    shared.iter().for_each(|binding| key(&mut out, binding));
    for tab in Tab::ALL {
        let _ = write!(out, "\n[keys.{}]\n", tab.name());
        let mut seen = Vec::new();
        for binding in all_keys(tab).into_iter().flatten() {
            let same = shared.iter().find(|of| of.action == binding.action);
            let is_shared = same.is_some_and(|same| same.presses == binding.presses);
            if !is_shared && !seen.contains(&binding.action) {
                seen.push(binding.action);
                key(&mut out, binding);
            }
        }
    }
    out
}

fn key(out: &mut String, binding: &KeyBinding) {
    let presses: Vec<String> =
        binding.presses.iter().map(|press| quoted(&key_names::written(*press))).collect();
    line(out, name(binding.action), &format!("[{}]", presses.join(", ")), binding.description);
}

fn line(out: &mut String, name: &str, value: &str, comment: &str) {
    let assigned = format!("{name} = {value}");
    let _ = writeln!(out, "{assigned:<COMMENTS$} # {comment}");
}

/// Returns a text in the quotes of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
