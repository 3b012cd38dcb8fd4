//! Parts of a response (RFC 9110, section 14), for responses that allow them.
//!
//! The syntax is parsed here: the available parsers do not distinguish what must be ignored from what must be refused with 416.

use std::ops::Range;

use bytes::BytesMut;
use http::{HeaderValue, Method, StatusCode, header};

use super::request::Request;
use super::response::Response;

/// Maximum number of ranges. More of them, or ranges that overlap, are a sign of an attack (section 14.2), and are ignored.
const MAX_RANGES: usize = 16;

/// Separates the parts of a response with several ranges. A part that contained it would have to guess it.
const BOUNDARY: &str = "zerver-7d1f0c0e5b2a4c6f9e38-range";

/// Returns the part of the response that the request asks for, or the whole response if it asks for none.
pub(super) fn select(request: &Request, response: Response) -> Response {
    let allows = response.headers.get(header::ACCEPT_RANGES).is_some_and(|units| units == "bytes");
    let Some(asked) = request.headers.get(header::RANGE).filter(|_| allows && request.method == Method::GET)
    else {
        return response;
    };
    let Ok(asked) = asked.to_str() else { return response };
    if let Some(stream) = &response.stream {
        return match stream.known_length().and_then(|len| usize::try_from(len).ok()) {
            Some(len) => select_streamed(asked, len, response),
            None => response,
        };
    }
    let len = response.body.len();
    match parse(asked, len) {
        Asked::Everything => response,
        Asked::Nothing => unsatisfiable(response, len),
        Asked::Parts(ranges) => partial(response, &ranges),
    }
}

/// Selects a part of a stream of this length. Several ranges are answered with the whole stream, as section 14.2 allows.
fn select_streamed(asked: &str, len: usize, response: Response) -> Response {
    let range = match parse(asked, len) {
        Asked::Everything => return response,
        Asked::Nothing => return unsatisfiable(response, len),
        Asked::Parts(ranges) => match <[_; 1]>::try_from(ranges) {
            Ok([range]) => range,
            Err(_) => return response,
        },
    };
    let part = response.stream.as_ref().and_then(|stream| stream.part(range.start as u64..range.end as u64));
    let Some(part) = part else { return response };
    let response = Response { status: StatusCode::PARTIAL_CONTENT, stream: Some(Box::new(part)), ..response };
    response.header("content-range", &content_range(&range, len))
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// The header is not one that this server acts on.
    Everything,
    /// No range overlaps the content.
    Nothing,
    Parts(Vec<Range<usize>>),
}

/// Parses a `Range` header for content of this length.
fn parse(value: &str, len: usize) -> Asked {
    let Some((unit, set)) = value.split_once('=') else { return Asked::Everything };
    if !unit.trim_ascii().eq_ignore_ascii_case("bytes") {
        return Asked::Everything;
    }
    let (mut ranges, mut count) = (Vec::new(), 0);
    for spec in set.split(',').map(str::trim_ascii).filter(|spec| !spec.is_empty()) {
        count += 1;
        if count > MAX_RANGES {
            return Asked::Everything;
        }
        let Some(range) = parse_spec(spec, len) else { return Asked::Everything };
        ranges.extend(range);
    }
    let mut sorted = ranges.clone();
    sorted.sort_by_key(|range: &Range<usize>| range.start);
    if count == 0 || sorted.windows(2).any(|pair| pair[0].end > pair[1].start) {
        return Asked::Everything;
    }
    if ranges.is_empty() { Asked::Nothing } else { Asked::Parts(ranges) }
}

/// Parses one range. Returns `None` if it is invalid, and `Some(None)` if it lies beyond the content.
fn parse_spec(spec: &str, len: usize) -> Option<Option<Range<usize>>> {
    let (first, last) = spec.split_once('-')?;
    // Numbers too large to express lie beyond any content.
    let number = |digits: &str| -> Option<usize> {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(usize::MAX))
    };
    if first.is_empty() {
        let suffix = number(last)?.min(len);
        return Some((suffix > 0).then(|| len - suffix..len));
    }
    let first = number(first)?;
    let last = if last.is_empty() { usize::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    Some((first < len).then(|| first..last.saturating_add(1).min(len)))
}

fn unsatisfiable(response: Response, len: usize) -> Response {
    let mut headers = response.headers;
    headers.remove(header::CONTENT_TYPE);
    let response = Response { headers, ..Response::new(StatusCode::RANGE_NOT_SATISFIABLE) };
    response.header("content-range", &format!("bytes */{len}"))
}

fn content_range(range: &Range<usize>, len: usize) -> String {
    format!("bytes {}-{}/{len}", range.start, range.end - 1)
}

