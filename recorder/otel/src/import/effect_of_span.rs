//! A span below a request as an effect: its kind, its arguments, and its answer.

use serde::ser::{Serialize, SerializeMap, Serializer};
use zerver_trace::{Answer, EffectError, EffectErrorKind, MissingReason, Recorded, Value};

use super::attribute_masks::{Masked, Masks, cut};
use super::span_tree::SpanNode;
use crate::export::UrlParts;
use crate::otlp::{Attributes, SpanKind, StatusCode};

/// Maximum length of a label, in characters.
const MAX_LABEL: usize = 200;
/// Maximum depth that a label shows.
const MAX_INDENT: usize = 12;
/// Systems that speak SQL, by the names that conventions have given them.
const SQL_SYSTEMS: [&str; 17] = [
    "other_sql",
    "postgresql",
    "mysql",
    "mariadb",
    "sqlite",
    "microsoft.sql_server",
    "mssql",
    "oracle.db",
    "oracle",
    "cockroachdb",
    "ibm.db2",
    "db2",
    "clickhouse",
    "trino",
    "gcp.spanner",
    "spanner",
    "sap.hana",
];

/// Returns the kind of effect that a span is shown as.
pub(super) fn kind(node: SpanNode<'_>) -> String {
    let attributes = &node.span.attributes;
    if node.is_own
        && let Some(kind) = attributes.text(&["zerver.effect.kind"])
    {
        return cut(kind, 64);
    }
    let is_call = matches!(node.span.kind, SpanKind::Client | SpanKind::Unspecified);
    let system = attributes.text(&["db.system.name", "db.system"]);
    match system {
        Some(system) if SQL_SYSTEMS.contains(&system) => "sql".to_owned(),
        Some(system) => cut(system, 64),
        None if is_call && http_method(attributes).is_some() => "http".to_owned(),
        None if attributes.text(&["rpc.system", "rpc.system.name"]).is_some() && is_call => "rpc".to_owned(),
        None if node.span.kind == SpanKind::Unspecified => "span".to_owned(),
        None => node.span.kind.as_str().to_owned(),
    }
}

pub(super) fn http_method(attributes: &Attributes) -> Option<&str> {
    attributes.text(&["http.request.method_original", "http.request.method", "http.method"])
}

pub(super) fn http_status(attributes: &Attributes) -> Option<u16> {
    let status = attributes.integer(&["http.response.status_code", "http.status_code"])?;
    u16::try_from(status).ok().filter(|status| (100..=599).contains(status))
}

/// Returns the arguments of the effect. They have the recorded form of `http` and `sql` effects as far as the span knows it,
/// so that everything that looks into those works.
pub(super) fn args(
    node: SpanNode<'_>,
    kind: &str,
    depth: usize,
    root_service: &str,
    masks: &Masks,
) -> Recorded {
    let attributes = &node.span.attributes;
    let url = || attributes.text(&["url.full", "http.url"]).map(|url| masks.text(&UrlParts::of(url).full));
    let statement = || attributes.text(&["db.query.text", "db.statement"]).map(|text| masks.text(text));
    let (method, url, statement) = match kind {
        "http" => (http_method(attributes).map(|method| cut(method, 32)), url(), None),
        "sql" => (None, None, statement()),
        _ => (None, None, None),
    };
    let own = attributes.text(&["zerver.effect.summary"]).filter(|_| node.is_own);
    let what = match (&method, &url, &statement) {
        _ if own.is_some() => masks.text(own.unwrap_or_default()),
        (Some(method), Some(url), _) => {
            let UrlParts { host, port, path, .. } = UrlParts::of(url);
            let port = port
                .filter(|port| !matches!(port, 80 | 443))
                .map_or(String::new(), |port| format!(":{port}"));
            format!("{method} {host}{port}{path}")
        }
        (_, _, Some(statement)) => statement.split_whitespace().collect::<Vec<_>>().join(" "),
        _ if node.span.name.is_empty() => "(unnamed)".to_owned(),
        _ => masks.text(&node.span.name),
    };
    let service =
        if node.service == root_service { String::new() } else { format!("{}: ", cut(node.service, 40)) };
    let indent = "· ".repeat(depth.saturating_sub(1).min(MAX_INDENT));
    let summary = cut(&format!("{indent}{service}{what}"), MAX_LABEL);
    let args = SpanArgs { node, method, url, statement, masks };
    plain(&args, Some(summary))
}

/// Returns the value, or why it is missing.
pub(super) fn plain(value: &impl Serialize, summary: Option<String>) -> Recorded {
    match Value::from_serialize(value) {
        Ok(value) => Recorded::Plain { value, summary },
        Err(_) => Recorded::Missing(MissingReason::TooLarge),
    }
}

/// Arguments of an effect.
struct SpanArgs<'a> {
    node: SpanNode<'a>,
    method: Option<String>,
    url: Option<String>,
    statement: Option<String>,
    masks: &'a Masks,
}

impl Serialize for SpanArgs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { node, method, url, statement, masks } = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(method) = method {
            map.serialize_entry("method", method)?;
        }
        if let Some(url) = url {
            map.serialize_entry("url", url)?;
        }
        if let Some(text) = statement {
            map.serialize_entry("statements", &[std::collections::BTreeMap::from([("text", text)])])?;
        }
        map.serialize_entry("span", &masks.text(&node.span.name))?;
        map.serialize_entry("kind", node.span.kind.as_str())?;
        map.serialize_entry("service", &cut(node.service, MAX_LABEL))?;
        map.serialize_entry("span_id", &format!("{:016x}", node.span.span_id))?;
        map.serialize_entry("attributes", &Masked { attributes: &node.span.attributes, masks })?;
        map.end()
    }
}

/// Returns the answer of the effect: the status of a reply, or an error.
pub(super) fn answer(node: SpanNode<'_>, kind: &str, masks: &Masks) -> Answer<Recorded> {
    let attributes = &node.span.attributes;
    if let Some(status) = http_status(attributes).filter(|_| kind == "http") {
        let reply = std::collections::BTreeMap::from([("status", status)]);
        return Answer::Ok(plain(&reply, Some(status.to_string())));
    }
    if attributes.text(&["zerver.effect.end"]) == Some("canceled") && node.is_own {
        return Answer::Canceled;
    }
    if node.span.status.code != StatusCode::Error {
        return Answer::Ok(plain(&(), None));
    }
    let error = attributes.text(&["error.type", "exception.type"]).unwrap_or_default();
    let named = EffectErrorKind::ALL.into_iter().find(|kind| kind.as_str() == error);
    let exception = node.span.events.iter().find(|event| event.name == "exception");
    let text = exception.and_then(|event| event.attributes.text(&["exception.message", "exception.type"]));
    let message = match node.span.status.message.as_str() {
        "" => text.unwrap_or(error),
        message => message,
    };
    let message = cut(&masks.text(message), 1_000);
    Answer::Err(EffectError::new(named.unwrap_or(EffectErrorKind::Failed), message))
}
