//! The parts of a URL that attributes name. A text that is no URL has empty parts.

/// Parts of a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UrlParts {
    /// The URL without user name and password.
    pub(crate) full: String,
    pub(crate) scheme: String,
    /// Host, without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) path: String,
}

impl UrlParts {
    pub(crate) fn of(url: &str) -> Self {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Self { full: url.to_owned(), ..Self::default() };
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
        let (host, port) = host_and_port(authority);
        let default_port = match scheme.to_ascii_lowercase().as_str() {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        };
        Self {
            full: format!("{scheme}://{authority}{after}"),
            scheme: scheme.to_ascii_lowercase(),
            host,
            port: port.or(default_port),
            path: after.split(['?', '#']).next().unwrap_or_default().to_owned(),
        }
    }
}

/// Splits an authority without user name into host and port.
pub(crate) fn host_and_port(authority: &str) -> (String, Option<u16>) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (host.to_ascii_lowercase(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_and_loses_its_credentials() {
        let check = |url: &str, full: &str, host: &str, port: Option<u16>, path: &str| {
            let parts = UrlParts::of(url);
            assert_eq!((parts.full.as_str(), parts.host.as_str()), (full, host), "{url}");
            assert_eq!((parts.port, parts.path.as_str()), (port, path), "{url}");
        };
        check("http://a.example/x?y=1#z", "http://a.example/x?y=1#z", "a.example", Some(80), "/x");
        check("https://user:pass@A.example:8443/", "https://A.example:8443/", "a.example", Some(8443), "/");
        check("https://token@a.example?q=b@c", "https://a.example?q=b@c", "a.example", Some(443), "");
        check("https://a@b@c.example/", "https://c.example/", "c.example", Some(443), "/");
        check("http://[::1]:9/p", "http://[::1]:9/p", "::1", Some(9), "/p");
        check("http://[::1]/p", "http://[::1]/p", "::1", Some(80), "/p");
        check("ftp://h", "ftp://h", "h", None, "");
        check("nothing", "nothing", "", None, "");
        check("", "", "", None, "");
    }
}
