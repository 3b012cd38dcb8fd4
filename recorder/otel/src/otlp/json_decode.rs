//! Decodes spans from OTLP/JSON, from untrusted sources and leniently: as one document, as a list of them, or as one per
//! line; with the names of fields in either notation; with numbers as texts and enums as names; with parts missing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::limits::{MAX_DEPTH, MAX_PARTS};
use super::{
    AttributeValue, Attributes, ResourceSpans, ScopeSpans, Span, SpanBatch, SpanEvent, SpanKind, Status,
    StatusCode,
};

/// Reason why a text contains no spans of OTLP/JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON.
    #[error("not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The text contains too many values.
    #[error("more than {MAX_PARTS} values")]
    TooMany,
    /// The text is JSON of another kind.
    #[error("the JSON contains no resourceSpans")]
    NoSpans,
}

/// Decodes a document, a list of documents, or documents one after another.
///
/// # Errors
/// If the text is not JSON, exceeds a limit, or has nothing that looks like OTLP.
pub fn decode_json(text: &[u8]) -> Result<SpanBatch, JsonError> {
    if value_count(text) > MAX_PARTS {
        return Err(JsonError::TooMany);
    }
    let (mut spans, mut is_otlp) = (SpanBatch::default(), false);
    for document in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
        match document.map_err(JsonError::NotJson)? {
            Value::Array(documents) => {
                // A list of nothing contains no spans, but is no mistake.
                is_otlp |= documents.is_empty();
                for document in &documents {
                    is_otlp |= add_document(document, &mut spans);
                }
            }
            document => is_otlp |= add_document(&document, &mut spans),
        }
    }
    if is_otlp { Ok(spans) } else { Err(JsonError::NoSpans) }
}

/// Returns an upper bound of the number of values in a text, so that a text cannot use up the memory when it is parsed.
fn value_count(text: &[u8]) -> usize {
    let (mut count, mut is_quoted, mut is_escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_quoted,
            b'"' => is_quoted = !is_quoted,
            b',' | b'[' | b'{' | b'\n' if !is_quoted => count += 1,
            _ => {}
        }
    }
    count
}

/// Adds the spans of a document: a batch, the spans of a service or of a library, or a single span. Returns false if it is
/// none of them.
fn add_document(document: &Value, into: &mut SpanBatch) -> bool {
    let Some(fields) = document.as_object().map(Fields) else { return false };
    // Tempo returns a trace under this name, and some collectors wrap batches.
    if let Some(inner) = fields.get(&["trace", "data", "tracesData"])
        && add_document(inner, into)
    {
        return true;
    }
    if let Some(list) = fields.list(&["resourceSpans", "resource_spans", "batches"]) {
        into.resources
            .extend(list.iter().filter_map(Value::as_object).map(|one| resource_spans(Fields(one))));
        return true;
    }
    if fields.list(SCOPE_SPANS).is_some() {
        into.resources.push(resource_spans(fields));
        return true;
    }
    if fields.list(&["spans"]).is_some() {
        into.resources.push(ResourceSpans { scopes: vec![scope_spans(fields)], ..ResourceSpans::default() });
        return true;
    }
    let is_span = fields.get(&["spanId", "span_id"]).is_some() && fields.get(&["name"]).is_some();
    if is_span {
        let scope = ScopeSpans { spans: vec![span(fields)], ..ScopeSpans::default() };
        into.resources.push(ResourceSpans { scopes: vec![scope], ..ResourceSpans::default() });
    }
    is_span
}

const SCOPE_SPANS: &[&str] =
    &["scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans"];

/// Fields of an object, each of which may have several names.
#[derive(Clone, Copy)]
struct Fields<'j>(&'j Map<String, Value>);

