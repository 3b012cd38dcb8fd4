//! Compares the requests and the responses of two traces. The HTTP version and the peer are not compared: they show how
//! a request arrived, not what it asked for.

use std::collections::BTreeMap;

use zerver_replay::value::masked_text;
use zerver_trace::{Header, Origin, Recorded, RecordedBody, Trace};

use crate::Timeline;
use crate::diff::compare::differences::{Differences, Subject, number, text};
use crate::diff::compare::outcome;
use crate::diff::compare::value_changes::{Changes, ONE_SIDE, bytes, recorded};
use crate::diff::difference::DifferenceKind;
use crate::request_parameters::{parameters, query};

pub(crate) fn request(a: &Trace, b: &Trace, found: &mut Differences<'_>) {
    if a.method != b.method {
        found.add(
            Subject::whole(DifferenceKind::RequestMethod),
            "",
            Some(text(&a.method)),
            Some(text(&b.method)),
        );
    }
    authority(a, b, found);
    target(a, b, found);
    let outlines = [is_outline(a), is_outline(b)];
    let parts = [(&a.request_headers, &a.request_body), (&b.request_headers, &b.request_body)];
    headers_and_body([DifferenceKind::RequestHeader, DifferenceKind::RequestBody], parts, outlines, found);
}

pub(crate) fn response(
    (a, of_a): (&Trace, &Timeline),
    (b, of_b): (&Trace, &Timeline),
    found: &mut Differences<'_>,
) {
    outcome::compare((a, of_a), (b, of_b), found);
    if a.status != b.status {
        let status = |trace: &Trace| Some(number(trace.status.into()));
        found.add(Subject::whole(DifferenceKind::ResponseStatus), "", status(a), status(b));
    }
    let outlines = [is_outline(a), is_outline(b)];
    let parts = [(&a.response_headers, &a.response_body), (&b.response_headers, &b.response_body)];
    headers_and_body([DifferenceKind::ResponseHeader, DifferenceKind::ResponseBody], parts, outlines, found);
}

/// Returns true if the trace was too large, so that its headers were left out as well.
const fn is_outline(trace: &Trace) -> bool {
    trace.events_dropped > 0 && matches!(trace.target, Recorded::Missing(_))
}

/// Compares headers and body. The length follows from the body, so it comes last.
fn headers_and_body(
    [header, of_body]: [DifferenceKind; 2],
    [(a_headers, a_body), (b_headers, b_body)]: [(&Vec<Header<Recorded>>, &RecordedBody); 2],
    outlines: [bool; 2],
    found: &mut Differences<'_>,
) {
    if outlines != [false, false] {
        found.skip(&Subject::whole(header), "", "the headers were not recorded: too large");
        return body(of_body, a_body, b_body, found);
    }
    let is_length = |header: &&Header<Recorded>| header.name == "content-length";
    let split = |of: &[Header<Recorded>]| -> (Vec<Header<Recorded>>, Vec<Header<Recorded>>) {
        let (lengths, others): (Vec<_>, Vec<_>) = of.iter().partition(is_length);
        (others.into_iter().cloned().collect(), lengths.into_iter().cloned().collect())
    };
    let ((a_headers, a_lengths), (b_headers, b_lengths)) = (split(a_headers), split(b_headers));
    headers(header, &a_headers, &b_headers, found);
    body(of_body, a_body, b_body, found);
    headers(header, &a_lengths, &b_lengths, found);
}

/// Compares the authorities of the targets, such as `:authority` in HTTP/2. If only one target has an authority, the
/// other side's is its `Host` header.
fn authority(a: &Trace, b: &Trace, found: &mut Differences<'_>) {
    let at = Subject::whole(DifferenceKind::RequestAuthority);
    let host = |trace: &Trace| trace.request_headers.iter().find(|header| header.name == "host").cloned();
    match (&a.origin, &b.origin) {
        (Origin::Named(a), Origin::Named(b)) => found.compare(&at, "", Some(a), Some(b), false),
        (Origin::Named(_), Origin::Absent) | (Origin::Absent, Origin::Named(_)) => {
            let shown = |trace: &Trace| match trace.origin.visible() {
                Some((_, authority)) => authority,
                None => {
                    let value = host(trace).and_then(|header| header.value.value().cloned());
                    let root = value.as_ref().map(zerver_trace::Value::root);
                    let bytes = root.as_ref().and_then(|root| root.as_bytes()).unwrap_or_default();
                    String::from_utf8_lossy(&bytes).into_owned()
                }
            };
            let (a, b) = (shown(a), shown(b));
            if a != b {
                found.add(at, "", Some(text(&a)), Some(text(&b)));
            }
        }
        (Origin::Absent, Origin::Absent) => {}
        (Origin::NotRecorded, _) | (_, Origin::NotRecorded) => {
            // HTTP/1 has the authority in a header, which is compared.
            let is_unknown = |trace: &Trace| trace.origin == Origin::NotRecorded && host(trace).is_none();
            if is_unknown(a) || is_unknown(b) {
                found.skip(&at, "", "not recorded under an older schema");
            }
        }
    }
}

