//! Headers that make browsers more careful with responses.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::SecurityHeaders;

/// Headers of all responses. Their values are the strictest ones that a service without pages for other sites needs.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// Policy of responses that are no pages: if a browser shows one nevertheless, it loads and runs nothing.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The settings in the form of headers.
#[derive(Debug)]
pub(super) struct SecurityHeaderRules {
    add: bool,
    hsts: Option<HeaderValue>,
    policy: Option<HeaderValue>,
}

impl SecurityHeaderRules {
    pub(super) fn new(settings: &SecurityHeaders) -> Option<Self> {
        let SecurityHeaders { add, hsts, policy } = settings;
        let hsts = hsts.and_then(|time| HeaderValue::try_from(format!("max-age={}", time.as_secs())).ok());
        let policy = policy.as_ref().and_then(|policy| HeaderValue::try_from(policy).ok());
        (*add || hsts.is_some() || policy.is_some()).then_some(Self { add: *add, hsts, policy })
    }

    /// Adds the headers that a response does not have.
    pub(super) fn finish(&self, headers: &mut HeaderMap) {
        if self.add {
            for (name, value) in &HEADERS {
                headers.entry(name).or_insert_with(|| value.clone());
            }
        }
        if let Some(hsts) = &self.hsts {
            headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert_with(|| hsts.clone());
        }
        let is_page = || {
            let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
            kind.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
        };
        let policy = match &self.policy {
            Some(policy) => Some(policy.clone()),
            None => (self.add && !is_page()).then_some(NOTHING),
        };
        if let Some(policy) = policy {
            headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zerver_engine::Response;

    use super::*;

    fn finished(settings: &SecurityHeaders, mut response: Response) -> Vec<String> {
        SecurityHeaderRules::new(settings).unwrap().finish(&mut response.headers);
        response.headers.remove("content-type");
        let shown =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut headers: Vec<_> = response.headers.iter().map(shown).collect();
        headers.sort();
        headers
    }

    #[test]
    fn responses_get_the_headers_that_they_do_not_have() {
        let all = SecurityHeaders { add: true, hsts: Some(Duration::from_secs(86_400)), policy: None };
        let response = Response::text("a").header("x-frame-options", "SAMEORIGIN");
        assert_eq!(
            finished(&all, response),
            [
                "content-security-policy: default-src 'none'; frame-ancestors 'none'",
                "cross-origin-opener-policy: same-origin",
                "referrer-policy: no-referrer",
                "strict-transport-security: max-age=86400",
                "x-content-type-options: nosniff",
                "x-frame-options: SAMEORIGIN",
            ]
        );
        let page = Response::text("<p>").header("content-type", "Text/HTML; charset=utf-8");
        assert!(!finished(&all, page.clone()).iter().any(|header| header.starts_with("content-security")));
        let policy =
            SecurityHeaders { policy: Some("default-src 'self'".to_owned()), ..SecurityHeaders::default() };
        assert_eq!(finished(&policy, page), ["content-security-policy: default-src 'self'"]);
        assert!(SecurityHeaderRules::new(&SecurityHeaders::default()).is_none());
    }
}
