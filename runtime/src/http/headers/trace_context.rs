//! The trace context of a request (W3C Trace Context), as it is passed on: `traceparent`, and the `tracestate` that goes
//! with it. Both are read strictly, for what is passed on is vouched for.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::header_scan::{HeaderValues, TRACEPARENT};

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest `tracestate` that is passed on (section 3.3.1.5).
const STATE_BYTES: usize = 512;
/// The first to go from one that is longer.
const LONG_MEMBER_BYTES: usize = 128;
/// The most members that one may have (section 3.3.1.1).
const STATE_MEMBERS: usize = 32;

/// What is passed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TraceContext {
    pub(crate) traceparent: Option<Arc<str>>,
    /// None without a `traceparent` (section 3.3).
    pub(crate) tracestate: Option<Arc<str>>,
}

impl TraceContext {
    /// That of a request with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(TRACEPARENT).iter();
        Self::with(&HeaderValues { first: values.next(), is_doubled: values.next().is_some() }, headers)
    }

    /// The same, where the values of `traceparent` are known.
    pub(crate) fn with(traceparent: &HeaderValues<'_>, headers: &HeaderMap) -> Self {
        let text =
            traceparent.first.filter(|_| !traceparent.is_doubled).and_then(|value| value.to_str().ok());
        match text.and_then(parent) {
            Some(traceparent) => Self { traceparent: Some(traceparent), tracestate: state(headers) },
            None => Self::default(),
        }
    }
}

/// A valid `traceparent` as it is passed on (section 3.2).
fn parent(text: &str) -> Option<Arc<str>> {
    if !is_valid(text.as_bytes()) {
        return None;
    }
    if text.starts_with("00") {
        return Some(text.into());
    }
    // Of a later version only these fields are known, and of the flags one bit: it becomes the version that is known
    // (section 3.2.4).
    let flags = u8::from_str_radix(&text[53..55], 16).ok()?;
    Some(format!("00{}0{}", &text[2..53], flags & 1).into())
}

fn is_valid(text: &[u8]) -> bool {
    let hex = |range: std::ops::Range<usize>| {
        text.get(range).is_some_and(|part| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    };
    let zero = |range: std::ops::Range<usize>| text[range].iter().all(|&b| b == b'0');
    let hyphens = [2, 35, 52].iter().all(|&at| text.get(at) == Some(&b'-'));
    // A later version may have more after another hyphen.
    let end =
        if text.starts_with(b"00") { text.len() == 55 } else { matches!(text.get(55), None | Some(b'-')) };
    hyphens
        && end
        && hex(0..2)
        && hex(3..35)
        && hex(36..52)
        && hex(53..55)
        && !text.starts_with(b"ff")
        && !zero(3..35)
        && !zero(36..52)
}

/// The members of all `tracestate` lines in order (section 3.3.1); none where any of them is invalid, for then all are
/// to be discarded (section 4.3). Members that are empty are left out.
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
            if members.len() > STATE_MEMBERS {
                return None;
            }
        }
    }
    let len = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>();
    // Whole members go: long ones first, from the end, then the last ones (section 3.3.1.5).
    while len(&members) > STATE_BYTES + 1 {
        match members.iter().rposition(|member| member.len() > LONG_MEMBER_BYTES) {
            Some(at) => drop(members.remove(at)),
            None => drop(members.pop()),
        }
    }
    (!members.is_empty()).then(|| members.join(",").into())
}

/// Section 3.3.1.3.1: a vendor's name, or a tenant's and a system's.
fn is_key(key: &str) -> bool {
    let is_rest = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
    let is_name = |name: &str, at_most: usize, is_first: fn(&u8) -> bool| {
        name.len() <= at_most
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

/// Section 3.3.1.3.2.
fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=')
        && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(lines: &[(&'static str, &str)]) -> (Option<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let TraceContext { traceparent, tracestate } = TraceContext::of(&headers);
        (traceparent.map(|text| text.to_string()), tracestate.map(|text| text.to_string()))
    }

    #[test]
    fn only_what_the_standard_allows_is_passed_on() {
        let check = |text: &str, valid: bool| assert_eq!(is_valid(text.as_bytes()), valid, "{text:?}");
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true);
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true);
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more", false);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false);
        check("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false);
        check("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("", false);
    }

    #[test]
    fn a_later_version_is_passed_on_as_the_one_that_is_known() {
        let check = |text: &str, passed: Option<&str>| {
            assert_eq!(of(&[("traceparent", text)]).0.as_deref(), passed, "{text}");
        };
        let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        check(PARENT, Some(PARENT));
        check(&format!("cc-{ids}-01-what-the-future"), Some(PARENT));
        check(&format!("01-{ids}-ff"), Some(PARENT));
        check(&format!("fe-{ids}-fe-"), Some(&format!("00-{ids}-00")));
        check(&format!("ff-{ids}-01"), None);
        assert_eq!(of(&[("traceparent", PARENT), ("traceparent", PARENT)]).0, None);
    }

    #[test]
    fn a_tracestate_goes_with_its_traceparent() {
        let check = |lines: &[&str], passed: Option<&str>| {
            let mut all = vec![("traceparent", PARENT)];
            all.extend(lines.iter().map(|line| ("tracestate", *line)));
            assert_eq!(of(&all).1.as_deref(), passed, "{lines:?}");
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
        // Without a valid traceparent there is none to go with.
        assert_eq!(of(&[("tracestate", "rojo=1")]), (None, None));
        assert_eq!(of(&[("traceparent", "00-0-0-01"), ("tracestate", "rojo=1")]), (None, None));
    }

    #[test]
    fn of_a_tracestate_that_is_too_long_whole_members_go() {
        let member = |key: &str, len: usize| format!("{key}={}", "x".repeat(len - key.len() - 1));
        let check = |members: &[String], kept: &[usize]| {
            let passed = of(&[("traceparent", PARENT), ("tracestate", &members.join(","))]).1;
            let kept: Vec<_> = kept.iter().map(|&at| members[at].as_str()).collect();
            assert_eq!(passed.as_deref(), Some(kept.join(",").as_str()));
        };
        let just = [member("a", 127), member("b", 128), member("c", 128), member("d", 126)];
        assert_eq!(just.join(",").len(), 512);
        check(&just, &[0, 1, 2, 3]);
        check(&[member("a", 127), member("b", 128), member("c", 128), member("d", 127)], &[0, 1, 2]);
        check(&[member("a", 200), member("b", 100), member("c", 200), member("d", 100)], &[0, 1, 3]);
        check(&[member("a", 250), member("b", 250), member("c", 3), member("d", 100)], &[0, 2, 3]);
    }
}
