//! Rules for requests of browsers: CORS, CSRF, and headers of responses. They are applied by the shell, so that neither a
//! preflight nor a refused request reaches a step. A service without these settings has none of the rules.

mod cors;
mod security_headers;

use http::{HeaderMap, HeaderValue, header};
use zerver_engine::{Request, Response};

use self::cors::CorsRules;
use self::security_headers::SecurityHeaderRules;
use super::rejection::Rejection;
use crate::config::{Config, Cors, Csrf};
use crate::start_error::StartError;

/// The rules of a service that has any.
#[derive(Debug)]
pub(crate) struct BrowserRules {
    cors: Option<CorsRules>,
    csrf: Option<CsrfRules>,
    headers: Option<SecurityHeaderRules>,
}

/// Origins whose requests are accepted whatever their method.
#[derive(Debug)]
struct CsrfRules {
    trusted: Vec<String>,
}

impl BrowserRules {
    /// Returns the rules, or `None` if the settings ask for none.
    ///
    /// # Errors
    /// If all origins would be allowed to send cookies.
    pub(crate) fn new(config: &Config) -> Result<Option<Box<Self>>, StartError> {
        let Config { cors, csrf, security_headers, .. } = config;
        let rules = Self {
            cors: CorsRules::new(cors)?,
            csrf: CsrfRules::new(csrf, cors),
            headers: SecurityHeaderRules::new(security_headers),
        };
        let Self { cors, csrf, headers } = &rules;
        Ok((cors.is_some() || csrf.is_some() || headers.is_some()).then(|| Box::new(rules)))
    }

    /// Refuses a request that another site makes a browser send.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Rejection> {
        let Some(CsrfRules { trusted }) = &self.csrf else { return Ok(()) };
        if request.method.is_safe() || !request.is_cross_origin() {
            return Ok(());
        }
        match single_origin(request) {
            Some(origin) if trusted.iter().any(|trusted| origin == trusted.as_str()) => Ok(()),
            _ => Err(Rejection::CrossOrigin),
        }
    }

    /// Answers an `OPTIONS` request if it is a preflight. `allow` lists the methods of its path.
    ///
    /// # Errors
    /// If the origin is not allowed.
    pub(crate) fn preflight(
        &self,
        request: &Request,
        allow: &HeaderValue,
    ) -> Option<Result<Response, Rejection>> {
        self.cors.as_ref()?.preflight(request, allow)
    }

    /// Returns the origin of a request, if its response is to say that it may be read there.
    pub(crate) fn allowed_origin(&self, request: &Request) -> Option<Box<HeaderValue>> {
        self.cors.as_ref()?.allowed_origin(request).map(Box::new)
    }

    /// Adds the headers for browsers to a response.
    pub(crate) fn finish(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        if let Some(cors) = &self.cors {
            cors.finish(headers, origin);
        }
        if let Some(rules) = &self.headers {
            rules.finish(headers);
        }
    }
}

impl CsrfRules {
    fn new(csrf: &Csrf, cors: &Cors) -> Option<Self> {
        let listed = cors.origins.iter().filter(|origin| *origin != cors::ANY);
        csrf.protect.then(|| Self { trusted: csrf.trusted.iter().chain(listed).cloned().collect() })
    }
}

/// Returns the `Origin` of a request, if there is exactly one.
fn single_origin(request: &Request) -> Option<&HeaderValue> {
    let mut origins = request.headers.get_all(header::ORIGIN).iter();
    origins.next().filter(|_| origins.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_other_sites_are_refused_unless_they_are_safe_or_trusted() {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let config = Config {
            csrf: Csrf { protect: true, trusted: list(&["https://b.example"]) },
            cors: Cors { origins: list(&["https://c.example"]), ..Cors::default() },
            ..Config::default()
        };
        let rules = BrowserRules::new(&config).unwrap().unwrap();
        let check = |method: &str, origin: &str| {
            let request = Request::get("/").with_header("sec-fetch-site", "cross-site");
            let mut request = request.with_header("origin", origin);
            request.method = method.parse().unwrap();
            rules.check(&request).is_ok()
        };
        assert!(check("GET", "https://evil.example") && check("HEAD", "null"));
        assert!(check("POST", "https://b.example") && check("DELETE", "https://c.example"));
        for origin in ["https://evil.example", "http://b.example", "https://b.example:444", "null", "*"] {
            assert!(!check("POST", origin), "{origin}");
        }
        assert!(!check("PROPFIND", "https://evil.example"));
        let twice = Request::get("/")
            .with_header("origin", "https://b.example")
            .with_header("origin", "https://evil.example");
        assert!(rules.check(&Request { method: http::Method::POST, ..twice }).is_err());
    }

    #[test]
    fn a_service_without_settings_has_no_rules() {
        assert!(BrowserRules::new(&Config::default()).unwrap().is_none());
    }
}
