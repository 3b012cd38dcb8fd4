//! Queries, headers and cookies as parameters of a step: values with names.

use std::borrow::Cow;

use http::header;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::field_path::deserialize;
use super::from_request::{FromRequest, InputDesc, InputPart};
use crate::failure::Failure;
use crate::message::Request;
use crate::shape::Shape;

/// Maximum number of values. Each costs more than its bytes once it is decoded.
const MAX_VALUES: usize = 1_000;

/// The query of the target, decoded. A field may be repeated: `?tag=a&tag=b` is a `Vec`.
///
/// ```
/// use serde::Deserialize;
/// use zerver_engine::{FromRequest, Query, Request};
///
/// #[derive(Deserialize)]
/// struct Filter { limit: Option<u32>, #[serde(default)] tag: Vec<String> }
///
/// let Query(filter) = Query::<Filter>::from_request(&Request::get("/todos?tag=a&tag=b"))?;
/// assert_eq!((filter.limit, filter.tag), (None, vec!["a".to_owned(), "b".to_owned()]));
/// let failure = Query::<Filter>::from_request(&Request::get("/todos?limit=many")).map(|_| ()).unwrap_err();
/// assert_eq!(failure.to_string(), "invalid query: limit invalid digit found in string");
/// # Ok::<(), zerver_engine::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    const DESC: Option<InputDesc> = Some(InputDesc { part: InputPart::Query, shape: Shape::of::<T> });

    fn from_request(request: &Request) -> Result<Self, Failure> {
        let encoded = request.uri.query().unwrap_or_default();
        from_urlencoded(encoded.as_bytes(), || Failure::invalid("query")).map(Self)
    }
}

/// Headers of the request. The field `user_agent` is the header `user-agent`. Other headers are ignored.
///
/// ```
/// use serde::Deserialize;
/// use zerver_engine::{FromRequest, Headers, Request};
///
/// #[derive(Deserialize)]
/// struct Client { user_agent: Option<String>, x_api_version: u32 }
///
/// let request = Request::get("/").with_header("x-api-version", "2");
/// let Headers(client) = Headers::<Client>::from_request(&request)?;
/// assert_eq!((client.user_agent, client.x_api_version), (None, 2));
/// # Ok::<(), zerver_engine::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Headers<T> {
    const DESC: Option<InputDesc> = Some(InputDesc { part: InputPart::Headers, shape: Shape::of::<T> });

    fn from_request(request: &Request) -> Result<Self, Failure> {
        // A value that is not UTF-8 counts as absent.
        let values = request.headers.iter().filter_map(|(name, value)| {
            let value = std::str::from_utf8(value.as_bytes()).ok()?;
            Some((name.as_str().replace('-', "_"), Cow::Borrowed(value)))
        });
        from_pairs(values, || Failure::invalid("headers")).map(Self)
    }
}

/// The cookies of the request, percent-decoded as [`Cookie`](crate::Cookie) encodes them. Other cookies are ignored.
///
/// A cookie is what the client says: verify it before you rely on it.
///
/// ```
/// use serde::Deserialize;
/// use zerver_engine::{Cookies, FromRequest, Request};
///
/// #[derive(Deserialize)]
/// struct Preferences { theme: Option<String> }
///
/// let request = Request::get("/").with_header("cookie", "theme=dark; other=1");
/// let Cookies(preferences) = Cookies::<Preferences>::from_request(&request)?;
/// assert_eq!(preferences.theme.as_deref(), Some("dark"));
/// # Ok::<(), zerver_engine::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookies<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Cookies<T> {
    const DESC: Option<InputDesc> = Some(InputDesc { part: InputPart::Cookies, shape: Shape::of::<T> });

    fn from_request(request: &Request) -> Result<Self, Failure> {
        // RFC 6265, section 5.4. HTTP/2 may split the header into several.
        let headers = request.headers.get_all(header::COOKIE).iter();
        let lines = headers.filter_map(|line| std::str::from_utf8(line.as_bytes()).ok());
        let cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| {
            let (name, value) = cookie.split_once('=')?;
            let value = value.trim_ascii();
            let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            Some((
                name.trim_ascii().to_owned(),
                percent_decode_str(quoted.unwrap_or(value)).decode_utf8_lossy(),
            ))
        });
        from_pairs(cookies, || Failure::invalid("cookies")).map(Self)
    }
}

