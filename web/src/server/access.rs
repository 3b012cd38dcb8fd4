//! Access to the server: to the user who started it, and to pages that it has served.
//!
//! A browser sends requests on behalf of any page. Against these, each request must name this server (`Host`, so that
//! a name which an attacker lets point to this machine is refused), an `Origin` must be this one, and a request that
//! changes something must have one. The launch token proves that the user has seen the terminal; a cookie with another
//! secret takes its place.

use std::net::SocketAddr;

use http::header::{COOKIE, HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode, request};

use crate::url::Params;

/// Number of random bytes of a token.
const TOKEN_BYTES: usize = 16;
/// Maximum length of a path with its parameters, in bytes.
const MAX_TARGET: usize = 8 * 1024;

/// Rules and secrets of a server.
pub(crate) struct AccessRules {
    /// Values of `Host` that name this server, in lower case.
    hosts: Vec<String>,
    /// Secret in the first URL.
    launch_token: String,
    /// Secret in the cookie.
    session: String,
    cookie: String,
}

/// Decision about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    Granted,
    /// The token is right: set the cookie and continue at this path.
    SignIn {
        to: String,
    },
    /// The request has neither token nor cookie.
    SignInNeeded,
    Refused(StatusCode, &'static str),
}

impl AccessRules {
    /// Creates rules with fresh secrets. `names` are further names of the server, with a port or without.
    pub(crate) fn new(addr: SocketAddr, names: &[String]) -> Result<Self, getrandom::Error> {
        let port = addr.port();
        let mut hosts: Vec<String> =
            ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")).into();
        if !addr.ip().is_unspecified() {
            hosts.push(addr.to_string());
        }
        hosts.extend(names.iter().map(|name| name.to_ascii_lowercase()));
        if port == 80 {
            let bare: Vec<_> =
                hosts.iter().filter_map(|host| host.strip_suffix(":80")).map(str::to_owned).collect();
            hosts.extend(bare);
        }
        Ok(Self { hosts, launch_token: secret()?, session: secret()?, cookie: format!("zerver-web-{port}") })
    }

    pub(crate) fn launch_token(&self) -> &str {
        &self.launch_token
    }

    /// Returns the header that sets the cookie. Browsers do not separate cookies by port, so its name does.
    pub(crate) fn set_cookie(&self) -> String {
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie, self.session)
    }

    /// Decides about a request.
    pub(crate) fn check(&self, request: &request::Parts) -> Access {
        let headers = &request.headers;
        let Some(host) = self.host(request) else {
            return Access::Refused(
                StatusCode::MISDIRECTED_REQUEST,
                "the Host header does not name this server",
            );
        };
        if request.uri.path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
            return Access::Refused(StatusCode::URI_TOO_LONG, "the URL is too long");
        }
        let is_post = request.method == Method::POST;
        if !is_post && request.method != Method::GET && request.method != Method::HEAD {
            return Access::Refused(StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD and POST are supported");
        }
        let origins: Vec<_> = headers.get_all(ORIGIN).iter().collect();
        let is_own = |origin: &http::HeaderValue| origin.as_bytes() == format!("http://{host}").as_bytes();
        if !origins.iter().all(|origin| is_own(origin)) || (is_post && origins.len() != 1) {
            return Access::Refused(
                StatusCode::FORBIDDEN,
                "the request does not come from a page of this server",
            );
        }
        if !is_allowed_site(headers, is_post) {
            return Access::Refused(StatusCode::FORBIDDEN, "the request comes from another site");
        }
        if self.has_cookie(headers) {
            return Access::Granted;
        }
        let params = Params::parse(request.uri.query().unwrap_or_default().as_bytes());
        if !is_post && is_same_secret(params.get("token"), &self.launch_token) {
            return Access::SignIn { to: params.link(request.uri.path(), &[("token", "")]) };
        }
        Access::SignInNeeded
    }

    /// Returns the host that the request names, if it is this server.
    fn host(&self, request: &request::Parts) -> Option<String> {
        let mut given = request.headers.get_all(HOST).iter();
        let host = given.next()?.to_str().ok()?.to_ascii_lowercase();
        let is_other_target = request.uri.authority().is_some_and(|authority| *authority != host.as_str());
        (given.next().is_none() && !is_other_target && self.hosts.contains(&host)).then_some(host)
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == self.cookie && is_same_secret(value, &self.session))
    }
}

/// Returns true unless the browser says that another site has caused the request. Links of other sites may open pages:
/// they do not see them, and without the cookie, which browsers do not send then, there is nothing to see.
fn is_allowed_site(headers: &HeaderMap, is_post: bool) -> bool {
    let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match value("sec-fetch-site") {
        None | Some("same-origin") => true,
        Some(_) if is_post => false,
        Some("none") => true,
        Some(_) => value("sec-fetch-mode") == Some("navigate") && value("sec-fetch-dest") == Some("document"),
    }
}

/// Compares secrets in a time that does not depend on where they differ.
fn is_same_secret(given: &str, secret: &str) -> bool {
    let differences = given.bytes().zip(secret.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b));
    given.len() == secret.len() && differences == 0
}

fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const HERE: (&str, &str) = ("host", "127.0.0.1:7000");

    fn rules() -> AccessRules {
        AccessRules::new("127.0.0.1:7000".parse().unwrap(), &[]).unwrap()
    }

    fn check(rules: &AccessRules, method: &str, target: &str, headers: &[(&str, &str)]) -> Access {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        rules.check(&request.body(()).unwrap().into_parts().0)
    }

    fn cookie(rules: &AccessRules) -> String {
        rules.set_cookie().split(';').next().unwrap().to_owned()
    }

    #[test]
    fn only_requests_that_name_this_server_are_answered() {
        let rules = rules();
        let cookie = cookie(&rules);
        for host in ["127.0.0.1:7000", "localhost:7000", "LocalHost:7000", "[::1]:7000"] {
            assert_eq!(
                check(&rules, "GET", "/", &[("host", host), ("cookie", &cookie)]),
                Access::Granted,
                "{host}"
            );
        }
        let refused = |headers: &[(&str, &str)]| {
            matches!(check(&rules, "GET", "/", headers), Access::Refused(StatusCode::MISDIRECTED_REQUEST, _))
        };
        for host in [
            "evil.example:7000",
            "127.0.0.1",
            "127.0.0.1:7001",
            "127.0.0.1:7000.evil.example",
            "",
            "localhost",
        ] {
            assert!(refused(&[("host", host), ("cookie", &cookie)]), "{host}");
        }
        assert!(refused(&[("cookie", &cookie)]), "no host");
        assert!(refused(&[HERE, ("host", "evil.example"), ("cookie", &cookie)]), "two hosts");
        let absolute = check(&rules, "GET", "http://evil.example/", &[HERE, ("cookie", &cookie)]);
        assert!(matches!(absolute, Access::Refused(StatusCode::MISDIRECTED_REQUEST, _)));
    }

    #[test]
    fn other_origins_are_refused_and_an_action_needs_one() {
        let rules = rules();
        let cookie = cookie(&rules);
        let post = |more: &[(&str, &str)]| {
            check(&rules, "POST", "/x", &[&[HERE, ("cookie", cookie.as_str())], more].concat())
        };
        assert_eq!(
            post(&[("origin", "http://127.0.0.1:7000"), ("sec-fetch-site", "same-origin")]),
            Access::Granted
        );
        let own = ("origin", "http://127.0.0.1:7000");
        for wrong in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "http://localhost:7000")],
            &[("origin", "https://127.0.0.1:7000")],
            &[("origin", "http://evil.example")],
            &[own, ("origin", "null")],
            &[own, ("sec-fetch-site", "cross-site")],
            &[own, ("sec-fetch-site", "same-site")],
            &[own, ("sec-fetch-site", "none")],
        ] {
            assert!(matches!(post(wrong), Access::Refused(StatusCode::FORBIDDEN, _)), "{wrong:?}");
        }
        let get = |more: &[(&str, &str)]| {
            check(&rules, "GET", "/x", &[&[HERE, ("cookie", cookie.as_str())], more].concat())
        };
        assert!(matches!(get(&[("origin", "null")]), Access::Refused(..)));
        assert!(matches!(
            get(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")]),
            Access::Refused(..)
        ));
        let navigation = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(get(&navigation), Access::Granted);
        let framed =
            [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        assert!(matches!(get(&framed), Access::Refused(..)));
    }

    #[test]
    fn the_token_works_in_a_url_and_then_as_a_cookie_with_another_secret() {
        let rules = rules();
        let token = rules.launch_token().to_owned();
        let signed_in = check(&rules, "GET", &format!("/flows?token={token}&q=a"), &[HERE]);
        assert_eq!(signed_in, Access::SignIn { to: "/flows?q=a".into() });
        assert!(!rules.set_cookie().contains(&token));
        assert!(rules.set_cookie().ends_with("; HttpOnly; SameSite=Strict"));
        for (target, value) in [
            ("/".to_owned(), String::new()),
            ("/?token=".to_owned(), String::new()),
            (format!("/?token={}", &token[1..]), String::new()),
            (format!("/?token={token}0"), String::new()),
            ("/".to_owned(), format!("zerver-web-7000={token}")),
            ("/".to_owned(), "zerver-web-7000=".to_owned()),
            ("/".to_owned(), cookie(&rules).replace("7000", "7001")),
        ] {
            let access = check(&rules, "GET", &target, &[HERE, ("cookie", &value)]);
            assert_eq!(access, Access::SignInNeeded, "{target} {value}");
        }
        let post = [HERE, ("origin", "http://127.0.0.1:7000")];
        assert_eq!(check(&rules, "POST", &format!("/?token={token}"), &post), Access::SignInNeeded);
        assert_ne!(token, self::rules().launch_token(), "each server has its own");
    }

    #[test]
    fn other_methods_and_long_urls_are_refused() {
        let rules = rules();
        for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"] {
            let target = if method == "CONNECT" { "127.0.0.1:7000" } else { "/" };
            let access = check(&rules, method, target, &[HERE]);
            assert!(
                matches!(access, Access::Refused(StatusCode::METHOD_NOT_ALLOWED, _)),
                "{method}: {access:?}"
            );
        }
        let long = format!("/?q={}", "a".repeat(MAX_TARGET));
        assert!(matches!(check(&rules, "GET", &long, &[HERE]), Access::Refused(StatusCode::URI_TOO_LONG, _)));
    }
}
