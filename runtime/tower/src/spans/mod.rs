//! Spans and events of `tracing` as parts of requests: spans become calls of their request, events its lines, and queries of sqlx
//! its SQL calls.
//!
//! A span belongs to the request of its parent, on whichever thread it is. The root of a request is a span that the layer of requests
//! creates. Where a filter has disabled that span, the request that the current thread polls takes its place.

mod current;
mod fields;
mod layer;
mod query;

pub(crate) use current::{request_span, within};
pub use layer::{Spans, spans};