/// Deserializes names and values, of which some may be repeated.
fn from_pairs<'v, T: DeserializeOwned>(
    pairs: impl Iterator<Item = (String, Cow<'v, str>)>,
    failure: impl Fn() -> Failure,
) -> Result<T, Failure> {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        encoded.append_pair(&name, &value);
    }
    from_urlencoded(encoded.finish().as_bytes(), failure)
}

/// Deserializes names and values that are encoded as in a form.
pub(super) fn from_urlencoded<T: DeserializeOwned>(
    encoded: &[u8],
    failure: impl Fn() -> Failure,
) -> Result<T, Failure> {
    if encoded.iter().filter(|&&byte| byte == b'&').count() >= MAX_VALUES {
        return Err(failure().message(format!("more than {MAX_VALUES} values")));
    }
    let deserializer = serde_html_form::Deserializer::new(form_urlencoded::parse(encoded));
    deserialize(deserializer, ToString::to_string).map_err(|(error, _)| error.add_to(failure(), false))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        limit: u32,
        #[serde(default)]
        tag: Vec<String>,
        q: Option<String>,
    }

    fn query(target: &str) -> Result<Filter, String> {
        Query::from_request(&Request::get(target)).map(|Query(filter)| filter).map_err(|f| f.to_string())
    }

    #[test]
    fn queries() {
        let filter = Filter { limit: 5, tag: vec!["a b".to_owned(), "é".to_owned()], q: None };
        assert_eq!(query("/?limit=5&tag=a+b&tag=%C3%A9"), Ok(filter));
        assert_eq!(query("/"), Err("invalid query: limit is missing".to_owned()));
        assert_eq!(query("/?limit=5&q=%zz").unwrap().q.as_deref(), Some("%zz"));
        let unknown = query("/?limit=5&page=2").unwrap_err();
        assert_eq!(unknown, "invalid query: page is unknown, expected one of `limit`, `tag`, `q`");
        let negative = query("/?limit=-1").unwrap_err();
        assert_eq!(negative, "invalid query: limit invalid digit found in string");
    }

    #[test]
    fn too_many_values_are_refused() {
        let target = |n: usize| format!("/?limit=5{}", "&tag=a".repeat(n));
        assert_eq!(query(&target(999)).unwrap().tag.len(), 999);
        assert_eq!(query(&target(1_000)), Err("invalid query: more than 1000 values".to_owned()));
    }

    #[test]
    fn headers_and_cookies() {
        #[derive(Debug, Deserialize)]
        struct Seen {
            x_n: u8,
            #[serde(default)]
            x_list: Vec<String>,
            absent: Option<String>,
        }
        let request =
            Request::get("/").with_header("x-n", "7").with_header("x-list", "a").with_header("x-list", "b");
        let Headers(seen) = Headers::<Seen>::from_request(&request).unwrap();
        assert_eq!((seen.x_n, seen.x_list.join(","), seen.absent), (7, "a,b".to_owned(), None));
        let failure = Headers::<Seen>::from_request(&Request::get("/")).unwrap_err();
        assert_eq!(failure.to_string(), "invalid headers: x_n is missing");

        #[derive(Debug, Deserialize)]
        struct Crumbs {
            n: u8,
            quoted: String,
            sign: String,
        }
        let request = Request::get("/")
            .with_header("cookie", "n=7; quoted=\"a b\"")
            .with_header("cookie", "sign=a=b%20c&d; broken; ");
        let Cookies(crumbs) = Cookies::<Crumbs>::from_request(&request).unwrap();
        assert_eq!((crumbs.n, crumbs.quoted.as_str(), crumbs.sign.as_str()), (7, "a b", "a=b c&d"));
    }
}
