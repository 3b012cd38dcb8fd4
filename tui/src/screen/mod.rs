//! The screens, a folder each: its state, its rows of the table of keys, and how it is drawn.
//!
//! To add one: a folder here, a [`Tab`], a field of [`Screens`].

mod diff;
mod flows;
mod interface;
mod replay;
mod requests;
mod tabs;
mod timeline;

pub(crate) use tabs::{Screens, Tab};
