//! Overlays: the help, the command palette and the sources of a value. An open overlay receives all keys.

mod command_palette;
mod help;
mod open_overlay;
mod outcome;
mod value_sources;

pub(crate) use command_palette::CommandPalette;
pub(crate) use help::Help;
pub(crate) use open_overlay::Overlay;
pub(crate) use outcome::{KeyTables, OverlayOutcome};
pub(crate) use value_sources::ValueSources;
