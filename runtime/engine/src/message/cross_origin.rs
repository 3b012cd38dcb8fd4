//! Requests that a browser sends on behalf of another site, as Go 1.25 recognizes them (`net/http.CrossOriginProtection`).

use http::header;

use super::request::Request;

impl Request {
    /// Returns true if a browser has sent the request for a page of another origin, such as a form on another site.
    ///
    /// Browsers say so in `Sec-Fetch-Site`. For those that do not, the host of `Origin` is compared with the host of the request.
    /// A request with neither header does not come from a browser, or comes from one of before 2020 and is not a form.
    ///
    /// ```
    /// use zerver_engine::Request;
    ///
    /// let form = Request::get("/").with_header("sec-fetch-site", "cross-site");
    /// assert!(form.is_cross_origin());
    /// assert!(!Request::get("/").with_header("sec-fetch-site", "same-origin").is_cross_origin());
    /// ```
    pub fn is_cross_origin(&self) -> bool {
        let mut sites = self.headers.get_all("sec-fetch-site").iter().peekable();
        if sites.peek().is_some() {
            // `none` is a request that the user has made: a bookmark, or the address bar.
            return !sites.all(|site| site == "same-origin" || site == "none");
        }
        let mut origins = self.headers.get_all(header::ORIGIN).iter().peekable();
        if origins.peek().is_none() {
            return false;
        }
        let authority = self.uri.authority().map(http::uri::Authority::as_str);
        let host = authority.or_else(|| self.header("host"));
        let is_own = |origin: &http::HeaderValue| {
            let origin_host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            matches!((origin_host, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
        };
        !origins.all(is_own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Request {
        headers.iter().fold(Request::get("/").with_header("host", "a.example"), |request, (name, value)| {
            request.with_header(name, value)
        })
    }

    #[test]
    fn browsers_say_from_where_a_request_comes() {
        for (headers, is_cross_origin) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "Same-Origin")], true),
            (&[("sec-fetch-site", "")], true),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], true),
            // The first header decides, since a proxy may change the host.
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://b.example")], false),
            (&[("origin", "https://a.example")], false),
            (&[("origin", "http://A.EXAMPLE")], false),
            (&[("origin", "https://a.example:8443")], true),
            (&[("origin", "https://b.example")], true),
            (&[("origin", "https://a.example.b.example")], true),
            (&[("origin", "null")], true),
            (&[("origin", "a.example")], true),
            (&[("origin", "")], true),
            (&[("origin", "https://a.example"), ("origin", "https://b.example")], true),
        ] {
            assert_eq!(request(headers).is_cross_origin(), is_cross_origin, "{headers:?}");
        }
        let http2 = Request {
            uri: "https://b.example/x".parse().unwrap(),
            ..request(&[("origin", "https://b.example")])
        };
        assert!(!http2.is_cross_origin(), "the authority of HTTP/2 takes precedence");
    }
}