impl<'j> Fields<'j> {
    fn get(self, names: &[&str]) -> Option<&'j Value> {
        names.iter().find_map(|name| self.0.get(*name))
    }

    fn list(self, names: &[&str]) -> Option<&'j Vec<Value>> {
        self.get(names)?.as_array()
    }

    fn object(self, names: &[&str]) -> Option<Self> {
        self.get(names)?.as_object().map(Fields)
    }

    fn objects(self, names: &[&str]) -> impl Iterator<Item = Self> {
        self.list(names).into_iter().flatten().filter_map(Value::as_object).map(Fields)
    }

    fn text(self, names: &[&str]) -> String {
        self.get(names).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn number(self, names: &[&str]) -> u64 {
        self.get(names).and_then(unsigned).unwrap_or_default()
    }

    /// Returns an id of `N` bytes, in hexadecimal or, as Protocol Buffers write bytes in JSON, in base64.
    fn id<const N: usize>(self, names: &[&str]) -> [u8; N] {
        let text = self.get(names).and_then(Value::as_str).unwrap_or_default();
        let hexadecimal = || {
            let is_hex = text.len() == 2 * N && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
        };
        match hexadecimal() {
            Some(number) => number.to_be_bytes()[16 - N..].try_into().unwrap_or([0; N]),
            None => STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N]),
        }
    }

    fn attributes(self) -> Attributes {
        let mut all = Attributes::default();
        match self.get(&["attributes"]) {
            Some(Value::Array(list)) => all.0.extend(list.iter().filter_map(|one| key_value(one, 0))),
            // Some tools simplify attributes to an object.
            Some(Value::Object(object)) => {
                all.0.extend(object.iter().map(|(name, value)| (name.clone(), any_value(value, 0))));
            }
            _ => {}
        }
        all
    }
}

/// Returns a number that may be written as text, or with a fraction of 0.
fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_u64().or_else(|| {
            let float = number.as_f64().filter(|float| (0.0..1e19).contains(float))?;
            Some(float as u64)
        }),
        _ => None,
    }
}

fn resource_spans(fields: Fields<'_>) -> ResourceSpans {
    ResourceSpans {
        attributes: fields.object(&["resource"]).map(Fields::attributes).unwrap_or_default(),
        scopes: fields.objects(SCOPE_SPANS).map(scope_spans).collect(),
    }
}

fn scope_spans(fields: Fields<'_>) -> ScopeSpans {
    let scope = fields.object(&["scope", "instrumentationLibrary", "instrumentation_library"]);
    let text = |names: &[&str]| scope.map(|scope| scope.text(names)).unwrap_or_default();
    ScopeSpans {
        name: text(&["name"]),
        version: text(&["version"]),
        spans: fields.objects(&["spans"]).map(span).collect(),
    }
}

fn span(fields: Fields<'_>) -> Span {
    Span {
        trace_id: u128::from_be_bytes(fields.id(&["traceId", "trace_id"])),
        span_id: u64::from_be_bytes(fields.id(&["spanId", "span_id"])),
        trace_state: fields.text(&["traceState", "trace_state"]),
        parent_span_id: u64::from_be_bytes(fields.id(&["parentSpanId", "parent_span_id"])),
        flags: fields.number(&["flags"]) as u32,
        name: fields.text(&["name"]),
        kind: fields.get(&["kind"]).map_or(SpanKind::Unspecified, |value| {
            member(&SpanKind::ALL, value, |kind| kind.as_str(), "SPAN_KIND_")
        }),
        start_unix_ns: fields.number(&["startTimeUnixNano", "start_time_unix_nano"]),
        end_unix_ns: fields.number(&["endTimeUnixNano", "end_time_unix_nano"]),
        attributes: fields.attributes(),
        events: fields.objects(&["events"]).map(event).collect(),
        status: fields.object(&["status"]).map(status).unwrap_or_default(),
    }
}

fn event(fields: Fields<'_>) -> SpanEvent {
    SpanEvent {
        unix_ns: fields.number(&["timeUnixNano", "time_unix_nano"]),
        name: fields.text(&["name"]),
        attributes: fields.attributes(),
    }
}

fn status(fields: Fields<'_>) -> Status {
    let name = |code: &StatusCode| match code {
        StatusCode::Unset => "unset",
        StatusCode::Ok => "ok",
        StatusCode::Error => "error",
    };
    Status {
        code: fields
            .get(&["code"])
            .map_or(StatusCode::Unset, |value| member(&StatusCode::ALL, value, name, "STATUS_CODE_")),
        message: fields.text(&["message"]),
    }
}

