//! Sources of traces, and the queries they answer.

mod query;
mod selector;
mod trace_source;

pub use query::{Query, StatusFilter};
pub use selector::TraceSelector;
pub use trace_source::{Cursor, SourceError, TraceSource};
