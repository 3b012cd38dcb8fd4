//! Conditional requests (RFC 9110, section 13): a response with validators is not sent again to a client that has it.

use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::byte_ranges;
use super::handshake;
use super::request::Request;
use super::response::Response;
use crate::failure::Failure;

/// Headers of a response that make it depend on headers of the request.
const VALIDATORS: [HeaderName; 3] = [header::ETAG, header::LAST_MODIFIED, header::ACCEPT_RANGES];

/// Returns the response to send: this one, a part of it, or one without content, as the preconditions of the request require.
///
/// # Errors
/// `precondition_failed`, for the service to render.
pub(crate) fn evaluate(request: &Request, response: Response) -> Result<Response, Failure> {
    if response.stream.as_ref().is_some_and(|stream| stream.web_socket_rules().is_some()) {
        return handshake::evaluate(request, response);
    }
    let is_read = matches!(request.method, Method::GET | Method::HEAD);
    if !is_read || response.status != StatusCode::OK {
        return Ok(response);
    }
    // Most responses have none of these, and only a few headers.
    if !response.headers.keys().any(|name| VALIDATORS.contains(name)) {
        return Ok(response);
    }
    let current = Validators::of(&response.headers);
    match current.check(request) {
        Verdict::Proceed if current.allows_range(request) => Ok(byte_ranges::select(request, response)),
        Verdict::Proceed => Ok(response),
        Verdict::NotModified => Ok(not_modified(response)),
        Verdict::Failed => Err(Failure::precondition_failed("request", request.uri.path())),
    }
}

/// Returns the response to a client whose copy is current: the headers that may have changed, and no content (section 15.4.5).
fn not_modified(mut response: Response) -> Response {
    for name in
        [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CONTENT_RANGE]
    {
        response.headers.remove(name);
    }
    Response { headers: response.headers, ..Response::new(StatusCode::NOT_MODIFIED) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Proceed,
    NotModified,
    Failed,
}

/// The validators of a representation: its entity tag, and when it was last modified.
#[derive(Debug, Clone, Copy)]
struct Validators<'h> {
    etag: Option<&'h str>,
    /// The header as it is sent.
    last_modified: Option<&'h str>,
}

impl<'h> Validators<'h> {
    fn of(headers: &'h HeaderMap) -> Self {
        Self { etag: text(headers, &header::ETAG), last_modified: text(headers, &header::LAST_MODIFIED) }
    }

    /// Evaluates the preconditions in the order of section 13.2.2.
    fn check(&self, request: &Request) -> Verdict {
        let headers = &request.headers;
        let modified_after = |name: &HeaderName| {
            let (since, modified) = (seconds(text(headers, name)?)?, seconds(self.last_modified?)?);
            Some(modified > since)
        };
        let unchanged = match headers.contains_key(header::IF_MATCH) {
            true => matches_any(headers, &header::IF_MATCH, self.etag, true),
            false => modified_after(&header::IF_UNMODIFIED_SINCE) != Some(true),
        };
        if !unchanged {
            return Verdict::Failed;
        }
        let is_known = match headers.contains_key(header::IF_NONE_MATCH) {
            true => matches_any(headers, &header::IF_NONE_MATCH, self.etag, false),
            false => modified_after(&header::IF_MODIFIED_SINCE) == Some(false),
        };
        if is_known { Verdict::NotModified } else { Verdict::Proceed }
    }

    /// Returns true if `If-Range` allows a part of this representation (section 13.1.5): without the header, or if it names
    /// exactly this representation.
    fn allows_range(&self, request: &Request) -> bool {
        let Some(value) = request.headers.get(header::IF_RANGE) else { return true };
        let Ok(value) = value.to_str() else { return false };
        let value = value.trim_ascii();
        match value.starts_with('"') || value.starts_with("W/") {
            true => self.etag.is_some_and(|etag| strongly_equal(etag, value)),
            false => self.last_modified == Some(value),
        }
    }
}

