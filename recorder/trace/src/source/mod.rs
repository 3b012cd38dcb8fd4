//! Sources of traces, and the queries they answer.

mod trace_source;

pub use trace_source::{Cursor, Query, SourceError, StatusFilter, TraceSelector, TraceSource};
