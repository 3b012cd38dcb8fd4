//! Overlays: the help and the command palette. An open overlay receives all keys.

mod command_palette;
mod help;
mod open_overlay;
mod outcome;

pub(crate) use command_palette::CommandPalette;
pub(crate) use help::Help;
pub(crate) use open_overlay::Overlay;
pub(crate) use outcome::{KeyTables, OverlayOutcome};