impl Request {
    /// Checks the preconditions of a request that changes a resource, before it does (RFC 9110, section 13). `current` is the
    /// entity tag of the resource, quoted, or `None` if there is none yet.
    ///
    /// - `If-Match: "v1"`: the client changes what it has seen, and it is still the same.
    /// - `If-None-Match: *`: the client creates what does not exist yet.
    ///
    /// ```
    /// use zerver_engine::Request;
    ///
    /// let request = Request::get("/todos/7").with_header("if-match", "\"v1\"");
    /// assert!(request.check_preconditions(Some("\"v1\"")).is_ok());
    /// assert_eq!(request.check_preconditions(Some("\"v2\"")).unwrap_err().status(), 412);
    /// assert_eq!(request.check_preconditions(None).unwrap_err().status(), 412);
    /// ```
    ///
    /// Reads need no such check: a response with [`Response::etag`] is compared with the request when it is sent.
    ///
    /// # Errors
    /// `precondition_failed` (412).
    pub fn check_preconditions(&self, current: Option<&str>) -> Result<(), Failure> {
        let headers = &self.headers;
        let is_changed =
            headers.contains_key(header::IF_MATCH) && !matches_any(headers, &header::IF_MATCH, current, true);
        let exists = headers.contains_key(header::IF_NONE_MATCH)
            && matches_any(headers, &header::IF_NONE_MATCH, current, false);
        match is_changed || exists {
            true => Err(Failure::precondition_failed("resource", self.uri.path())),
            false => Ok(()),
        }
    }
}

impl Response {
    /// Sets the entity tag: a text that changes with the content, such as a version or a hash. A `GET` or `HEAD` by a client
    /// that has this content is then answered with 304 and without it.
    ///
    /// ```
    /// use zerver_engine::Response;
    ///
    /// let response = Response::text("milk").etag("v7");
    /// assert_eq!(response.headers["etag"], "\"v7\"");
    /// ```
    ///
    /// Characters that a tag cannot contain (RFC 9110, section 8.8.3) are left out.
    #[must_use]
    pub fn etag(self, tag: &str) -> Self {
        let tag: String = tag.chars().filter(|c| c.is_ascii_graphic() && *c != '"').collect();
        self.header("etag", &format!("\"{tag}\""))
    }

    /// Sets the time of the last change, in seconds since the Unix epoch. It serves the same purpose as [`Response::etag`], but
    /// misses a second change within a second.
    #[must_use]
    pub fn last_modified(self, unix_s: u64) -> Self {
        // httpdate cannot express years beyond 9999.
        let latest_s = 253_402_300_799;
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix_s.min(latest_s));
        self.header("last-modified", &httpdate::fmt_http_date(time))
    }

    /// Lets clients ask for parts of the body (RFC 9110, section 14), as video players and resumed downloads do.
    #[must_use]
    pub fn ranges(self) -> Self {
        self.header("accept-ranges", "bytes")
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Returns a date of HTTP in seconds.
fn seconds(date: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(date.trim_ascii()).ok()?;
    Some(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
}

/// Returns true if one of the listed tags is that of the current representation. `*` is any that exists.
fn matches_any(headers: &HeaderMap, name: &HeaderName, current: Option<&str>, is_strong: bool) -> bool {
    let Some(current) = current else { return false };
    let equal = if is_strong { strongly_equal } else { weakly_equal };
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .any(|line| line.trim_ascii() == "*" || tags(line).any(|tag| equal(tag, current)))
}

/// Returns the entity tags of a list. A tag may contain commas.
fn tags(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let quote = rest.find('"')?;
        let end = quote + 1 + rest[quote + 1..].find('"')? + 1;
        let (tag, after) = rest.split_at(end);
        rest = after;
        Some(tag)
    })
}

/// Section 8.8.3.2: weak tags are never equal.
fn strongly_equal(a: &str, b: &str) -> bool {
    a == b && !a.starts_with("W/")
}

