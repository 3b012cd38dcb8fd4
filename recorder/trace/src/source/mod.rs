//! Sources of traces, and the queries they answer.

mod query;
mod selector;
mod trace_source;
mod trace_view;

pub use query::{Query, SlotCondition, StatusFilter};
pub use selector::TraceSelector;
pub use trace_source::{Cursor, SourceError, TraceSource};
pub use trace_view::{EventSubject, PlacedValue, Tally, TraceView, ValuePlace, test_subjects};
