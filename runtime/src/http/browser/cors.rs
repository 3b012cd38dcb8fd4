//! Which sites may read responses with scripts: the CORS protocol of the Fetch standard, section 3.2.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use zerver_engine::{Request, Response};

use super::super::rejection::Rejection;
use super::single_origin;
use crate::config::Cors;
use crate::start_error::StartError;

/// Any origin, or any header.
pub(super) const ANY: &str = "*";

/// Maximum number of headers that the answer to a preflight repeats, for services that accept any.
const MAX_REPEATED: usize = 64;

/// The settings in the form of headers.
#[derive(Debug)]
pub(super) struct CorsRules {
    /// `None` for any origin.
    origins: Option<Vec<HeaderValue>>,
    /// `None` for any header.
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
}

impl CorsRules {
    pub(super) fn new(cors: &Cors) -> Result<Option<Self>, StartError> {
        let Cors { origins, headers, expose, credentials, max_age } = cors;
        if origins.is_empty() {
            return Ok(None);
        }
        let has = |list: &[String], item: &str| list.iter().any(|found| found == item);
        if *credentials && has(origins, ANY) {
            return Err(StartError::CorsCredentials);
        }
        // The settings were checked when they were read; what a program sets may still be wrong.
        let value = |text: &str| {
            HeaderValue::try_from(text).map_err(|_| StartError::CorsValue { value: text.to_owned() })
        };
        let listed = origins.iter().map(|origin| value(origin)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Self {
            origins: (!has(origins, ANY)).then_some(listed),
            headers: match has(headers, ANY) {
                true => None,
                false => Some(value(&headers.join(", "))?),
            },
            expose: (!expose.is_empty()).then(|| value(&expose.join(", "))).transpose()?,
            credentials: *credentials,
            max_age: HeaderValue::from(max_age.as_secs()),
        }))
    }

    /// Returns the value of `Access-Control-Allow-Origin` for a request, or `None` if its response is not to be read elsewhere.
    pub(super) fn allowed_origin(&self, request: &Request) -> Option<HeaderValue> {
        let origin = single_origin(request)?;
        match &self.origins {
            None => Some(HeaderValue::from_static(ANY)),
            Some(origins) => origins.contains(origin).then(|| origin.clone()),
        }
    }

    pub(super) fn preflight(
        &self,
        request: &Request,
        allow: &HeaderValue,
    ) -> Option<Result<Response, Rejection>> {
        request.headers.get(header::ORIGIN)?;
        // Without a valid method it is an ordinary `OPTIONS` request.
        let wanted = request.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        Method::from_bytes(wanted.as_bytes()).ok()?;
        let Some(origin) = self.allowed_origin(request) else { return Some(Err(Rejection::Origin)) };
        let mut response = Response::no_content();
        let headers = &mut response.headers;
        headers.insert(header::ALLOW, allow.clone());
        // The browser decides: a method or a header that is not listed is refused there.
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
        let allowed = match &self.headers {
            Some(listed) => Some(listed.clone()),
            None => requested_headers(request),
        };
        if let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty()) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        let varies =
            HeaderValue::from_static("access-control-request-method, access-control-request-headers");
        headers.append(header::VARY, varies);
        self.allow_origin(headers, origin);
        Some(Ok(response))
    }

    /// Adds the headers to a response, also to that of a preflight. A response that a step has given such headers keeps them.
    pub(super) fn finish(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        if self.origins.is_some() {
            // Also without an origin: a cache must not give this response to a request with one.
            let is_there = |value: &HeaderValue| value == "origin" || value == ANY;
            if !headers.get_all(header::VARY).iter().any(is_there) {
                headers.append(header::VARY, HeaderValue::from_static("origin"));
            }
        }
        let Some(origin) = origin else { return };
        if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if let Some(expose) = &self.expose {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        self.allow_origin(headers, origin.clone());
    }

    fn allow_origin(&self, headers: &mut HeaderMap, origin: HeaderValue) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Returns the names in `Access-Control-Request-Headers`, which may be there several times. `None` if there are none that are
/// names. They are repeated instead of `*`, because browsers do not take that to include `authorization`.
fn requested_headers(request: &Request) -> Option<HeaderValue> {
    let lines = request.headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut valid: Vec<_> =
        names.filter_map(|name| name.trim().parse::<HeaderName>().ok()).take(MAX_REPEATED).collect();
    valid.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    valid.dedup();
    HeaderValue::try_from(valid.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(origins: &[&str], headers: &[&str]) -> CorsRules {
        let list = |items: &[&str]| items.iter().map(ToString::to_string).collect();
        CorsRules::new(&Cors { origins: list(origins), headers: list(headers), ..Cors::default() })
            .unwrap()
            .unwrap()
    }

    const APP: &str = "https://app.example";

    /// Returns the headers of the answer, or the reason why there is none.
    fn preflight(rules: &CorsRules, headers: &[(&'static str, &str)]) -> Result<String, &'static str> {
        let request =
            headers.iter().fold(Request::get("/"), |request, (name, value)| request.with_header(name, value));
        match rules.preflight(&request, &HeaderValue::from_static("GET, OPTIONS, PUT")) {
            None => Err("no preflight"),
            Some(Err(_)) => Err("refused"),
            Some(Ok(response)) => {
                assert_eq!((response.status.as_u16(), response.body.len()), (204, 0));
                let shown = |name: &str| {
                    let value = response.headers.get(name)?.to_str().unwrap();
                    Some(format!("{}: {value}", name.trim_start_matches("access-control-allow-")))
                };
                let names = ["origin", "methods", "headers", "credentials"];
                let shown = names.iter().filter_map(|name| shown(&format!("access-control-allow-{name}")));
                Ok(shown.collect::<Vec<_>>().join("; "))
            }
        }
    }

    const PUT: (&str, &str) = ("access-control-request-method", "PUT");

    #[test]
    fn a_preflight_learns_what_is_allowed() {
        let listed = rules(&[APP], &["content-type", "x-a"]);
        let answer = "origin: https://app.example; methods: GET, OPTIONS, PUT; headers: content-type, x-a";
        let wanted = ("access-control-request-headers", "X-Evil, x-a,,@ ,content-type");
        assert_eq!(preflight(&listed, &[("origin", APP), PUT, wanted]), Ok(answer.to_owned()));
        assert_eq!(preflight(&listed, &[("origin", APP), PUT]), Ok(answer.to_owned()));
        let any = rules(&["*"], &["*"]);
        let also = ("access-control-request-headers", "authorization");
        assert_eq!(
            preflight(&any, &[("origin", "null"), PUT, also]),
            Ok("origin: *; methods: GET, OPTIONS, PUT; headers: authorization".to_owned())
        );
        let wanted = ("access-control-request-headers", " X-B , x-a,@, ,x-a");
        assert_eq!(
            preflight(&any, &[("origin", APP), PUT, wanted, also]),
            Ok("origin: *; methods: GET, OPTIONS, PUT; headers: authorization, x-a, x-b".to_owned())
        );
        assert_eq!(
            preflight(&any, &[("origin", APP), PUT]),
            Ok("origin: *; methods: GET, OPTIONS, PUT".to_owned())
        );
        let many = (0..1000).map(|at| format!("x-{at}")).collect::<Vec<_>>().join(",");
        let answer =
            preflight(&any, &[("origin", APP), PUT, ("access-control-request-headers", &many)]).unwrap();
        assert_eq!(answer.matches("x-").count(), MAX_REPEATED);
    }

    #[test]
    fn odd_preflights_are_refused_or_none() {
        let rules = rules(&[APP], &[]);
        for origin in [
            "null",
            "*",
            "https://app.example.evil.example",
            "http://app.example",
            "https://app.example/",
            "",
        ] {
            assert_eq!(preflight(&rules, &[("origin", origin), PUT]), Err("refused"), "{origin}");
        }
        assert_eq!(preflight(&rules, &[("origin", APP), ("origin", APP), PUT]), Err("refused"));
        assert_eq!(preflight(&rules, &[PUT]), Err("no preflight"));
        assert_eq!(preflight(&rules, &[("origin", APP)]), Err("no preflight"));
        for method in ["", "P UT", "G@T"] {
            let headers = [("origin", APP), ("access-control-request-method", method)];
            assert_eq!(preflight(&rules, &headers), Err("no preflight"), "{method}");
        }
        let unknown = preflight(&rules, &[("origin", APP), ("access-control-request-method", "BREW")]);
        assert!(
            unknown.unwrap().contains("methods: GET, OPTIONS, PUT"),
            "the browser sees that it is not listed"
        );
    }

    #[test]
    fn a_response_says_who_may_read_it() {
        let finished = |rules: &CorsRules, mut response: Response, origin: &str| {
            let request = Request::get("/").with_header("origin", origin);
            rules.finish(&mut response.headers, rules.allowed_origin(&request).as_ref());
            let mut headers: Vec<_> = response
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            headers.sort();
            headers.join("; ")
        };
        let plain = || Response::no_content();
        let listed = rules(&[APP, "null"], &[]);
        assert_eq!(
            finished(&listed, plain(), APP),
            format!("access-control-allow-origin: {APP}; vary: origin")
        );
        assert_eq!(finished(&listed, plain(), "null"), "access-control-allow-origin: null; vary: origin");
        assert_eq!(finished(&listed, plain(), "https://b.example"), "vary: origin");
        assert_eq!(finished(&rules(&["*"], &[]), plain(), APP), "access-control-allow-origin: *");
        let own = plain().header("access-control-allow-origin", "https://own.example").header("vary", "*");
        assert_eq!(finished(&listed, own, APP), "access-control-allow-origin: https://own.example; vary: *");
        let cookies = Cors {
            origins: vec![APP.to_owned()],
            expose: vec!["x-a".to_owned(), "x-b".to_owned()],
            credentials: true,
            ..Cors::default()
        };
        let cookies = CorsRules::new(&cookies).unwrap().unwrap();
        assert_eq!(
            finished(&cookies, plain(), APP),
            format!(
                "access-control-allow-credentials: true; access-control-allow-origin: {APP}; \
                 access-control-expose-headers: x-a, x-b; vary: origin"
            )
        );
    }

    #[test]
    fn cookies_for_everyone_are_refused() {
        let cors = Cors { origins: vec![ANY.to_owned()], credentials: true, ..Cors::default() };
        assert!(matches!(CorsRules::new(&cors), Err(StartError::CorsCredentials)));
        let cors = Cors { origins: vec!["a\nb".to_owned()], ..Cors::default() };
        assert!(matches!(CorsRules::new(&cors), Err(StartError::CorsValue { .. })));
    }
}