fn weakly_equal(a: &str, b: &str) -> bool {
    a.strip_prefix("W/").unwrap_or(a) == b.strip_prefix("W/").unwrap_or(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const TIME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn response() -> Response {
        Response::text("milk").etag("v1").last_modified(784_111_777).header("cache-control", "max-age=60")
    }

    fn status(headers: &[(&'static str, &str)]) -> u16 {
        status_of(Method::GET, response(), headers)
    }

    fn status_of(method: Method, response: Response, headers: &[(&'static str, &str)]) -> u16 {
        let mut request = Request { method, ..Request::get("/") };
        for (name, value) in headers {
            request = request.with_header(name, value);
        }
        evaluate(&request, response)
            .map_or_else(|failure| failure.status(), |response| response.status.as_u16())
    }

    #[test]
    fn the_table_of_preconditions() {
        // RFC 9110, sections 13.1 and 13.2.2.
        assert_eq!(response().headers["last-modified"], TIME);
        for (headers, expected) in [
            (&[][..], 200),
            (&[("if-none-match", "\"v1\"")], 304),
            (&[("if-none-match", "W/\"v1\"")], 304),
            (&[("if-none-match", "*")], 304),
            (&[("if-none-match", "\"v0\", \"v1\"")], 304),
            (&[("if-none-match", "\"v0\""), ("if-none-match", "\"v1\"")], 304),
            (&[("if-none-match", "\"v2\"")], 200),
            (&[("if-none-match", "v1")], 200),
            (&[("if-none-match", "\"a,\"v1\"")], 200),
            (&[("if-modified-since", TIME)], 304),
            (&[("if-modified-since", LATER)], 304),
            (&[("if-modified-since", EARLIER)], 200),
            (&[("if-modified-since", "yesterday")], 200),
            // The tag takes precedence over the date, also if it differs.
            (&[("if-none-match", "\"v2\""), ("if-modified-since", TIME)], 200),
            (&[("if-none-match", "\"v1\""), ("if-modified-since", EARLIER)], 304),
            (&[("if-match", "\"v1\"")], 200),
            (&[("if-match", "*")], 200),
            (&[("if-match", "\"v2\"")], 412),
            (&[("if-match", "W/\"v1\"")], 412),
            (&[("if-unmodified-since", TIME)], 200),
            (&[("if-unmodified-since", EARLIER)], 412),
            (&[("if-unmodified-since", "yesterday")], 200),
            (&[("if-match", "\"v1\""), ("if-unmodified-since", EARLIER)], 200),
            (&[("if-match", "\"v1\""), ("if-none-match", "\"v1\"")], 304),
            (&[("if-match", "\"v2\""), ("if-none-match", "\"v1\"")], 412),
        ] {
            assert_eq!(status(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn only_successful_reads_are_conditional() {
        let condition = [("if-none-match", "\"v1\"")];
        assert_eq!(status_of(Method::HEAD, response(), &condition), 304);
        assert_eq!(status_of(Method::POST, response(), &condition), 200);
        assert_eq!(status_of(Method::GET, response().status(StatusCode::CREATED), &condition), 201);
        assert_eq!(status_of(Method::GET, response().status(StatusCode::NOT_FOUND), &condition), 404);
        // Without validators there is nothing to compare.
        assert_eq!(status_of(Method::GET, Response::text("milk"), &[("if-none-match", "*")]), 200);
        let weak = Response::text("milk").header("etag", "W/\"v1\"");
        assert_eq!(status_of(Method::GET, weak.clone(), &[("if-none-match", "\"v1\"")]), 304);
        assert_eq!(status_of(Method::GET, weak, &[("if-match", "W/\"v1\"")]), 412);
    }

    #[test]
    fn a_response_that_the_client_has_is_sent_without_its_content() {
        let request = Request::get("/").with_header("if-none-match", "\"v1\"");
        let response = evaluate(&request, response()).unwrap();
        assert!(response.body.is_empty());
        let mut names: Vec<_> = response.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cache-control", "etag", "last-modified"]);
    }

    #[test]
    fn writes_check_their_preconditions() {
        let check = |name: &'static str, value: &str, current: Option<&str>| {
            Request::get("/").with_header(name, value).check_preconditions(current).is_ok()
        };
        assert!(check("if-match", "\"v1\"", Some("\"v1\"")) && !check("if-match", "\"v1\"", Some("\"v2\"")));
        assert!(check("if-match", "*", Some("\"v1\"")) && !check("if-match", "*", None));
        assert!(check("if-none-match", "*", None) && !check("if-none-match", "*", Some("\"v1\"")));
        assert!(!check("if-none-match", "\"v1\"", Some("\"v1\"")));
        assert!(Request::get("/").check_preconditions(None).is_ok());
    }

    #[test]
    fn tags_are_always_valid() {
        assert_eq!(Response::text("").etag("a\"b\r\nc é").headers["etag"], "\"abc\"");
        assert_eq!(
            Response::text("").last_modified(u64::MAX).headers["last-modified"],
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
    }
}
