//! Requests as a kind of effect: their summary, target, identity and idempotency.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use ::http::Uri;
use zerver_engine::EffectKind;
use zerver_trace::Value;

use super::reply::Reply;
use super::request::Request;
use super::request_identity;

impl EffectKind for Request {
    const KIND: &'static str = "http";
    type Output = Reply;

    /// Returns method, host and path. The query is omitted, since it may contain secrets; so is a URL that is invalid.
    fn summary(&self) -> String {
        Target(self).to_string()
    }

    fn output_summary(reply: &Reply) -> String {
        format!("{}, {} bytes", reply.status, reply.body.len())
    }

    /// Returns host and port.
    fn target(&self) -> Option<Cow<'_, str>> {
        authority(&self.url)
    }

    /// Returns true for the methods of RFC 9110, section 9.2.2, and for any request with an `idempotency-key`.
    fn is_idempotent(&self) -> bool {
        self.idempotent
            || matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
            || self.headers.iter().any(|header| header.name == "idempotency-key")
    }

    /// Returns the request without the details of its notation: the order of URL parameters and of headers with
    /// different names, the encoding of the parameters and the host, and white space and the order of keys in a JSON
    /// body.
    fn identity(&self) -> Option<Value> {
        request_identity::identity(self)
    }

    fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    fn is_temporary(reply: &Reply) -> bool {
        matches!(reply.status, 408 | 429 | 502 | 503 | 504)
    }

    fn is_unhealthy(reply: &Reply) -> bool {
        matches!(reply.status, 502..=504)
    }

    /// Returns the time in `retry-after` of a 429 or 503 (RFC 9110, section 10.2.3).
    fn retry_after(reply: &Reply) -> Option<Duration> {
        if !matches!(reply.status, 429 | 503) {
            return None;
        }
        let header = |name: &str| {
            let header = reply.headers.iter().find(|header| header.name == name)?;
            str::from_utf8(&header.value).ok().map(str::trim)
        };
        let text = header("retry-after")?;
        if let Ok(seconds) = text.parse::<u32>() {
            return Some(Duration::from_secs(seconds.into()));
        }
        // The date of the reply is the target's clock, so that clocks which differ do no harm.
        let (until, sent) = (http_date(text)?, http_date(header("date")?)?);
        Some(Duration::from_secs(until.saturating_sub(sent)))
    }
}

/// Parses a date of the preferred form, such as `Sun, 06 Nov 1994 08:49:37 GMT`, into seconds since the Unix epoch.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut parts = text.strip_suffix(" GMT")?.split_once(", ")?.1.split(' ');
    let mut next = || parts.next();
    let (day, month, year, time) = (next()?, next()?, next()?, next()?);
    let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)? as u64 / 3 + 1;
    let (day, year) = (day.parse::<u64>().ok()?, year.parse::<u64>().ok()?);
    let mut fields = time.split(':').map(str::parse::<u64>);
    let mut field = || fields.next()?.ok();
    let seconds = field()? * 3_600 + field()? * 60 + field()?;
    if !(1..=31).contains(&day) || !(1970..=9999).contains(&year) || seconds > 86_400 {
        return None;
    }
    // Days since the epoch in the civil calendar, with years that begin in March.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    Some(days.checked_sub(719_468)? * 86_400 + seconds)
}

/// Returns host and port of a URL in lower case. `None` if the URL has no host or contains credentials.
fn authority(url: &str) -> Option<Cow<'_, str>> {
    let (scheme, rest) = url.split_once("://")?;
    let default_port = if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| is_port(port));
    if has_port && !authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Borrowed(authority));
    }
    let lower = authority.trim_end_matches(':').to_ascii_lowercase();
    Some(Cow::Owned(if has_port { lower } else { format!("{lower}:{default_port}") }))
}

/// A request in one line, for summaries and errors.
struct Target<'a>(&'a Request);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { method, url, .. } = self.0;
        let uri: Option<Uri> = url.parse().ok();
        let Some((uri, host)) = uri.as_ref().and_then(|uri| Some((uri, uri.host()?))) else {
            return write!(f, "{method} of an invalid URL");
        };
        write!(f, "{method} {host}")?;
        if let Some(port) = uri.port_u16() {
            write!(f, ":{port}")?;
        }
        f.write_str(uri.path())?;
        if uri.query().is_some() { f.write_str("?..") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::Header;
    use super::*;

    fn request(method: &str) -> Request {
        let (method, url) = (method.to_owned(), "http://host/".to_owned());
        Request { method, url, headers: Vec::new(), body: Bytes::new(), body_limit: None, idempotent: false }
    }

    #[test]
    fn the_target_of_a_request_is_its_host_and_port() {
        let check =
            |url: &str, expected: Option<&str>| assert_eq!(authority(url).as_deref(), expected, "{url}");
        check("http://idp.example.com:8080/verify?a=b:1", Some("idp.example.com:8080"));
        check("http://idp.example.com/verify", Some("idp.example.com:80"));
        check("https://IDP.example.com", Some("idp.example.com:443"));
        check("HTTPS://IDP.example.com:443?x", Some("idp.example.com:443"));
        check("https://[::1]/", Some("[::1]:443"));
        check("https://[::1]:9", Some("[::1]:9"));
        check("http://host:/", Some("host:80"));
        check("http://user:password@host/", None);
        check("http:///path", None);
        check("nothing", None);
        assert!(matches!(authority("http://host:1/"), Some(Cow::Borrowed(_))), "nothing is allocated");
    }

    #[test]
    fn the_time_to_wait_is_a_number_of_seconds_or_a_date() {
        let reply = |status, headers: &[(&str, &str)]| {
            let mut reply = Reply::new(status);
            let header = |(name, value): &(&str, &str)| Header::new(name, value.as_bytes().to_vec());
            reply.headers = headers.iter().map(header).collect();
            Request::retry_after(&reply).map(|time| time.as_secs())
        };
        let (sent, later) = (("date", "Sun, 06 Nov 1994 08:49:37 GMT"), "Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(http_date(sent.1), Some(784_111_777));
        assert_eq!(reply(503, &[("retry-after", "7")]), Some(7));
        assert_eq!(reply(429, &[("retry-after", later), sent]), Some(30));
        assert_eq!(
            reply(503, &[("retry-after", later)]),
            None,
            "without a date of the reply, it says nothing"
        );
        assert_eq!(reply(500, &[("retry-after", "7")]), None);
        for text in ["soon", "-1", "Sun, 06 Nov 1994", "Sun, 99 Nov 1994 08:49:37 GMT", "x, 1 J 1 1:1:1 GMT"]
        {
            assert_eq!(reply(503, &[("retry-after", text), sent]), None, "{text}");
        }
    }

    #[test]
    fn a_request_is_idempotent_by_its_method_or_an_idempotency_key() {
        let check = |method: &str, expected: bool| {
            let request = request(method);
            assert_eq!(request.is_idempotent(), expected, "{method}");
        };
        ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].iter().for_each(|method| check(method, true));
        ["POST", "PATCH", "get", "QUERY"].iter().for_each(|method| check(method, false));
        let mut keyed = request("POST");
        keyed.headers.push(Header::new("Idempotency-Key", "1"));
        assert!(keyed.is_idempotent());
        let is_temporary = |status| Request::is_temporary(&Reply::new(status));
        let temporary: Vec<_> = (100..600).filter(|&status| is_temporary(status)).collect();
        assert_eq!(temporary, [408, 429, 502, 503, 504]);
    }
}
