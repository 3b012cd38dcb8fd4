//! Lists in settings for browsers: origins and names of headers.

use http::{HeaderName, Uri};

/// Meaning of an asterisk: everything, or a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wildcard {
    Allowed,
    Refused,
}

impl Wildcard {
    fn accepts(self, item: &str) -> bool {
        self == Self::Allowed && item == "*"
    }

    /// Returns the description of valid origins.
    pub(super) const fn origins(self) -> &'static str {
        match self {
            Self::Allowed => "a list of origins such as https://app.example.com, or *",
            Self::Refused => "a list of origins such as https://app.example.com",
        }
    }

    /// Returns the description of valid names.
    pub(super) const fn header_names(self) -> &'static str {
        match self {
            Self::Allowed => "a list of names of headers, or *",
            Self::Refused => "a list of names of headers",
        }
    }
}

/// Returns true for an origin as browsers write it: scheme, host and, unless it is the usual one, port. Browsers also send
/// `null`.
pub(super) fn is_origin(item: &str, wildcard: Wildcard) -> bool {
    let is_tuple = || {
        let uri = item.parse::<Uri>().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
        let usual = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => "",
        };
        let is_usual = !usual.is_empty() && authority.ends_with(usual);
        let is_exact = item == format!("{scheme}://{authority}") && item == item.to_ascii_lowercase();
        (is_exact && !authority.contains('@') && !is_usual).then_some(())
    };
    wildcard.accepts(item) || item == "null" || is_tuple().is_some()
}

/// Returns true for the name of a header, in any case.
pub(super) fn is_header_name(item: &str, wildcard: Wildcard) -> bool {
    wildcard.accepts(item) || item.parse::<HeaderName>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for origin in ["https://a.example", "http://localhost:3000", "https://[::1]:8443", "app://a", "null"]
        {
            assert!(is_origin(origin, Wildcard::Refused), "{origin}");
        }
        for other in [
            "*",
            "a.example",
            "https://a.example/",
            "https://a.example:443",
            "https://A.example",
            "https://user@a.example",
            "https://*.a.example/x",
            "https://",
            "",
        ] {
            assert!(!is_origin(other, Wildcard::Refused), "{other}");
        }
        assert!(is_origin("*", Wildcard::Allowed));
    }

    #[test]
    fn a_name_of_a_header_is_a_token() {
        assert!(is_header_name("X-Custom", Wildcard::Refused) && is_header_name("*", Wildcard::Allowed));
        for other in ["", "a b", "a:", "\u{e9}"] {
            assert!(!is_header_name(other, Wildcard::Allowed), "{other}");
        }
    }
}