/// Returns the member of an enum with this number or name; the first one, which states nothing, if there is none.
fn member<T: Copy>(all: &[T], value: &Value, name: impl Fn(&T) -> &'static str, prefix: &str) -> T {
    let text = value.as_str().unwrap_or_default();
    let word = text.strip_prefix(prefix).unwrap_or(text);
    let named = all.iter().find(|one| word.eq_ignore_ascii_case(name(one)));
    let numbered = || all.get(usize::try_from(unsigned(value)?).ok()?);
    named.or_else(numbered).copied().unwrap_or(all[0])
}

fn key_value(value: &Value, depth: usize) -> Option<(String, AttributeValue)> {
    let fields = Fields(value.as_object()?);
    let content = fields.get(&["value"]).map_or(AttributeValue::Empty, |value| any_value(value, depth));
    Some((fields.text(&["key"]), content))
}

fn any_value(value: &Value, depth: usize) -> AttributeValue {
    // The parser limits the depth of a text, too. This keeps the limit of both encodings the same.
    if depth >= MAX_DEPTH {
        return AttributeValue::Empty;
    }
    let object = match value {
        Value::Object(object) => Fields(object),
        // A value without its type.
        Value::Null => return AttributeValue::Empty,
        Value::Bool(is_true) => return AttributeValue::Bool(*is_true),
        Value::String(text) => return AttributeValue::Text(text.clone()),
        Value::Number(number) => {
            return number.as_i64().map_or_else(
                || AttributeValue::Float(number.as_f64().unwrap_or_default()),
                AttributeValue::Int,
            );
        }
        Value::Array(values) => {
            return AttributeValue::List(values.iter().map(|value| any_value(value, depth + 1)).collect());
        }
    };
    let values = |names: &[&str]| object.object(names).map(|inner| inner.list(&["values"]));
    if let Some(text) = object.get(&["stringValue", "string_value"]) {
        AttributeValue::Text(text.as_str().unwrap_or_default().to_owned())
    } else if let Some(is_true) = object.get(&["boolValue", "bool_value"]) {
        AttributeValue::Bool(is_true.as_bool().unwrap_or_default())
    } else if let Some(number) = object.get(&["intValue", "int_value"]) {
        let parsed = number.as_i64().or_else(|| number.as_str()?.parse().ok());
        parsed.map_or(AttributeValue::Empty, AttributeValue::Int)
    } else if let Some(number) = object.get(&["doubleValue", "double_value"]) {
        // Rust reads the texts of Protocol Buffers: NaN, Infinity, -Infinity.
        let parsed = number.as_f64().or_else(|| number.as_str()?.parse().ok());
        parsed.map_or(AttributeValue::Empty, AttributeValue::Float)
    } else if let Some(bytes) = object.get(&["bytesValue", "bytes_value"]) {
        AttributeValue::Bytes(STANDARD.decode(bytes.as_str().unwrap_or_default()).unwrap_or_default())
    } else if let Some(list) = values(&["arrayValue", "array_value"]) {
        AttributeValue::List(list.into_iter().flatten().map(|value| any_value(value, depth + 1)).collect())
    } else if let Some(list) = values(&["kvlistValue", "kvlist_value"]) {
        let entries = list.into_iter().flatten().filter_map(|value| key_value(value, depth + 1));
        AttributeValue::Map(Attributes(entries.collect()))
    } else {
        AttributeValue::Empty
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode(document: &Value) -> SpanBatch {
        decode_json(document.to_string().as_bytes()).unwrap()
    }

    fn first(spans: &SpanBatch) -> &Span {
        &spans.resources[0].scopes[0].spans[0]
    }

    #[test]
    fn each_usual_form_of_a_file_is_understood() {
        let one = json!({ "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "a" });
        let scope = json!({ "spans": [one] });
        let resource = json!({ "scopeSpans": [scope] });
        let batch = json!({ "resourceSpans": [resource] });
        let forms = [
            one.clone(),
            scope.clone(),
            resource.clone(),
            batch.clone(),
            json!([batch]),
            json!([one]),
            json!({ "batches": [resource] }),
            json!({ "trace": batch }),
            json!({ "resource_spans": [{ "scope_spans": [{ "spans": [{
                "trace_id": "CvdlGRbNQ92ESOshHIAxnA==",
                "span_id": "t61rcWkgMzE=", "name": "a" }] }] }] }),
        ];
        for form in forms {
            let spans = decode(&form);
            assert_eq!(spans.span_count(), 1, "{form}");
            let span = first(&spans);
            assert_eq!(span.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, "{form}");
            assert_eq!((span.span_id, span.name.as_str()), (0xb7ad_6b71_6920_3331, "a"), "{form}");
        }
        let lines = format!("{batch}\n{batch}\n\n");
        assert_eq!(decode_json(lines.as_bytes()).unwrap().span_count(), 2);
    }

    #[test]
    fn numbers_enums_and_attributes_may_be_written_in_several_ways() {
        let spans = decode(&json!({ "spans": [{
            "kind": "SPAN_KIND_CLIENT", "startTimeUnixNano": 17, "endTimeUnixNano": "18",
            "status": { "code": "STATUS_CODE_ERROR", "message": "no" },
            "attributes": [
                { "key": "a", "value": { "intValue": "-5" } },
                { "key": "b", "value": { "intValue": 5 } },
                { "key": "c", "value": { "doubleValue": "Infinity" } },
                { "key": "d", "value": { "arrayValue": { "values": [{ "boolValue": true }] } } },
                { "key": "e", "value": { "kvlistValue": { "values": [{ "key": "x", "value": {} }] } } },
                { "key": "f", "value": { "bytesValue": "AP8=" } },
                { "key": "g" },
            ],
        }] }));
        let span = first(&spans);
        assert_eq!((span.kind, span.start_unix_ns, span.end_unix_ns), (SpanKind::Client, 17, 18));
        assert_eq!(span.status, Status { code: StatusCode::Error, message: "no".into() });
        let values: Vec<_> = span.attributes.0.iter().map(|(_, value)| value.clone()).collect();
        let expected = [
            AttributeValue::Int(-5),
            AttributeValue::Int(5),
            AttributeValue::Float(f64::INFINITY),
            AttributeValue::List(vec![AttributeValue::Bool(true)]),
            AttributeValue::Map(Attributes(vec![("x".into(), AttributeValue::Empty)])),
            AttributeValue::Bytes(vec![0, 255]),
            AttributeValue::Empty,
        ];
        assert_eq!(values, expected);
        let spans = decode(&json!({ "spans": [{ "kind": 2, "attributes": { "a": 1.5, "b": ["x"] } }] }));
        assert_eq!(first(&spans).kind, SpanKind::Server);
        assert_eq!(first(&spans).attributes.get("a"), Some(&AttributeValue::Float(1.5)));
    }

    #[test]
    fn other_and_hostile_texts_are_errors() {
        let fails = |text: &str| decode_json(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(fails("{}"), "the JSON contains no resourceSpans");
        assert_eq!(fails("[1, 2]"), "the JSON contains no resourceSpans");
        assert_eq!(fails(""), "the JSON contains no resourceSpans");
        assert_eq!(fails("{\"resourceSpans\": ["), "not JSON");
        assert_eq!(fails(&"[".repeat(100_000)), "not JSON");
        assert_eq!(fails(&format!("[{}0]", "0,".repeat(MAX_PARTS))), format!("more than {MAX_PARTS} values"));
        assert_eq!(decode_json(b"[]").unwrap(), SpanBatch::default());
        let odd = json!({ "resourceSpans": [1, { "resource": 1, "scopeSpans": [{ "spans": [null, {
            "traceId": 7, "spanId": "zz", "name": [], "kind": {}, "startTimeUnixNano": "soon", "flags": -1,
            "attributes": [1, { "key": 1, "value": { "intValue": "x" } }], "events": {}, "status": [],
        }] }] }] });
        assert_eq!(first(&decode(&odd)).span_id, 0);
    }
}
