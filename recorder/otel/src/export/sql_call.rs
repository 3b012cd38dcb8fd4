//! Attributes of an attempt of an effect of kind `sql`, as far as its recorded form shows them.

use zerver_analysis::{Attempt, Effect, EffectEnd};
use zerver_trace::{Node, Value};

use super::span_context::ExportOptions;
use super::sql_summary;
use crate::otlp::{Span, SpanKind, Status, StatusCode};

/// Adds the conventions for clients of databases.
pub(super) fn describe(effect: &Effect, attempt: &Attempt, options: &ExportOptions, span: &mut Span) {
    span.kind = SpanKind::Client;
    // A recording names the database by its role in the service, and not the driver.
    span.attributes.add("db.system.name", "other_sql");
    if let Some(args) = effect.args.value().map(Value::root) {
        describe_statements(&args, options, span);
    }
    let EffectEnd::Ok { output, .. } = &attempt.end else { return };
    let Some(reply) = output.value().map(Value::root) else { return };
    let error = reply.field("error").filter(|error| !matches!(error, Node::None));
    if let Some(error) = error {
        let text = |name: &str| error.field(name).and_then(Node::as_str).unwrap_or_default().to_owned();
        let code = text("sqlstate");
        span.attributes.add_text("db.response.status_code", code.as_str());
        span.attributes.add("error.type", if code.is_empty() { "_OTHER".to_owned() } else { code });
        span.status = Status { code: StatusCode::Error, message: text("message") };
    } else if let Some(rows) = returned_rows(&reply) {
        span.attributes.add("db.response.returned_rows", rows);
    }
}

fn describe_statements(args: &Node<'_>, options: &ExportOptions, span: &mut Span) {
    let database = args.field("database").and_then(Node::as_str);
    span.attributes.add_some("zerver.database", database);
    let Some(Node::Seq(statements)) = args.field("statements") else { return };
    let texts = || statements.iter().filter_map(|statement| statement.field("text")?.as_str());
    let summaries: Vec<_> = texts().map(sql_summary::summary).filter(|one| !one.is_empty()).collect();
    let summary = cut(&summaries.join("; "));
    span.attributes.add_text("db.query.text", texts().collect::<Vec<_>>().join("; "));
    span.attributes.add_text("db.query.summary", summary.as_str());
    if statements.len() > 1 {
        span.attributes.add("db.operation.batch.size", statements.len() as u64);
    }
    if !summary.is_empty() {
        span.name = summary;
    }
    if options.with_values {
        let params = statements.iter().filter_map(|statement| match statement.field("params") {
            Some(Node::Seq(params)) => Some(params),
            _ => None,
        });
        // The number of a parameter starts again with each statement.
        for (at, param) in params.flatten().enumerate() {
            span.attributes.add(format!("db.query.parameter.{at}"), param.to_string());
        }
    }
}

/// Returns the number of rows of a single statement that returns rows.
fn returned_rows(reply: &Node<'_>) -> Option<u64> {
    let results = match reply.field("results")? {
        Node::Seq(results) => results,
        Node::Some(inner) => match &**inner {
            Node::Seq(results) => results,
            _ => return None,
        },
        _ => return None,
    };
    let [result] = results.as_slice() else { return None };
    match result.field("rows") {
        Some(Node::Seq(rows)) => Some(rows.len() as u64),
        _ => None,
    }
}

/// Cuts a summary at 255 characters, as the conventions ask.
fn cut(summary: &str) -> String {
    summary.chars().take(255).collect()
}
