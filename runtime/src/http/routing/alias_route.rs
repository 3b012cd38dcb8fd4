//! Aliases of flows at run time: the path of the flow for a request, and the headers that tell its client.
//!
//! The headers are added once the response is on its way, like `date`: they are not recorded, and do not count as a difference
//! when a request is replayed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use zerver_engine::{Alias, Response};

use crate::http::headers::date_header::http_date;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// An alias, ready to be served.
#[derive(Debug)]
pub(crate) struct AliasRoute {
    alias: Alias,
    /// Path of the flow: texts, and parameters between them.
    path: Vec<PathPart>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Requests that have used it.
    requests: AtomicU64,
}

/// A part of the path of a flow.
#[derive(Debug)]
pub(super) enum PathPart {
    Text(String),
    /// Parameter at this position of the flow's route.
    Parameter(usize),
}

/// An alias that a request has used.
#[derive(Debug, Clone)]
pub(crate) struct AliasUse {
    pub(super) route: Arc<AliasRoute>,
    /// Path of the flow for this request, encoded.
    successor: String,
}

impl AliasRoute {
    pub(super) fn new(alias: Alias, path: Vec<PathPart>) -> Self {
        let mut headers = Vec::new();
        let mut add = |name: HeaderName, value: String| {
            // Numbers and dates are printable, so the conversion cannot fail.
            headers.extend(HeaderValue::try_from(value).ok().map(|value| (name, value)));
        };
        if let Some(date) = alias.deprecation() {
            add(DEPRECATION, format!("@{}", date.unix_seconds()));
        }
        if let Some(date) = alias.sunset() {
            add(SUNSET, http_date(date.unix_seconds()));
        }
        Self { alias, path, headers, requests: AtomicU64::new(0) }
    }

    pub(crate) const fn alias(&self) -> &Alias {
        &self.alias
    }

    /// Returns the number of requests that have used it.
    #[cfg(feature = "metrics")]
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Notes that a request uses it. `params` are the parameters as they arrived, in the order of the flow's route.
    pub(super) fn enter(self: &Arc<Self>, params: &[&str]) -> AliasUse {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut successor = String::new();
        for part in &self.path {
            match part {
                PathPart::Text(text) => successor.push_str(text),
                PathPart::Parameter(at) => successor.push_str(params.get(*at).unwrap_or(&"")),
            }
        }
        AliasUse { route: Arc::clone(self), successor: local_path(&successor) }
    }
}

/// Returns a path that no client takes for the address of another host, or for the end of a link.
fn local_path(path: &str) -> String {
    // `//host` would be one (RFC 3986, section 4.2), and browsers read a backslash as a slash.
    let mut local = if path.starts_with("//") { "/.".to_owned() } else { String::new() };
    for c in path.chars() {
        match c {
            '\\' | '<' | '>' | '"' => {
                let _ = write!(local, "%{:02X}", u32::from(c));
            }
            c => local.push(c),
        }
    }
    local
}

impl AliasUse {
    /// Returns the redirect to the path of the flow, if the alias is one.
    pub(in crate::http) fn redirect(&self, uri: &Uri) -> Option<Response> {
        if !self.route.alias.is_redirect() {
            return None;
        }
        let location = match uri.query() {
            Some(query) => format!("{}?{query}", self.successor),
            None => self.successor.clone(),
        };
        let mut response = Response::no_content().status(StatusCode::PERMANENT_REDIRECT);
        response.headers.insert(header::LOCATION, HeaderValue::try_from(location).ok()?);
        Some(response)
    }

    /// Adds the headers that tell the client about the alias.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.route.headers {
            headers.insert(name, value.clone());
        }
        if let Ok(link) = HeaderValue::try_from(format!("<{}>; rel=\"successor-version\"", self.successor)) {
            headers.append(header::LINK, link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(alias: Alias, path: Vec<PathPart>, params: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        Arc::new(AliasRoute::new(alias, path)).enter(params).add_headers(&mut headers);
        headers
    }

    #[test]
    fn the_headers_are_those_of_the_rfcs() {
        let alias = Alias::serve("/orders/{id}").deprecated("2026-12-01").until("2027-03-01");
        let path = vec![PathPart::Text("/v2/orders/".to_owned()), PathPart::Parameter(0)];
        let headers = headers(alias, path, &["a%2Fb"]);
        assert_eq!(headers["deprecation"], "@1796083200");
        assert_eq!(headers["sunset"], "Mon, 01 Mar 2027 00:00:00 GMT");
        assert_eq!(headers["link"], "</v2/orders/a%2Fb>; rel=\"successor-version\"");
    }

    #[test]
    fn a_path_never_leads_to_another_host() {
        assert_eq!(local_path("//evil.example/x"), "/.//evil.example/x");
        assert_eq!(local_path("/\\evil.example"), "/%5Cevil.example");
        assert_eq!(local_path("/a>; rel=\"x\""), "/a%3E; rel=%22x%22");
        assert_eq!(local_path("/a/b"), "/a/b");
    }

    #[test]
    fn a_redirect_keeps_the_query() {
        let route = Arc::new(AliasRoute::new(Alias::redirect("/a"), vec![PathPart::Text("/b".to_owned())]));
        let alias = route.enter(&[]);
        let response = alias.redirect(&"/a?x=1&y".parse().unwrap()).unwrap();
        assert_eq!(
            (response.status.as_u16(), &response.headers["location"]),
            (308, &HeaderValue::from_static("/b?x=1&y"))
        );
        assert_eq!(alias.redirect(&"/a".parse().unwrap()).unwrap().headers["location"], "/b");
        assert_eq!(route.requests(), 1);
        let serves = Arc::new(AliasRoute::new(Alias::serve("/a"), vec![]));
        assert!(serves.enter(&[]).redirect(&"/a".parse().unwrap()).is_none());
    }
}