fn partial(mut response: Response, ranges: &[Range<usize>]) -> Response {
    let (whole, len) = (response.body.clone(), response.body.len());
    response.status = StatusCode::PARTIAL_CONTENT;
    if let [range] = ranges {
        response.body = whole.slice(range.clone());
        return response.header("content-range", &content_range(range, len));
    }
    let content_type = response.headers.remove(header::CONTENT_TYPE);
    let mut body = BytesMut::new();
    for range in ranges {
        body.extend_from_slice(format!("--{BOUNDARY}\r\n").as_bytes());
        if let Some(content_type) = &content_type {
            body.extend_from_slice(b"content-type: ");
            body.extend_from_slice(content_type.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("content-range: {}\r\n\r\n", content_range(range, len)).as_bytes());
        body.extend_from_slice(&whole[range.clone()]);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    response.body = body.freeze();
    if let Ok(value) = HeaderValue::try_from(format!("multipart/byteranges; boundary={BOUNDARY}")) {
        response.headers.insert(header::CONTENT_TYPE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::conditional::evaluate;

    fn get(headers: &[(&'static str, &str)]) -> Response {
        let request =
            headers.iter().fold(Request::get("/"), |request, (name, value)| request.with_header(name, value));
        evaluate(&request, Response::text("0123456789").etag("v1").last_modified(784_111_777).ranges())
            .unwrap_or_else(|failure| failure.to_response())
    }

    fn range(value: &str) -> (u16, String, String) {
        let response = get(&[("range", value)]);
        let content_range = response.headers.get("content-range").map_or("", |value| value.to_str().unwrap());
        (response.status.as_u16(), content_range.to_owned(), String::from_utf8(response.body.into()).unwrap())
    }

    #[test]
    fn one_range() {
        // RFC 9110, section 14.1.2.
        for (value, content_range, body) in [
            ("bytes=0-4", "bytes 0-4/10", "01234"),
            ("bytes=5-9", "bytes 5-9/10", "56789"),
            ("bytes=5-", "bytes 5-9/10", "56789"),
            ("bytes=-3", "bytes 7-9/10", "789"),
            ("bytes=-30", "bytes 0-9/10", "0123456789"),
            ("bytes=9-9", "bytes 9-9/10", "9"),
            ("bytes=8-99999999999999999999999", "bytes 8-9/10", "89"),
            ("Bytes = 0-0", "bytes 0-0/10", "0"),
            ("bytes=0-0,", "bytes 0-0/10", "0"),
            ("bytes=0-0,20-30", "bytes 0-0/10", "0"),
        ] {
            assert_eq!(range(value), (206, content_range.to_owned(), body.to_owned()), "{value}");
        }
    }

    #[test]
    fn ranges_beyond_the_content_are_refused() {
        for value in
            ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=20-30,40-50", "bytes=99999999999999999999999-"]
        {
            assert_eq!(range(value), (416, "bytes */10".to_owned(), String::new()), "{value}");
        }
    }

    #[test]
    fn what_is_not_a_range_is_ignored() {
        let many = format!("bytes={}", (0..17).map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(","));
        for value in [
            "bytes=4-2",
            "bytes=",
            "bytes",
            "bytes=a-b",
            "bytes=1",
            "bytes=-",
            "bytes=--1",
            "bytes=+1-2",
            "lines=0-4",
            "bytes=0-4,2-6",
            "bytes=0-,0-",
            "bytes=0-1,x",
            &many,
        ] {
            assert_eq!(range(value), (200, String::new(), "0123456789".to_owned()), "{value}");
        }
    }

    #[test]
    fn several_ranges() {
        let response = get(&[("range", "bytes=0-1,-2")]);
        assert_eq!(response.status, 206);
        let content_type = response.headers["content-type"].to_str().unwrap();
        assert_eq!(content_type, format!("multipart/byteranges; boundary={BOUNDARY}"));
        let part = |range: &str, body: &str| {
            format!(
                "--{BOUNDARY}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-range: bytes {range}/10\r\n\r\n{body}\r\n"
            )
        };
        let expected = format!("{}{}--{BOUNDARY}--\r\n", part("0-1", "01"), part("8-9", "89"));
        assert_eq!(response.body, expected);
    }

    #[test]
    fn a_range_of_another_version_is_the_whole() {
        let status = |if_range: &str| get(&[("range", "bytes=0-1"), ("if-range", if_range)]).status.as_u16();
        assert_eq!(status("\"v1\""), 206);
        assert_eq!(status("\"v2\""), 200);
        assert_eq!(status("W/\"v1\""), 200, "a weak tag does not identify bytes");
        assert_eq!(status("Sun, 06 Nov 1994 08:49:37 GMT"), 206);
        assert_eq!(status("Sun, 06 Nov 1994 08:49:36 GMT"), 200);
        // The other preconditions come first.
        assert_eq!(get(&[("range", "bytes=0-1"), ("if-none-match", "\"v1\"")]).status, 304);
        assert_eq!(get(&[("range", "bytes=20-"), ("if-match", "\"v2\"")]).status, 412);
    }

    #[test]
    fn only_reads_of_responses_that_allow_ranges_have_them() {
        let request = Request::get("/").with_header("range", "bytes=0-1");
        assert_eq!(evaluate(&request, Response::text("0123").etag("v1")).unwrap().status, 200);
        let head = Request { method: Method::HEAD, ..request };
        assert_eq!(evaluate(&head, Response::text("0123").ranges()).unwrap().status, 200);
        let empty = Request::get("/").with_header("range", "bytes=0-");
        assert_eq!(evaluate(&empty, Response::text("").ranges()).unwrap().status, 416);
    }
}
