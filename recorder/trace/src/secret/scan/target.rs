//! The search in the target of a request: its path, path parameters and query.

use std::ops::Range;

use super::scanner::Scan;
use super::text::form;
use crate::secret::{Author, Rule, merge_spans};

/// Returns the spans of the secrets in the target of a request, in order.
pub(crate) fn target(rule: &Rule, flow: &str, pattern: &str, target: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let path = target.iter().position(|&b| b == b'?').unwrap_or(target.len());
    if rule.may_be_in(&target[..path]) {
        Scan::new(rule, &target[..path], Author::Client, &mut spans).all();
    }
    path_parameters(rule, flow, pattern, &target[..path], &mut spans);
    if path < target.len() {
        let is_secret = |name: &[u8]| rule.is_parameter(flow, &String::from_utf8_lossy(name));
        form(rule, target, path + 1..target.len(), Author::Client, 0, &is_secret, &mut spans);
    }
    merge_spans(spans)
}

/// Finds the segments of a path that are secret parameters of its route.
fn path_parameters(rule: &Rule, flow: &str, pattern: &str, path: &[u8], spans: &mut Vec<Range<usize>>) {
    if !pattern.contains('{') {
        return;
    }
    // In a target in absolute form, the path follows the authority.
    let scheme = match path {
        [b'/', ..] => None,
        _ => path
            .windows(3)
            .position(|window| window == b"://")
            .filter(|&at| path[..at].iter().all(u8::is_ascii_alphabetic)),
    };
    let mut at = scheme.map_or(0, |at| {
        let authority = at + 3;
        path[authority..].iter().position(|&b| b == b'/').map_or(path.len(), |len| authority + len)
    });
    for segment in pattern.as_bytes().split(|&b| b == b'/').skip(1) {
        if path.get(at) != Some(&b'/') {
            return;
        }
        at += 1;
        let is_rest = segment.starts_with(b"{*");
        let len = path[at..].iter().position(|&b| b == b'/' && !is_rest).unwrap_or(path.len() - at);
        if let Some((start, name, end)) = parameter(segment)
            && rule.is_path_parameter(flow, name.trim_start_matches('*'))
        {
            spans.push((at + start).min(at + len)..(at + len).saturating_sub(end));
        }
        at += len;
    }
}

/// Returns the name of the parameter in a segment of a pattern, and the number of bytes before and after it.
fn parameter(segment: &[u8]) -> Option<(usize, &str, usize)> {
    let start = segment.iter().position(|&b| b == b'{')?;
    let len = segment[start..].iter().position(|&b| b == b'}')?;
    let name = str::from_utf8(&segment[start + 1..start + len]).ok()?;
    Some((start, name, segment.len() - start - len - 1))
}
