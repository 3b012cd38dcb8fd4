//! Turns captures into stored traces: describes values, each distinct one once as long as it keeps occurring, and hides secrets.

pub(crate) mod describer;
mod event_parts;
mod known_parts;
mod message_parts;
mod part;
mod part_content;
mod part_secrets;
mod part_table;
mod value_interner;
