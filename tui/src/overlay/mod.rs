//! What lies over a screen for a while, and has all keys: the help and the palette.

mod command_palette;
mod help;
mod open_overlay;
mod outcome;

pub(crate) use command_palette::CommandPalette;
pub(crate) use help::Help;
pub(crate) use open_overlay::Overlay;
pub(crate) use outcome::{KeyTables, OverlayOutcome};
