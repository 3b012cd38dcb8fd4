//! Requests and responses in the form of HTTP Archive.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zerver_trace::secret::MASK;
use zerver_trace::{Header, MissingReason, Node, Recorded, RecordedBody, Trace};

use crate::export::{UrlParts, header_text};

/// Returns the URL of a recorded request. The scheme and the host are those that the client named, if it did.
pub(super) fn request_url(trace: &Trace) -> String {
    let (scheme, authority) = trace.origin.visible().unwrap_or_default();
    let scheme = if scheme.is_empty() { "http".to_owned() } else { scheme };
    let host = || header_text(trace, "host").filter(|host| !host.is_empty());
    let authority =
        if authority.is_empty() { host().unwrap_or_else(|| "localhost".to_owned()) } else { authority };
    let target = bytes_of(&trace.target).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    format!("{scheme}://{authority}{}", target.unwrap_or_else(|| trace.path.clone()))
}

pub(super) fn recorded_request(trace: &Trace) -> Value {
    let headers = headers(&trace.request_headers);
    let mut request = request(&trace.method, &request_url(trace), version(&trace.version), &headers);
    let media_type = header_text(trace, "content-type").unwrap_or_default();
    add_body(&mut request, body_text(&trace.request_body), trace.request_body.full_len, &media_type);
    if is_unknown(&trace.request_body) {
        request["bodySize"] = (-1).into();
    }
    request
}

pub(super) fn recorded_response(trace: &Trace) -> Value {
    let headers = headers(&trace.response_headers);
    let mut response = response(
        trace.status,
        version(&trace.version),
        &headers,
        body_text(&trace.response_body),
        trace.response_body.full_len,
    );
    if is_unknown(&trace.response_body) {
        response["bodySize"] = (-1).into();
    }
    response
}

/// Returns true if it is not known whether there was a body.
fn is_unknown(body: &RecordedBody) -> bool {
    matches!(body.bytes, Recorded::Missing(MissingReason::NotImported))
}

/// Returns the request of a call, as far as its recorded arguments have the form of an `http` effect.
pub(super) fn call_request(args: &Recorded) -> Value {
    let root = args.value().map(zerver_trace::Value::root);
    let text = |name: &str| root.as_ref()?.field(name)?.as_str().map(str::to_owned);
    // The format requires a URL and a method, even if the arguments were not recorded.
    let url = text("url").map_or_else(|| "about:blank".to_owned(), |url| UrlParts::of(&url).full);
    let headers = root.as_ref().map(call_headers).unwrap_or_default();
    let mut request = request(&text("method").unwrap_or_else(|| UNKNOWN.to_owned()), &url, UNKNOWN, &headers);
    let body = root.as_ref().and_then(|root| root.field("body")?.as_bytes().map(|bytes| bytes.into_owned()));
    let len = body.as_ref().map_or(0, |body| body.len() as u64);
    let media_type = headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
    add_body(&mut request, body, len, media_type);
    request
}

/// Returns the response of a call, as far as its recorded output has the form of a reply.
pub(super) fn call_response(output: &Recorded) -> Value {
    let root = output.value().map(zerver_trace::Value::root);
    let status = match root.as_ref().map(|root| root.field("status").unwrap_or(root)) {
        Some(Node::Uint(status)) => u16::try_from(*status).unwrap_or_default(),
        _ => 0,
    };
    let headers = root.as_ref().map(call_headers).unwrap_or_default();
    let body = root.as_ref().and_then(|root| root.field("body")?.as_bytes().map(|bytes| bytes.into_owned()));
    let len = body.as_ref().map_or(0, |body| body.len() as u64);
    response(status, UNKNOWN, &headers, body, len)
}

/// Returns the response of a call that has none, with the reason.
pub(super) fn no_response(reason: &str) -> Value {
    let mut none = response(0, UNKNOWN, &[], None, 0);
    none["_error"] = reason.into();
    none
}

/// Text for something that is not recorded, such as the version of a call, where the format requires a text.
const UNKNOWN: &str = "unknown";

fn version(recorded: &str) -> &str {
    if recorded.is_empty() { UNKNOWN } else { recorded }
}

fn request(method: &str, url: &str, version: &str, headers: &[(String, String)]) -> Value {
    let query = url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    let params = query.split('&').filter(|param| !param.is_empty()).map(|param| {
        let (name, value) = param.split_once('=').unwrap_or((param, ""));
        json!({ "name": name, "value": value })
    });
    json!({
        "method": method, "url": url, "httpVersion": version, "cookies": [],
        "headers": pairs(headers), "queryString": params.collect::<Vec<_>>(),
        "headersSize": -1, "bodySize": 0,
    })
}

fn add_body(request: &mut Value, body: Option<Vec<u8>>, len: u64, media_type: &str) {
    request["bodySize"] = len.into();
    if len > 0 {
        let text = body.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        request["postData"] = json!({ "mimeType": media_type, "text": text });
    }
}

fn response(
    status: u16,
    version: &str,
    headers: &[(String, String)],
    body: Option<Vec<u8>>,
    len: u64,
) -> Value {
    let header =
        |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value);
    let mut content = json!({ "size": len, "mimeType": header("content-type") });
    match body.map(String::from_utf8) {
        Some(Ok(text)) if !text.is_empty() => content["text"] = text.into(),
        Some(Err(error)) => {
            content["text"] = STANDARD.encode(error.as_bytes()).into();
            content["encoding"] = "base64".into();
        }
        Some(Ok(_)) | None => {}
    }
    json!({
        "status": status, "statusText": "", "httpVersion": version, "cookies": [],
        "headers": pairs(headers), "content": content, "redirectURL": header("location"),
        "headersSize": -1, "bodySize": len,
    })
}

fn pairs(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn headers(recorded: &[Header<Recorded>]) -> Vec<(String, String)> {
    let header = |header: &Header<Recorded>| {
        let value = bytes_of(&header.value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (header.name.clone(), value.unwrap_or_else(|| MASK.to_owned()))
    };
    recorded.iter().map(header).collect()
}

/// Returns the headers in the arguments or the reply of a call.
fn call_headers(message: &Node<'_>) -> Vec<(String, String)> {
    let Some(Node::Seq(headers)) = message.field("headers") else { return Vec::new() };
    let header = |header: &Node<'_>| {
        let name = header.field("name")?.as_str()?.to_owned();
        let value = header.field("value")?.as_bytes()?;
        Some((name, String::from_utf8_lossy(&value).into_owned()))
    };
    headers.iter().filter_map(header).collect()
}

fn body_text(body: &RecordedBody) -> Option<Vec<u8>> {
    bytes_of(&body.bytes)
}

/// Returns bytes with secrets masked, or `None` if all of them are secret or missing.
fn bytes_of(recorded: &Recorded) -> Option<Vec<u8>> {
    recorded.value()?.root().as_bytes().map(|bytes| bytes.into_owned())
}
