//! The event that sqlx emits after each query, as a span.

use std::fmt;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};
use zerver_otel::{LiveSpan, Span, SpanKind};

/// Target of the events.
const TARGET: &str = "sqlx::query";

/// Returns true for an event of a query.
pub(super) fn is_query(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET
}

/// A query that has ended.
pub(super) struct Query {
    pub(super) span: LiveSpan,
    pub(super) took: Duration,
}

impl Query {
    /// Reads an event. `depth` is the number of spans above it.
    pub(super) fn of(event: &Event<'_>, depth: usize) -> Self {
        let mut fields = QueryFields::default();
        event.record(&mut fields);
        let QueryFields { summary, statement, returned, affected, seconds } = fields;
        // sqlx leaves out a statement that is as short as its summary.
        let text = if statement.trim().is_empty() { &summary } else { statement.trim() };
        let mut span = Span { name: summary.clone(), kind: SpanKind::Client, ..Span::default() };
        span.attributes.add("db.system.name", "other_sql");
        span.attributes.add("db.query.text", text);
        span.attributes.add("db.response.returned_rows", if returned > 0 { returned } else { affected });
        let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Self { span: LiveSpan { span, depth }, took }
    }
}

#[derive(Default)]
struct QueryFields {
    summary: String,
    statement: String,
    returned: u64,
    affected: u64,
    seconds: f64,
}

impl Visit for QueryFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "rows_returned" => self.returned = value,
            "rows_affected" => self.affected = value,
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
