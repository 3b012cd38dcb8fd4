//! Compresses responses: which of them, how, and what the client learns about it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::runtime::Handle;
use zerver_engine::Response;

use super::encoder::{Coding, Encoder};

/// Length up to which the worker compresses a body itself: about 0.1 ms. A longer one would keep other requests waiting.
const INLINE_BYTES: usize = 8 << 10;

/// Compresses the body of a response if that makes it shorter. A body of less than `min_bytes` stays as it is.
pub(in crate::http) async fn compress(
    response: &mut Response,
    coding: Coding,
    min_bytes: usize,
    runtime: &Handle,
) {
    if response.body.len() < min_bytes.max(1) || !is_compressible(response) {
        return;
    }
    let body = response.body.clone();
    let compressed = match body.len() <= INLINE_BYTES {
        true => coding.compress(&body).ok(),
        false => runtime.spawn_blocking(move || coding.compress(&body).ok()).await.ok().flatten(),
    };
    if let Some(compressed) = compressed.filter(|compressed| compressed.len() < response.body.len()) {
        response.body = Bytes::from(compressed);
        describe(&mut response.headers, coding);
    }
}

/// Starts to compress the stream of a response. Streams without an end are sent as they are: their items are short, and each
/// would need an encoder for as long as its client is there.
pub(crate) fn begin_stream(response: &mut Response, accepted: Option<Coding>) -> Option<Encoder> {
    let coding = accepted?;
    let is_endless = response.stream.as_ref().is_some_and(|stream| stream.format().is_endless);
    if is_endless || !is_compressible(response) {
        return None;
    }
    let encoder = Encoder::new(coding).ok()?;
    describe(&mut response.headers, coding);
    Some(encoder)
}

/// Returns true if the response may be compressed, and is of a kind that gets shorter.
fn is_compressible(response: &Response) -> bool {
    let Response { status, headers, .. } = response;
    let is_whole =
        !matches!(*status, StatusCode::PARTIAL_CONTENT | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let is_encoded =
        headers.contains_key(header::CONTENT_ENCODING) || headers.contains_key(header::CONTENT_RANGE);
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let forbids = text(header::CACHE_CONTROL).is_some_and(|value| value.contains("no-transform"));
    is_whole && !is_encoded && !forbids && text(header::CONTENT_TYPE).is_some_and(is_text)
}

/// Returns true for types of content that are not compressed by themselves.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(
            essence.as_str(),
            "application/json"
                | "application/x-ndjson"
                | "application/xml"
                | "application/javascript"
                | "application/wasm"
                | "application/x-www-form-urlencoded"
                | "image/bmp"
                | "font/ttf"
                | "font/otf"
        )
}

/// Adds what the client has to know.
fn describe(headers: &mut HeaderMap, coding: Coding) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    let is_listed = headers.get_all(header::VARY).iter().any(|line| {
        let mut names = line.to_str().unwrap_or_default().split(',').map(str::trim_ascii);
        names.any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding"))
    });
    if !is_listed {
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    // Parts would be parts of the compressed bytes.
    headers.remove(header::ACCEPT_RANGES);
    // The bytes differ from those of other codings, so the tag is only weakly valid (RFC 9110, section 8.8.1).
    let weak = headers.get(header::ETAG).and_then(|tag| {
        let tag = tag.to_str().ok().filter(|tag| !tag.starts_with("W/"))?;
        HeaderValue::try_from(format!("W/{tag}")).ok()
    });
    if let Some(weak) = weak {
        headers.insert(header::ETAG, weak);
    }
}
