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
    let call = SpanCall::new(node, kind, depth, root_service, masks);
    plain(&call.args, Some(call.summary))
}

/// A span as a call: its arguments, and a line for a person.
pub(super) struct SpanCall<'a> {
    pub(super) args: SpanArgs<'a>,
    pub(super) summary: String,
}

impl<'a> SpanCall<'a> {
    pub(super) fn new(
        node: SpanNode<'a>,
        kind: &str,
        depth: usize,
        root_service: &str,
        masks: &'a Masks,
    ) -> Self {
        let attributes = &node.span.attributes;
        let url =
            || attributes.text(&["url.full", "http.url"]).map(|url| masks.text(&UrlParts::of(url).full));
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
        Self { args: SpanArgs { node, depth, method, url, statement, masks }, summary }
    }
}

/// Returns the value, or why it is missing.
pub(super) fn plain(value: &impl Serialize, summary: Option<String>) -> Recorded {
    match Value::from_serialize(value) {
        Ok(value) => Recorded::Plain { value, summary },
        Err(_) => Recorded::Missing(MissingReason::TooLarge),
    }
}

/// Arguments of an effect.
pub(super) struct SpanArgs<'a> {
    node: SpanNode<'a>,
    depth: usize,
    method: Option<String>,
    url: Option<String>,
    statement: Option<String>,
    masks: &'a Masks,
}

impl Serialize for SpanArgs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { node, depth, method, url, statement, masks } = self;
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
        if node.is_live {
            // The summary shows it, and has to follow from the value.
            map.serialize_entry("depth", depth)?;
        } else {
            map.serialize_entry("service", &cut(node.service, MAX_LABEL))?;
            map.serialize_entry("span_id", &format!("{:016x}", node.span.span_id))?;
        }
        map.serialize_entry("attributes", &Masked { attributes: &node.span.attributes, masks })?;
        map.end()
    }
}

/// Returns the answer of the effect: the status of a reply, or an error.
pub(super) fn answer(node: SpanNode<'_>, kind: &str, masks: &Masks) -> Answer<Recorded> {
    end(node, kind, masks).map(|output| plain(&output, output.summary()))
}

/// Output of a call, as far as its span knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpanOutput {
    Nothing,
    /// Status of an HTTP response.
    Status(u16),
    /// Number of rows that a database returned or changed.
    Rows(i64),
}

impl SpanOutput {
    pub(super) fn summary(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Status(status) => Some(status.to_string()),
            Self::Rows(1) => Some("1 row".to_owned()),
            Self::Rows(rows) => Some(format!("{rows} rows")),
        }
    }
}

impl Serialize for SpanOutput {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Status(status) => serializer.collect_map([("status", status)]),
            Self::Rows(rows) => serializer.collect_map([("rows", rows)]),
        }
    }
}

/// Returns how the call of a span ended.
pub(super) fn end(node: SpanNode<'_>, kind: &str, masks: &Masks) -> Answer<SpanOutput> {
    let attributes = &node.span.attributes;
    if let Some(status) = http_status(attributes).filter(|_| kind == "http") {
        return Answer::Ok(SpanOutput::Status(status));
    }
    if attributes.text(&["zerver.effect.end"]) == Some("canceled") && node.is_own {
        return Answer::Canceled;
    }
    if node.span.status.code != StatusCode::Error {
        let rows = attributes.integer(&["db.response.returned_rows"]).filter(|_| kind == "sql");
        return Answer::Ok(rows.map_or(SpanOutput::Nothing, SpanOutput::Rows));
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
