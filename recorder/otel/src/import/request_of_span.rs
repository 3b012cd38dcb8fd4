//! The parts of a request that the span at the root of a tree knows.

use zerver_trace::{
    FailureInfo, FailureKind, FlowInfo, MissingReason, Origin, Outcome, Recorded, RecordedBody, RequestId,
    Value,
};

use super::attribute_masks::{Masks, cut};
use super::effect_of_span::{http_method, http_status};
use super::span_tree::SpanNode;
use crate::export::UrlParts;
use crate::otlp::{SpanKind, StatusCode};

/// Maximum length of names and paths, in characters.
const MAX_NAME: usize = 1_000;

/// Returns a value that spans do not contain.
pub(super) fn unknown() -> Recorded {
    Recorded::Missing(MissingReason::NotImported)
}

/// Returns a body that spans do not contain.
pub(super) fn unknown_body() -> RecordedBody {
    RecordedBody { full_len: 0, kept_len: 0, bytes: unknown() }
}

/// Returns the id of the request: its own one if zerver has exported the span, and else one that follows from the ids of the
/// span and sorts by time, as all do.
pub(super) fn id(node: SpanNode<'_>) -> RequestId {
    let span = node.span;
    let own = span.attributes.text(&["zerver.request_id"]).filter(|_| node.is_own);
    if let Some(bits) = own.and_then(|text| u128::from_str_radix(&text.replace('-', ""), 16).ok()) {
        return RequestId::from_u128(bits);
    }
    let mut hash = Fnv::default();
    hash.add(&span.trace_id.to_be_bytes());
    hash.add(&span.span_id.to_be_bytes());
    if span.trace_id == 0 || span.span_id == 0 {
        // Without ids, the span itself has to do.
        hash.add(span.name.as_bytes());
        hash.add(node.service.as_bytes());
        hash.add(&span.start_unix_ns.to_be_bytes());
        hash.add(&span.end_unix_ns.to_be_bytes());
    }
    let millis = u128::from(span.start_unix_ns / 1_000_000) & 0xffff_ffff_ffff;
    let random = hash.0;
    // Version 7 and variant 2 of RFC 9562.
    let (high, low) = (random >> 64 & 0xfff, random & 0x3fff_ffff_ffff_ffff);
    RequestId::from_u128(millis << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
}

/// The hash of Fowler, Noll and Vo, with 128 bits. It only has to be the same on every machine.
struct Fnv(u128);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

/// Method, path, target and origin of a request.
pub(super) struct RequestLine {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) target: Recorded,
    pub(super) origin: Origin,
    pub(super) pattern: String,
}

impl RequestLine {
    pub(super) fn of(node: SpanNode<'_>, masks: &Masks) -> Self {
        let attributes = &node.span.attributes;
        let Some(method) = http_method(attributes) else {
            // Not HTTP: the kind of the span and its name stand in the columns of method and path.
            let method = match node.span.kind {
                SpanKind::Unspecified => "SPAN".to_owned(),
                kind => kind.as_str().to_ascii_uppercase(),
            };
            let path = cut(&masks.text(&node.span.name), MAX_NAME);
            return Self {
                method,
                path,
                target: unknown(),
                origin: Origin::NotRecorded,
                pattern: String::new(),
            };
        };
        let full = attributes.text(&["url.full", "http.url"]).map(UrlParts::of);
        let target = attributes.text(&["http.target"]).map(str::to_owned).or_else(|| {
            let path = attributes.text(&["url.path"])?;
            Some(match attributes.text(&["url.query"]) {
                Some(query) if !query.is_empty() => format!("{path}?{query}"),
                _ => path.to_owned(),
            })
        });
        let target = target.or_else(|| {
            let full = full.as_ref()?;
            Some(full.full[full.full.find(&full.path).filter(|_| !full.path.is_empty())?..].to_owned())
        });
        let target = target.map(|target| masks.text(&target));
        let route = cut(attributes.text(&["http.route"]).unwrap_or_default(), MAX_NAME);
        let path = target.as_deref().map(|target| target.split('?').next().unwrap_or_default().to_owned());
        let path = path
            .unwrap_or_else(|| if route.is_empty() { masks.text(&node.span.name) } else { route.clone() });
        let scheme = attributes.text(&["url.scheme", "http.scheme"]).unwrap_or("http");
        let host = attributes.text(&["server.address", "http.host", "net.host.name"]);
        let port = attributes
            .integer(&["server.port", "net.host.port"])
            .filter(|_| host.is_some_and(|host| !host.contains(':')));
        let authority =
            host.map(|host| port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
        let bytes = |text: &str| Value::from_bytes(text.as_bytes()).ok();
        let plain = |value: Value| Recorded::Plain { value, summary: None };
        Self {
            method: cut(method, 32),
            path: cut(&path, MAX_NAME),
            target: target.and_then(|target| bytes(&target)).map_or_else(unknown, plain),
            origin: authority
                .and_then(|authority| bytes(&masks.text(&format!("{scheme}://{authority}"))))
                .map_or(Origin::NotRecorded, |value| Origin::Named(plain(value))),
            pattern: route,
        }
    }
}

/// Returns the name of the flow: the service and the operation, as a slug.
pub(super) fn flow_name(node: SpanNode<'_>) -> String {
    let own = node.span.attributes.text(&["zerver.flow"]).filter(|_| node.is_own);
    if let Some(flow) = own {
        return cut(flow, MAX_NAME);
    }
    let slug = FlowInfo::slug(&format!("{} {}", node.service, node.span.name));
    if slug.is_empty() { "imported".to_owned() } else { slug }
}

/// Returns the status of the response, or 0 if the span does not know one, and the outcome.
pub(super) fn outcome(node: SpanNode<'_>, masks: &Masks) -> (u16, Outcome) {
    let span = node.span;
    let status = http_status(&span.attributes).unwrap_or_default();
    if span.status.code != StatusCode::Error {
        return (status, Outcome::Done);
    }
    let exceptions = span.events.iter().filter(|event| event.name == "exception").take(8).map(|event| {
        let text = |name: &str| event.attributes.text(&[name]).unwrap_or_default();
        let (kind, message) = (text("exception.type"), text("exception.message"));
        let separator = if kind.is_empty() || message.is_empty() { "" } else { ": " };
        cut(&masks.text(&format!("{kind}{separator}{message}")), MAX_NAME)
    });
    let failure = FailureInfo {
        kind: FailureKind::Internal,
        what: cut(&masks.text(&span.name), 200).into(),
        key: String::new(),
        message: cut(&masks.text(&span.status.message), MAX_NAME),
        step: None,
        call: None,
        causes: exceptions.collect(),
    };
    (status, Outcome::Failed(failure))
}
