//! Trace context of a request (W3C Trace Context), as it is propagated to other services: `traceparent`, and the
//! `tracestate` that belongs to it. Both are parsed strictly, so that only valid values are propagated.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use zerver_trace::TraceParent;

use super::header_scan::HeaderValues;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Maximum length of a `baggage`, and maximum number of its members, that have to be propagated (W3C Baggage, section 3.3.2).
const MAX_BAGGAGE_BYTES: usize = 8_192;
const MAX_BAGGAGE_MEMBERS: usize = 64;
/// Maximum length of a `tracestate` that is propagated (section 3.3.1.5).
const MAX_STATE_BYTES: usize = 512;
/// Length above which a member is removed first from a `tracestate` that is too long.
const LONG_MEMBER_BYTES: usize = 128;
/// Maximum number of members of a `tracestate` (section 3.3.1.1).
const MAX_STATE_MEMBERS: usize = 32;

/// Trace context to propagate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TraceContext {
    pub(crate) traceparent: Option<TraceParent>,
    /// `None` if there is no `traceparent` (section 3.3).
    pub(crate) tracestate: Option<Arc<str>>,
}

impl TraceContext {
    /// Parses the trace context in these headers.
    #[cfg(any(test, feature = "replay"))]
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(super::header_scan::TRACEPARENT).iter();
        Self::new(&HeaderValues { first: values.next(), is_repeated: values.next().is_some() }, headers)
    }

    /// Parses the trace context if the values of `traceparent` have already been looked up.
    pub(crate) fn new(traceparent: &HeaderValues<'_>, headers: &HeaderMap) -> Self {
        let text =
            traceparent.first.filter(|_| !traceparent.is_repeated).and_then(|value| value.to_str().ok());
        match text.and_then(TraceParent::parse) {
            Some(parent) => Self { traceparent: Some(parent), tracestate: state(headers) },
            None => Self::default(),
        }
    }
}

/// Returns the `baggage` of a request as one line (W3C Baggage, section 3.3.1), or `None` if it is invalid or exceeds the
/// limits within which it has to be propagated.
pub(crate) fn baggage(headers: &HeaderMap) -> Option<Arc<str>> {
    let lines = headers.get_all(BAGGAGE).iter().map(|line| line.to_str().ok());
    let joined = lines.collect::<Option<Vec<_>>>()?.join(",");
    let is_member = |member: &str| member.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty());
    let mut members = joined.split(',').map(str::trim).filter(|member| !member.is_empty());
    let is_valid = joined.len() <= MAX_BAGGAGE_BYTES
        && members.clone().count() <= MAX_BAGGAGE_MEMBERS
        && members.clone().next().is_some()
        && members.all(is_member);
    is_valid.then(|| joined.into())
}

/// Joins the members of all `tracestate` headers in order (section 3.3.1), without empty ones. `None` if any member is
/// invalid, because then all must be discarded (section 4.3).
fn state(headers: &HeaderMap) -> Option<Arc<str>> {
    let mut members = Vec::new();
    for line in headers.get_all(TRACESTATE) {
        for member in line.to_str().ok()?.split(',') {
            let member = member.trim_matches([' ', '\t']);
            match member.split_once('=') {
                None if member.is_empty() => continue,
                Some((key, value)) if is_key(key) && is_value(value) => members.push(member),
                _ => return None,
            }
            if members.len() > MAX_STATE_MEMBERS {
                return None;
            }
        }
    }
    let len = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>();
    // Remove whole members: long ones first, starting at the end, then the last ones (section 3.3.1.5).
    while len(&members) > MAX_STATE_BYTES + 1 {
        match members.iter().rposition(|member| member.len() > LONG_MEMBER_BYTES) {
            Some(index) => drop(members.remove(index)),
            None => drop(members.pop()),
        }
    }
    (!members.is_empty()).then(|| members.join(",").into())
}

