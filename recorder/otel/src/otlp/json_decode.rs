//! Decodes spans from OTLP/JSON, from untrusted sources and leniently: as one document, as a list of them, or as one per
//! line; with the names of fields in either notation; with numbers as texts and enums as names; with parts missing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::value::RawValue;

use super::json_fields::{Fields, each_entry, each_item, is_list, is_object};
use super::limits::{MAX_DEPTH, MemoryBudget, OverBudget};
use super::{
    AttributeValue, Attributes, ResourceSpans, ScopeSpans, Span, SpanBatch, SpanEvent, SpanKind, Status,
    StatusCode,
};

/// Reason why a text contains no spans of OTLP/JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON.
    #[error("not JSON")]
    NotJson(#[from] serde_json::Error),
    /// The text is small, and its spans would take a lot of memory.
    #[error(transparent)]
    TooLarge(#[from] OverBudget),
    /// The text is JSON of another kind.
    #[error("the JSON contains no resourceSpans")]
    NoSpans,
}

pub(super) type Decoded<T> = Result<T, JsonError>;

/// Decodes a document, a list of documents, or documents one after another.
///
/// # Errors
/// If the text is not JSON, exceeds a limit, or has nothing that looks like OTLP.
pub fn decode_json(text: &[u8]) -> Decoded<SpanBatch> {
    let mut decoder = JsonDecoder { budget: MemoryBudget::for_input(text.len()) };
    let (mut spans, mut is_otlp) = (SpanBatch::default(), false);
    for document in serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>() {
        let document = document?;
        if is_list(document) {
            let mut is_empty = true;
            each_item(document, |document| {
                is_empty = false;
                is_otlp |= decoder.document(document, &mut spans, 0)?;
                Ok(())
            })?;
            // A list of nothing contains no spans, but is no mistake.
            is_otlp |= is_empty;
        } else {
            is_otlp |= decoder.document(document, &mut spans, 0)?;
        }
    }
    if is_otlp { Ok(spans) } else { Err(JsonError::NoSpans) }
}

const RESOURCE_SPANS: &[&str] = &["resourceSpans", "resource_spans", "batches"];
const SCOPE_SPANS: &[&str] =
    &["scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans"];

/// Decodes one part of a text after another, so that only the spans are kept in memory, and never a tree of the JSON, which
/// takes 16 times as much memory as the text.
struct JsonDecoder {
    budget: MemoryBudget,
}

impl JsonDecoder {
    /// Adds the spans of a document: a batch, the spans of a service or of a library, or a single span. Returns false if it
    /// is none of them.
    fn document(&mut self, document: &RawValue, into: &mut SpanBatch, depth: usize) -> Decoded<bool> {
        if depth >= MAX_DEPTH || !is_object(document) {
            return Ok(false);
        }
        let fields = Fields::of(document)?;
        // Tempo returns a trace under this name, and some collectors wrap batches.
        if let Some(inner) = fields.get(&["trace", "data", "tracesData"])
            && self.document(inner, into, depth + 1)?
        {
            return Ok(true);
        }
        if fields.list(RESOURCE_SPANS).is_some() {
            fields.each_object(RESOURCE_SPANS, |fields| {
                let spans = self.resource_spans(&fields)?;
                Ok(self.budget.push(&mut into.resources, spans)?)
            })?;
            return Ok(true);
        }
        if fields.list(SCOPE_SPANS).is_some() {
            let spans = self.resource_spans(&fields)?;
            self.budget.push(&mut into.resources, spans)?;
            return Ok(true);
        }
        let scope = if fields.list(&["spans"]).is_some() {
            self.scope_spans(&fields)?
        } else if fields.get(&["spanId", "span_id"]).is_some() && fields.get(&["name"]).is_some() {
            ScopeSpans { spans: vec![self.span(&fields)?], ..ScopeSpans::default() }
        } else {
            return Ok(false);
        };
        let resource = ResourceSpans { scopes: vec![scope], ..ResourceSpans::default() };
        self.budget.push(&mut into.resources, resource)?;
        Ok(true)
    }

    fn resource_spans(&mut self, fields: &Fields<'_>) -> Decoded<ResourceSpans> {
        let mut spans = ResourceSpans::default();
        if let Some(resource) = fields.object(&["resource"])? {
            spans.attributes = self.attributes(&resource)?;
        }
        fields.each_object(SCOPE_SPANS, |fields| {
            let scope = self.scope_spans(&fields)?;
            Ok(self.budget.push(&mut spans.scopes, scope)?)
        })?;
        Ok(spans)
    }

    fn scope_spans(&mut self, fields: &Fields<'_>) -> Decoded<ScopeSpans> {
        let mut spans = ScopeSpans::default();
        if let Some(scope) = fields.object(&["scope", "instrumentationLibrary", "instrumentation_library"])? {
            spans.name = self.text(&scope, &["name"])?;
            spans.version = self.text(&scope, &["version"])?;
        }
        fields.each_object(&["spans"], |fields| {
            let span = self.span(&fields)?;
            Ok(self.budget.push(&mut spans.spans, span)?)
        })?;
        Ok(spans)
    }

    fn span(&mut self, fields: &Fields<'_>) -> Decoded<Span> {
        let mut events = Vec::new();
        fields.each_object(&["events"], |fields| {
            let event = self.event(&fields)?;
            Ok(self.budget.push(&mut events, event)?)
        })?;
        Ok(Span {
            trace_id: u128::from_be_bytes(id(fields, &["traceId", "trace_id"])?),
            span_id: u64::from_be_bytes(id(fields, &["spanId", "span_id"])?),
            trace_state: self.text(fields, &["traceState", "trace_state"])?,
            parent_span_id: u64::from_be_bytes(id(fields, &["parentSpanId", "parent_span_id"])?),
            flags: number(fields, &["flags"])? as u32,
            name: self.text(fields, &["name"])?,
            kind: member(fields, &["kind"], &SpanKind::ALL, |kind| kind.as_str(), "SPAN_KIND_")?,
            start_unix_ns: number(fields, &["startTimeUnixNano", "start_time_unix_nano"])?,
            end_unix_ns: number(fields, &["endTimeUnixNano", "end_time_unix_nano"])?,
            attributes: self.attributes(fields)?,
            events,
            status: match fields.object(&["status"])? {
                Some(status) => self.status(&status)?,
                None => Status::default(),
            },
        })
    }

    fn event(&mut self, fields: &Fields<'_>) -> Decoded<SpanEvent> {
        Ok(SpanEvent {
            unix_ns: number(fields, &["timeUnixNano", "time_unix_nano"])?,
            name: self.text(fields, &["name"])?,
            attributes: self.attributes(fields)?,
        })
    }

    fn status(&mut self, fields: &Fields<'_>) -> Decoded<Status> {
        let name = |code: &StatusCode| match code {
            StatusCode::Unset => "unset",
            StatusCode::Ok => "ok",
            StatusCode::Error => "error",
        };
        Ok(Status {
            code: member(fields, &["code"], &StatusCode::ALL, name, "STATUS_CODE_")?,
            message: self.text(fields, &["message"])?,
        })
    }

    fn attributes(&mut self, fields: &Fields<'_>) -> Decoded<Attributes> {
        let mut all = Attributes::default();
        match fields.get(&["attributes"]) {
            Some(list) if is_list(list) => {
                each_item(list, |item| self.key_value(item, &mut all, 0))?;
            }
            // Some tools simplify attributes to an object.
            Some(object) if is_object(object) => each_entry(object, |name, value| {
                self.budget.take(name.len())?;
                let value = self.any_value(value, 0)?;
                Ok(self.budget.push(&mut all.0, (name.into_owned(), value))?)
            })?,
            _ => {}
        }
        Ok(all)
    }

    fn key_value(&mut self, item: &RawValue, into: &mut Attributes, depth: usize) -> Decoded<()> {
        if !is_object(item) {
            return Ok(());
        }
        let fields = Fields::of(item)?;
        let content = match fields.get(&["value"]) {
            Some(value) => self.any_value(value, depth)?,
            None => AttributeValue::Empty,
        };
        let name = self.text(&fields, &["key"])?;
        Ok(self.budget.push(&mut into.0, (name, content))?)
    }

    fn any_value(&mut self, value: &RawValue, depth: usize) -> Decoded<AttributeValue> {
        if depth >= MAX_DEPTH {
            return Ok(AttributeValue::Empty);
        }
        if is_list(value) {
            return self.list(value, depth);
        }
        if !is_object(value) {
            // A value without its type.
            return self.untyped(value);
        }
        let fields = Fields::of(value)?;
        let values = |names: &[&str]| match fields.object(names)? {
            Some(inner) => Decoded::Ok(Some(inner.list(&["values"]))),
            None => Ok(None),
        };
        Ok(if fields.get(&["stringValue", "string_value"]).is_some() {
            AttributeValue::Text(self.text(&fields, &["stringValue", "string_value"])?)
        } else if let Some(is_true) = fields.leaf(&["boolValue", "bool_value"])? {
            AttributeValue::Bool(is_true.as_bool().unwrap_or_default())
        } else if let Some(number) = fields.leaf(&["intValue", "int_value"])? {
            let parsed = number.as_i64().or_else(|| number.as_str()?.parse().ok());
            parsed.map_or(AttributeValue::Empty, AttributeValue::Int)
        } else if let Some(number) = fields.leaf(&["doubleValue", "double_value"])? {
            // Rust reads the texts of Protocol Buffers: NaN, Infinity, -Infinity.
            let parsed = number.as_f64().or_else(|| number.as_str()?.parse().ok());
            parsed.map_or(AttributeValue::Empty, AttributeValue::Float)
        } else if fields.get(&["bytesValue", "bytes_value"]).is_some() {
            let text = self.text(&fields, &["bytesValue", "bytes_value"])?;
            AttributeValue::Bytes(STANDARD.decode(text).unwrap_or_default())
        } else if let Some(list) = values(&["arrayValue", "array_value"])? {
            list.map_or(Ok(AttributeValue::List(Vec::new())), |list| self.list(list, depth))?
        } else if let Some(list) = values(&["kvlistValue", "kvlist_value"])? {
            let mut entries = Attributes::default();
            if let Some(list) = list {
                each_item(list, |item| self.key_value(item, &mut entries, depth + 1))?;
            }
            AttributeValue::Map(entries)
        } else {
            AttributeValue::Empty
        })
    }

    fn list(&mut self, list: &RawValue, depth: usize) -> Decoded<AttributeValue> {
        let mut values = Vec::new();
        each_item(list, |item| {
            let value = self.any_value(item, depth + 1)?;
            Ok(self.budget.push(&mut values, value)?)
        })?;
        Ok(AttributeValue::List(values))
    }

    fn untyped(&mut self, value: &RawValue) -> Decoded<AttributeValue> {
        self.budget.take(value.get().len())?;
        Ok(match serde_json::from_str(value.get())? {
            Value::Bool(is_true) => AttributeValue::Bool(is_true),
            Value::String(text) => AttributeValue::Text(text),
            Value::Number(number) => number.as_i64().map_or_else(
                || AttributeValue::Float(number.as_f64().unwrap_or_default()),
                AttributeValue::Int,
            ),
            _ => AttributeValue::Empty,
        })
    }

    fn text(&mut self, fields: &Fields<'_>, names: &[&str]) -> Decoded<String> {
        match fields.leaf(names)? {
            Some(Value::String(text)) => {
                self.budget.take(text.len())?;
                Ok(text)
            }
            _ => Ok(String::new()),
        }
    }
}

fn number(fields: &Fields<'_>, names: &[&str]) -> Decoded<u64> {
    Ok(fields.leaf(names)?.as_ref().and_then(unsigned).unwrap_or_default())
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

/// Returns an id of `N` bytes, in hexadecimal or, as Protocol Buffers write bytes in JSON, in base64.
fn id<const N: usize>(fields: &Fields<'_>, names: &[&str]) -> Decoded<[u8; N]> {
    let value = fields.leaf(names)?;
    let text = value.as_ref().and_then(Value::as_str).unwrap_or_default();
    let hexadecimal = || {
        let is_hex = text.len() == 2 * N && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
    };
    Ok(match hexadecimal() {
        Some(number) => number.to_be_bytes()[16 - N..].try_into().unwrap_or([0; N]),
        None => STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N]),
    })
}

