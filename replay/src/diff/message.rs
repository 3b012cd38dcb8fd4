//! The request and the response of two traces. Not compared are the HTTP version and who connected: how a request came,
//! not what it asked for.

use std::collections::BTreeMap;

use zerver_trace::{Header, Recorded, RecordedBody, Trace};

use super::build::{At, Found, number, text};
use super::model::What;
use super::value::{Changes, bytes};
use crate::Timeline;

pub(super) fn request(a: &Trace, b: &Trace, found: &mut Found<'_>) {
    if a.method != b.method {
        found.add(At::whole(What::RequestMethod), "", Some(text(&a.method)), Some(text(&b.method)));
    }
    path(a, b, found);
    by_name(query(a), query(b), |name, a, b| {
        if a != b {
            let side = |value: Option<&String>| value.map(|value| text(value));
            found.add(At::whole(What::RequestQuery), name, side(a), side(b));
        }
    });
    headers(What::RequestHeader, &a.request_headers, &b.request_headers, found);
    body(What::RequestBody, &a.request_body, &b.request_body, found);
}

pub(super) fn response(
    (a, of_a): (&Trace, &Timeline),
    (b, of_b): (&Trace, &Timeline),
    found: &mut Found<'_>,
) {
    let outcome = |trace: &Trace, of: &Timeline| {
        of.failure.as_ref().map_or_else(|| trace.outcome.as_str().to_owned(), ToString::to_string)
    };
    let (outcome_a, outcome_b) = (outcome(a, of_a), outcome(b, of_b));
    if outcome_a != outcome_b {
        found.add(At::whole(What::Outcome), "", Some(text(&outcome_a)), Some(text(&outcome_b)));
    }
    if a.status != b.status {
        let status = |trace: &Trace| Some(number(trace.status.into()));
        found.add(At::whole(What::ResponseStatus), "", status(a), status(b));
    }
    headers(What::ResponseHeader, &a.response_headers, &b.response_headers, found);
    body(What::ResponseBody, &a.response_body, &b.response_body, found);
}

/// The path: by the parameters of its pattern where both have the same one.
fn path(a: &Trace, b: &Trace, found: &mut Found<'_>) {
    if a.path == b.path {
        return;
    }
    let parameters = |trace: &Trace| parameters(&trace.flow.pattern, &trace.path);
    match (parameters(a), parameters(b)) {
        (Some(of_a), Some(of_b)) if a.flow.pattern == b.flow.pattern => {
            for ((name, a), (_, b)) in of_a.iter().zip(&of_b).filter(|((_, a), (_, b))| a != b) {
                found.add(At::whole(What::RequestParameter), name, Some(text(a)), Some(text(b)));
            }
        }
        _ => found.add(At::whole(What::RequestPath), "", Some(text(&a.path)), Some(text(&b.path))),
    }
}

/// The parameters of a path, as they came; none if it is no path of this pattern.
pub(crate) fn parameters(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut out = Vec::new();
    let mut rest = path.split('/');
    for part in pattern.split('/') {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        match name {
            Some(name) if name.starts_with('*') => {
                out.push((name[1..].to_owned(), rest.by_ref().collect::<Vec<_>>().join("/")));
            }
            Some(name) => out.push((name.to_owned(), rest.next()?.to_owned())),
            None if rest.next()? == part => {}
            None => return None,
        }
    }
    rest.next().is_none().then_some(out)
}

/// The parameters of the query, as they came; secrets in it are masked.
pub(crate) fn query(trace: &Trace) -> Vec<(String, String)> {
    let target = trace.target.value().map(zerver_trace::Value::root);
    let bytes = target.as_ref().and_then(|root| root.as_bytes()).unwrap_or_default();
    let target = String::from_utf8_lossy(&bytes);
    let Some((_, query)) = target.split_once('?') else { return Vec::new() };
    let pair = |part: &str| match part.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (part.to_owned(), String::new()),
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn headers(what: What, a: &[Header<Recorded>], b: &[Header<Recorded>], found: &mut Found<'_>) {
    let named = |headers: &[Header<Recorded>]| {
        headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect()
    };
    by_name(named(a), named(b), |name, a, b| {
        if !found.ignored_by.has(name) {
            found.compare(&At::whole(what), name, a, b, false);
        } else if a != b {
            found.ignore(name);
        }
    });
}

/// Hands over what has one name, by occurrence: first what `a` has in its order, then what only `b` has.
fn by_name<T>(a: Vec<(String, T)>, b: Vec<(String, T)>, mut each: impl FnMut(&str, Option<&T>, Option<&T>)) {
    let mut left: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (name, _)) in b.iter().enumerate().rev() {
        left.entry(name).or_default().push(at);
    }
    let mut taken = vec![false; b.len()];
    for (name, a) in &a {
        let partner = left.get_mut(name.as_str()).and_then(Vec::pop);
        if let Some(at) = partner {
            taken[at] = true;
        }
        each(name, Some(a), partner.map(|at| &b[at].1));
    }
    for ((name, b), _) in b.iter().zip(taken).filter(|(_, taken)| !taken) {
        each(name, None, Some(b));
    }
}

fn body(what: What, a: &RecordedBody, b: &RecordedBody, found: &mut Found<'_>) {
    let at = At::whole(what);
    let before = found.list.len();
    let raw = |body: &RecordedBody| -> Option<Vec<u8>> {
        body.bytes.value()?.root().as_bytes().map(std::borrow::Cow::into_owned)
    };
    match (raw(a), raw(b)) {
        // Bytes, or text in which secrets are masked.
        (Some(a), Some(b)) => {
            let mut changes = Changes::default();
            bytes(&mut String::new(), &a, &b, found.ignored_by, &mut changes);
            found.take(&at, changes);
        }
        _ => found.compare(&at, "", Some(&a.bytes), Some(&b.bytes), false),
    }
    // What differs may be beyond what was recorded.
    if found.list.len() == before && a.full_len != b.full_len {
        found.add(at, "length", Some(number(a.full_len)), Some(number(b.full_len)));
    }
}
