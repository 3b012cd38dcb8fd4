//! Identity of a request, by which a replay recognizes it. It contains everything that may affect the reply, and leaves
//! out differences in notation.

use std::borrow::Cow;

use ::http::Uri;
use zerver_trace::Value;

use super::request::Request;

/// Returns the method, scheme, host, port, path, parameters, headers, body and body limit in a canonical form. `None`
/// if the URL is invalid.
pub(super) fn identity(request: &Request) -> Option<Value> {
    let Request { method, url, headers, body, body_limit, idempotent } = request;
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?;
    let port = uri.port_u16().unwrap_or(if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 });
    let host = uri.host()?.to_ascii_lowercase();
    // The sort is stable, so parameters with the same name keep their order.
    let query = uri.query().unwrap_or_default();
    let mut parameters: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(query.as_bytes()).collect();
    parameters.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut headers: Vec<(&str, &[u8])> =
        headers.iter().map(|header| (header.name.as_str(), &*header.value)).collect();
    headers.sort_by_key(|(name, _)| *name);
    let is_json = |(name, value): &(&str, &[u8])| {
        *name == "content-type" && value.to_ascii_lowercase().windows(4).any(|window| window == b"json")
    };
    let json = headers.iter().any(is_json).then(|| canonical_json(body)).flatten();
    let body = json.map_or(Cow::Borrowed(&**body), |json| Cow::Owned(json.into_bytes()));
    let options = (body_limit, idempotent);
    Value::from_serialize(&(method, (scheme, host, port), uri.path(), parameters, headers, body, options))
        .ok()
}

/// Returns JSON without white space and with the keys of objects in order. `None` if the body is not JSON, or if the
/// conversion could lose information: if a number is not an integer of 64 bits, or if an object has a duplicate key.
fn canonical_json(body: &[u8]) -> Option<String> {
    let json: LosslessJson = serde_json::from_slice(body).ok()?;
    serde_json::to_string(&json.0).ok()
}

/// JSON that was parsed without loss of information.
struct LosslessJson(serde_json::Value);

impl<'de> serde::Deserialize<'de> for LosslessJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor).map(Self)
    }
}

struct Visitor;

impl<'de> serde::de::Visitor<'de> for Visitor {
    type Value = serde_json::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON with integers only")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(serde_json::Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(LosslessJson(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = std::collections::BTreeMap::new();
        while let Some((key, LosslessJson(value))) = map.next_entry::<String, LosslessJson>()? {
            if entries.insert(key, value).is_some() {
                return Err(serde::de::Error::custom("duplicate key"));
            }
        }
        Ok(serde_json::Value::Object(entries.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::Header;
    use super::*;

    fn request(url: &str, headers: &[(&str, &str)], body: &str) -> Request {
        Request {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: headers.iter().map(|(name, value)| Header::new(name, value.to_string())).collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            body_limit: None,
            idempotent: false,
        }
    }

    #[test]
    fn requests_that_differ_only_in_notation_have_the_same_identity() {
        let check = |a: Request, b: Request, same: bool| {
            assert!(identity(&a).is_some());
            assert_eq!(identity(&a) == identity(&b), same, "{a:?} and {b:?}");
        };
        let get = |url| request(url, &[], "");
        for (a, b, same) in [
            ("http://a/x?b=1&a=2", "http://a/x?a=2&b=1", true),
            ("http://a/x?a=1+2", "http://a/x?a=1%202", true),
            ("http://A:80/x", "http://a/x", true),
            ("https://a:443/x", "https://a/x", true),
            ("http://a/x?a=1&a=2", "http://a/x?a=2&a=1", false),
            ("http://a/x?a=1", "http://a/x?a=2", false),
            ("http://a/x", "http://a/y", false),
            ("http://a/x", "https://a/x", false),
            ("http://a/x", "http://a:81/x", false),
            ("http://a/x?a=1", "http://a/x", false),
        ] {
            check(get(a), get(b), same);
        }
        let with = |headers: &[(&str, &str)]| request("http://a/", headers, "");
        check(with(&[("a", "1"), ("b", "2")]), with(&[("b", "2"), ("a", "1")]), true);
        check(with(&[("a", "1"), ("a", "2")]), with(&[("a", "2"), ("a", "1")]), false);
        check(with(&[("a", "1")]), with(&[("a", "2")]), false);
        let json = |body| request("http://a/", &[("content-type", "application/json")], body);
        for (a, b, same) in [
            (r#"{"a":1,"b":[1,2]}"#, "{ \"b\": [1, 2],\n\"a\": 1 }", true),
            (r#"{"a":1}"#, r#"{"a":"1"}"#, false),
            ("[1,2]", "[2,1]", false),
            // Values that would become equal by a loss of information stay different.
            ("[100000000000000000001]", "[100000000000000000002]", false),
            ("[1.0]", "[1.00]", false),
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":2}"#, false),
            ("{", "{ ", false),
        ] {
            check(json(a), json(b), same);
        }
        // Bodies that are not JSON are compared byte by byte.
        let text = |body| request("http://a/", &[("content-type", "text/plain")], body);
        check(text("[1]"), text("[ 1]"), false);
        assert_eq!(identity(&get("no URL")), None);
    }
}