/// Returns the member of an enum with this number or name; the first one, which states nothing, if there is none.
fn member<T: Copy>(
    fields: &Fields<'_>,
    names: &[&str],
    all: &[T],
    name: impl Fn(&T) -> &'static str,
    prefix: &str,
) -> Decoded<T> {
    let Some(value) = fields.leaf(names)? else { return Ok(all[0]) };
    let text = value.as_str().unwrap_or_default();
    let word = text.strip_prefix(prefix).unwrap_or(text);
    let named = all.iter().find(|one| word.eq_ignore_ascii_case(name(one)));
    let numbered = || all.get(usize::try_from(unsigned(&value)?).ok()?);
    Ok(named.or_else(numbered).copied().unwrap_or(all[0]))
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
        assert_eq!(fails("{\"name\": \"a\", \"spanId\": \"\\ud800\"}"), "not JSON");
        assert_eq!(decode_json(b"[]").unwrap(), SpanBatch::default());
        let odd = json!({ "resourceSpans": [1, { "resource": 1, "scopeSpans": [{ "spans": [null, {
            "traceId": 7, "spanId": "zz", "name": [], "kind": {}, "startTimeUnixNano": "soon", "flags": -1,
            "attributes": [1, { "key": 1, "value": { "intValue": "x" } }], "events": {}, "status": [],
        }] }] }] });
        assert_eq!(first(&decode(&odd)).span_id, 0);
    }

    #[test]
    fn a_small_text_does_not_take_much_memory() {
        let fails = |text: String| decode_json(text.as_bytes()).unwrap_err().to_string();
        let too_large = "its spans would take more memory than 4 MiB and 6 times its size";
        let many = |part: &str| format!("{}{}", format!("{part},").repeat(300_000), part);
        let values = json!({ "spanId": "1", "name": "a", "attributes": { "list": ["VALUES"] } }).to_string();
        assert_eq!(fails(values.replace("\"VALUES\"", &many("0"))), too_large);
        assert_eq!(fails(format!("{{\"spans\":[{}]}}", many("{}"))), too_large);
        assert_eq!(fails(format!("{{\"resourceSpans\":[{}]}}", many("{}"))), too_large);
        // Whatever is not a span takes nothing.
        assert_eq!(fails(format!("[{}]", many("0"))), "the JSON contains no resourceSpans");
        assert_eq!(decode_json(format!("{{\"spans\":[{}]}}", many("0")).as_bytes()).unwrap().span_count(), 0);
        let deep = |open: &str, close: &str| format!("{}0{}", open.repeat(20_000), close.repeat(20_000));
        assert_eq!(fails(deep("[", "]")), "the JSON contains no resourceSpans");
        assert_eq!(fails(deep("{\"trace\":", "}")), "the JSON contains no resourceSpans");
        let value = deep("{\"arrayValue\":{\"values\":[", "]}}");
        let span = format!(
            "{{\"spanId\":\"1\",\"name\":\"a\",\"attributes\":[{{\"key\":\"k\",\"value\":{value}}}]}}"
        );
        assert_eq!(decode_json(span.as_bytes()).unwrap().span_count(), 1);
    }
}
