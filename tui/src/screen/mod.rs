//! The screens, a folder each: state, layout, view, and handling of keys and messages.
//!
//! To add a screen: a folder here, a [`Tab`], and a field of [`Screens`].

mod diff;
mod flows;
mod interface;
mod replay;
mod requests;
mod tab;
mod tabs;
mod timeline;

pub(crate) use interface::{Screen, is_available};
pub(crate) use tab::Tab;
pub(crate) use tabs::{Screens, all_keys};
