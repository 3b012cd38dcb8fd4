//! Cookies that a response sets (RFC 6265).

use std::fmt::Write as _;

use http::{HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::response::Response;

/// Bytes that a value must not contain (section 4.1.1), and the percent sign, which escapes them.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

/// A cookie for a client to keep.
///
/// By default it is sent back only over TLS (browsers exempt localhost), to all paths of this host, not with requests that other
/// sites cause (`SameSite=Lax`), and scripts cannot read it. It lasts until the browser is closed.
///
/// ```
/// use zerver_engine::{Cookie, Response};
///
/// let response = Response::text("hi").cookie(Cookie::new("theme", "dark blue").max_age_s(3_600));
/// let expected = "theme=dark%20blue; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax";
/// assert_eq!(response.headers["set-cookie"], expected);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a cookie does nothing until it is in a response"]
pub struct Cookie {
    name: String,
    value: String,
    path: String,
    domain: Option<String>,
    max_age_s: Option<u64>,
    is_secure: bool,
    is_http_only: bool,
    same_site: SameSite,
}

/// With which requests that another site causes a browser sends a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// None of them.
    Strict,
    /// Links, but not forms, images or scripts.
    Lax,
    /// All of them. Browsers then require TLS.
    None,
}

impl Cookie {
    /// Creates a cookie. In the value, characters that a cookie cannot contain are percent-encoded, and
    /// [`Cookies`](crate::Cookies) decodes them.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            path: "/".to_owned(),
            domain: None,
            max_age_s: None,
            is_secure: true,
            is_http_only: true,
            same_site: SameSite::Lax,
        }
    }

    /// Creates a cookie that makes the client forget one of this name. Its path and domain must be those of the other.
    pub fn removal(name: impl Into<String>) -> Self {
        Self::new(name, "").max_age_s(0)
    }

    /// Sets how long it lasts, in seconds.
    pub const fn max_age_s(mut self, seconds: u64) -> Self {
        self.max_age_s = Some(seconds);
        self
    }

    /// Sends it back only to paths below this one.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sends it back to this domain and all below it, instead of this host alone.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sets with which requests of other sites it is sent.
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Lets scripts of the page read it.
    pub const fn readable_by_scripts(mut self) -> Self {
        self.is_http_only = false;
        self
    }

    /// Sends it back without TLS, too.
    pub const fn insecure(mut self) -> Self {
        self.is_secure = false;
        self
    }

    /// Returns the header, or `None` if the name, the path or the domain is not allowed.
    fn header_value(&self) -> Option<HeaderValue> {
        let is_token = |c: u8| c.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&c);
        let is_attribute =
            |text: &str| text.bytes().all(|c| (c.is_ascii_graphic() || c == b' ') && c != b';');
        let domain = self.domain.as_deref().unwrap_or_default();
        if self.name.is_empty()
            || !self.name.bytes().all(is_token)
            || !is_attribute(&self.path)
            || !is_attribute(domain)
        {
            return None;
        }
        let mut text =
            format!("{}={}; Path={}", self.name, utf8_percent_encode(&self.value, ESCAPED), self.path);
        if !domain.is_empty() {
            let _ = write!(text, "; Domain={domain}");
        }
        if let Some(seconds) = self.max_age_s {
            let _ = write!(text, "; Max-Age={seconds}");
        }
        if self.is_secure || self.same_site == SameSite::None {
            text.push_str("; Secure");
        }
        if self.is_http_only {
            text.push_str("; HttpOnly");
        }
        text.push_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        HeaderValue::try_from(text).ok()
    }
}

impl Response {
    /// Sets a cookie, besides those that are set already. A cookie whose name, path or domain is not allowed is ignored, like any
    /// such header.
    #[must_use]
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        if let Some(value) = cookie.header_value() {
            self.headers.append(header::SET_COOKIE, value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cookies, FromRequest, Request};

    #[test]
    fn attributes() {
        let text = |cookie: Cookie| cookie.header_value().map(|value| value.to_str().unwrap().to_owned());
        let all = Cookie::new("a", "b").path("/x").domain("example.com").same_site(SameSite::None).insecure();
        assert_eq!(
            text(all.readable_by_scripts()).unwrap(),
            "a=b; Path=/x; Domain=example.com; Secure; SameSite=None"
        );
        assert_eq!(
            text(Cookie::removal("a").same_site(SameSite::Strict)).unwrap(),
            "a=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict"
        );
    }

    #[test]
    fn a_cookie_cannot_set_another_header() {
        for cookie in [
            Cookie::new("", "v"),
            Cookie::new("a b", "v"),
            Cookie::new("a;", "v"),
            Cookie::new("a=", "v"),
            Cookie::new("a", "v").path("/; Domain=evil.example"),
            Cookie::new("a", "v").path("/\r\nx: y"),
            Cookie::new("a", "v").domain("é"),
        ] {
            assert_eq!(Response::no_content().cookie(cookie).headers.len(), 0);
        }
        let response = Response::no_content().cookie(Cookie::new("a", "1")).cookie(Cookie::new("b", "2"));
        assert_eq!(response.headers.get_all("set-cookie").iter().count(), 2);
    }

    #[test]
    fn a_value_comes_back_as_it_was() {
        for value in ["", "plain", "a b;c,d\"e\\f%20", "é\r\n\u{1f600}"] {
            let header = Cookie::new("v", value).header_value().unwrap();
            let sent = header.to_str().unwrap().split(';').next().unwrap().to_owned();
            let request = Request::get("/").with_header("cookie", &sent);
            let Cookies(cookies) =
                Cookies::<std::collections::HashMap<String, String>>::from_request(&request).unwrap();
            assert_eq!(cookies["v"], value);
        }
    }
}
