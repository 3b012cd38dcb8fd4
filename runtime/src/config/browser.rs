//! Settings for requests of browsers: which other sites may send them, and headers that make browsers careful.

use std::time::Duration;

/// Which sites may read responses with scripts (CORS). By default none may.
///
/// ```
/// use zerver::{App, Cors};
///
/// let cors = Cors {
///     origins: vec!["https://app.example.com".to_owned()],
///     headers: vec!["authorization".to_owned(), "content-type".to_owned()],
///     ..Cors::default()
/// };
/// let app = App::new().cors(cors);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Origins such as `https://app.example.com`, or `*` for all. Without any, the service sends no headers of CORS.
    pub origins: Vec<String>,
    /// Headers that their requests may have besides the usual ones, or `*` for all. Default: none.
    pub headers: Vec<String>,
    /// Headers of responses that their scripts may read besides the usual ones. Default: none.
    pub expose: Vec<String>,
    /// True if browsers may send cookies along. The origins must then be listed. Default: false.
    pub credentials: bool,
    /// Time for which a browser may keep the answer to a preflight. Default: 10 min.
    pub max_age: Duration,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            headers: Vec::new(),
            expose: Vec::new(),
            credentials: false,
            max_age: Duration::from_secs(600),
        }
    }
}

/// Protection from requests that other sites make a browser send (CSRF).
///
/// Off by default, because only services that authenticate browsers with cookies need it. Steps that read
/// sessions from cookies check by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Csrf {
    /// True to refuse requests of other origins, unless their method is safe: `GET`, `HEAD` or `OPTIONS`. Default: false.
    pub protect: bool,
    /// Origins whose requests are accepted. Those that [`Cors::origins`] lists are, too.
    pub trusted: Vec<String>,
}

/// Headers that make browsers more careful with responses.
///
/// They are off by default: each response is longer with them, and most services are never opened in a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityHeaders {
    /// True to add them to each response that does not have them. Default: false.
    pub add: bool,
    /// Time for which browsers use only TLS for this host (`Strict-Transport-Security`). Default: not sent.
    pub hsts: Option<Duration>,
    /// `Content-Security-Policy` of all responses. By default, those that are no HTML get one that allows nothing.
    pub policy: Option<String>,
}
