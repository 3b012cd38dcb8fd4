//! The replay of a request: a form with everything that can be edited, and the report in place.

mod form;
mod report;

pub(crate) use form::{FieldKind, FormField, ReplayForm, replay_form};