/// Compares path and query: by path parameters if both flows have the same pattern.
fn target(a: &Trace, b: &Trace, found: &mut Differences<'_>) {
    let at = Subject::whole(DifferenceKind::RequestPath);
    let mut changes = Changes::default();
    recorded("", Some(&a.target), Some(&b.target), found.how(false), &mut changes);
    if changes.list.is_empty() && changes.not_compared.is_empty() {
        return;
    }
    // A mask may stand for text that is equal on the other side.
    let why_masks_may_differ = [a, b].iter().any(|trace| trace.target.is_secret())
        && !(found.has_one_key && a.target.is_secret() && b.target.is_secret());
    let before = found.list.len() + found.not_compared.len();
    let mut differ = |what: DifferenceKind, name: &str, a: Option<&str>, b: Option<&str>| match (a, b) {
        (Some(a), Some(b)) if why_masks_may_differ && masked_text::may_be_equal(a, b) => {
            found.skip(&Subject::whole(what), name, ONE_SIDE);
        }
        (a, b) => found.add(Subject::whole(what), name, a.map(text), b.map(text)),
    };
    if a.path != b.path {
        let parameters = |trace: &Trace| parameters(&trace.flow.pattern, &trace.path);
        match (parameters(a), parameters(b)) {
            (Some(of_a), Some(of_b)) if a.flow.pattern == b.flow.pattern => {
                for ((name, a), (_, b)) in of_a.iter().zip(&of_b).filter(|((_, a), (_, b))| a != b) {
                    differ(DifferenceKind::RequestParameter, name, Some(a), Some(b));
                }
            }
            _ => differ(DifferenceKind::RequestPath, "", Some(&a.path), Some(&b.path)),
        }
    }
    if a.target.value().is_some() && b.target.value().is_some() {
        by_name(query(a), query(b), |name, a, b| {
            if a != b {
                differ(DifferenceKind::RequestQuery, name, a.map(String::as_str), b.map(String::as_str));
            }
        });
    }
    if found.list.len() + found.not_compared.len() > before {
        return;
    }
    // The difference is unknown or in the notation: the order of names, a `?` without a query.
    found.take(&at, changes);
}

fn headers(
    what: DifferenceKind,
    a: &[Header<Recorded>],
    b: &[Header<Recorded>],
    found: &mut Differences<'_>,
) {
    let named = |headers: &[Header<Recorded>]| {
        headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect()
    };
    by_name(named(a), named(b), |name, a, b| {
        if !found.ignored_by.has(name) {
            found.compare(&Subject::whole(what), name, a, b, false);
        } else if a != b {
            found.ignore(name);
        }
    });
}

/// Pairs entries by name and occurrence: first those of `a` in order, then those that only `b` has.
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

fn body(what: DifferenceKind, a: &RecordedBody, b: &RecordedBody, found: &mut Differences<'_>) {
    let at = Subject::whole(what);
    let before = found.list.len();
    if a.full_len != 0 || b.full_len != 0 {
        match is_cut(a) || is_cut(b) {
            true => cut_bodies(at, a, b, found),
            false => found.compare(&at, "", Some(&a.bytes), Some(&b.bytes), false),
        }
    }
    // The difference may be beyond what was recorded.
    if found.list.len() == before && a.full_len != b.full_len {
        found.add(at, "length", Some(number(a.full_len)), Some(number(b.full_len)));
    }
}

const fn is_cut(body: &RecordedBody) -> bool {
    body.kept_len < body.full_len
}

/// Compares bodies of which only a part was recorded.
fn cut_bodies(at: Subject<'_>, a: &RecordedBody, b: &RecordedBody, found: &mut Differences<'_>) {
    let kept = a.kept_len.min(b.kept_len);
    let is_plain = matches!((&a.bytes, &b.bytes), (Recorded::Plain { .. }, Recorded::Plain { .. }));
    if a.kept_len == b.kept_len && (a.bytes.is_secret() || is_plain) {
        found.compare(&at, "", Some(&a.bytes), Some(&b.bytes), false);
    } else if is_plain {
        let of = |body: &RecordedBody| -> Vec<u8> {
            let root = body.bytes.value().map(zerver_trace::Value::root);
            let bytes = root.as_ref().and_then(|root| root.as_bytes()).unwrap_or_default();
            bytes[..bytes.len().min(kept as usize)].to_vec()
        };
        let mut changes = Changes::default();
        bytes(&mut String::new(), &of(a), &of(b), found.how(false), &mut changes);
        found.take(&at, changes);
    }
    found.skip(&at, "", format!("not recorded after its first {kept} bytes"));
}