/// Returns true for a valid key: the name of a vendor, or of a tenant and a system (section 3.3.1.3.1).
fn is_key(key: &str) -> bool {
    let is_rest = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
    let is_name = |name: &str, max_len: usize, is_first: fn(&u8) -> bool| {
        name.len() <= max_len
            && name.as_bytes().first().is_some_and(is_first)
            && name.bytes().all(|b| is_rest(&b))
    };
    match key.split_once('@') {
        None => is_name(key, 256, u8::is_ascii_lowercase),
        Some((tenant, system)) => {
            is_name(tenant, 241, |b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && is_name(system, 14, u8::is_ascii_lowercase)
        }
    }
}

/// Returns true for a valid value (section 3.3.1.3.2).
fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=')
        && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn propagated(lines: &[(&'static str, &str)]) -> (Option<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let TraceContext { traceparent, tracestate } = TraceContext::from_headers(&headers);
        (traceparent.map(|parent| parent.to_string()), tracestate.map(|text| text.to_string()))
    }

    #[test]
    fn a_later_version_is_propagated_as_version_00() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(propagated(&[("traceparent", text)]).0.as_deref(), expected, "{text}");
        };
        let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        check(PARENT, Some(PARENT));
        check(&format!("cc-{ids}-01-what-the-future"), Some(PARENT));
        check(&format!("01-{ids}-ff"), Some(PARENT));
        check(&format!("fe-{ids}-fe-"), Some(&format!("00-{ids}-00")));
        check(&format!("ff-{ids}-01"), None);
        assert_eq!(propagated(&[("traceparent", PARENT), ("traceparent", PARENT)]).0, None);
    }

    #[test]
    fn a_valid_tracestate_is_propagated_with_its_traceparent() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let mut all = vec![("traceparent", PARENT)];
            all.extend(lines.iter().map(|line| ("tracestate", *line)));
            assert_eq!(propagated(&all).1.as_deref(), expected, "{lines:?}");
        };
        check(&[], None);
        check(&[""], None);
        check(&["rojo=1"], Some("rojo=1"));
        check(
            &["rojo=00f067aa0ba902b7, congo=t61rcWkgMzE", "a@b=c "],
            Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,a@b=c"),
        );
        check(&["b=2", "a=1"], Some("b=2,a=1"));
        check(&["foo=1 \t , \t bar=2,,baz=3", ""], Some("foo=1,bar=2,baz=3"));
        check(
            &["0tenant@sys=!#$%&'()*+-./0123456789:;<>?@[]^_`{|}~ x"],
            Some("0tenant@sys=!#$%&'()*+-./0123456789:;<>?@[]^_`{|}~ x"),
        );
        for invalid in [
            "foo",
            "=1",
            "foo=",
            "FOO=1",
            "foo =1",
            "foo@=1",
            "@foo=1",
            "foo@@bar=1",
            "foo@bar@baz=1",
            "foo.bar=1",
            "foo=bar=baz",
            "foo=b\tr",
            "9foo=1",
            "foo=1,bar",
        ] {
            check(&["ok=1", invalid], None);
        }
        let long = |len: usize| "z".repeat(len);
        check(&[&format!("{}=1", long(256))], Some(&format!("{}=1", long(256))));
        check(&[&format!("{}=1", long(257))], None);
        check(&[&format!("{}@{}=1", long(241), long(14))], Some(&format!("{}@{}=1", long(241), long(14))));
        check(&[&format!("{}@v=1", long(242))], None);
        check(&[&format!("t@{}=1", long(15))], None);
        check(&[&format!("a={}", long(256))], Some(&format!("a={}", long(256))));
        check(&[&format!("a={}", long(257))], None);
        let many = |count: usize| (0..count).map(|at| format!("k{at}=1")).collect::<Vec<_>>().join(",");
        check(&[&many(32)], Some(&many(32)));
        check(&[&many(33)], None);
        // A tracestate without a valid traceparent is discarded.
        assert_eq!(propagated(&[("tracestate", "rojo=1")]), (None, None));
        assert_eq!(propagated(&[("traceparent", "00-0-0-01"), ("tracestate", "rojo=1")]), (None, None));
    }

    #[test]
    fn a_valid_baggage_is_propagated_as_one_line() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let headers = lines.iter().map(|line| (BAGGAGE, line.parse().unwrap())).collect();
            assert_eq!(baggage(&headers).as_deref(), expected, "{lines:?}");
        };
        check(&[], None);
        check(&[""], None);
        check(&["user=ann;ttl=1, tier = gold"], Some("user=ann;ttl=1, tier = gold"));
        check(&["a=1", "b=2"], Some("a=1,b=2"));
        check(&["a"], None);
        check(&["=1"], None);
        check(&["a=\u{fc}"], None);
        let many = |count: usize| vec!["k=1"; count].join(",");
        check(&[&many(64)], Some(&many(64)));
        check(&[&many(65)], None);
        check(&[&format!("a={}", "x".repeat(8_190))], Some(&format!("a={}", "x".repeat(8_190))));
        check(&[&format!("a={}", "x".repeat(8_191))], None);
    }

    #[test]
    fn whole_members_are_removed_from_a_tracestate_that_is_too_long() {
        let member = |key: &str, len: usize| format!("{key}={}", "x".repeat(len - key.len() - 1));
        let check = |members: &[String], kept: &[usize]| {
            let passed = propagated(&[("traceparent", PARENT), ("tracestate", &members.join(","))]).1;
            let kept: Vec<_> = kept.iter().map(|&at| members[at].as_str()).collect();
            assert_eq!(passed.as_deref(), Some(kept.join(",").as_str()));
        };
        let longest = [member("a", 127), member("b", 128), member("c", 128), member("d", 126)];
        assert_eq!(longest.join(",").len(), 512);
        check(&longest, &[0, 1, 2, 3]);
        check(&[member("a", 127), member("b", 128), member("c", 128), member("d", 127)], &[0, 1, 2]);
        check(&[member("a", 200), member("b", 100), member("c", 200), member("d", 100)], &[0, 1, 3]);
        check(&[member("a", 250), member("b", 250), member("c", 3), member("d", 100)], &[0, 2, 3]);
    }
}
