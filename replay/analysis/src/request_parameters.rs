//! Parameters in the path and the query of a recorded request.

use zerver_trace::Trace;

/// Returns the path parameters as they arrived, or `None` if the path does not match the pattern.
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

/// Returns the query parameters as they arrived, with secrets masked.
pub(crate) fn query(trace: &Trace) -> Vec<(String, String)> {
    let target = trace.target.value().map(zerver_trace::Value::root);
    let bytes = target.as_ref().and_then(|root| root.as_bytes()).unwrap_or_default();
    let target = String::from_utf8_lossy(&bytes);
    query_of(&target)
}

/// Returns the parameters of the query of a target.
pub(crate) fn query_of(target: &str) -> Vec<(String, String)> {
    let Some((_, query)) = target.split_once('?') else { return Vec::new() };
    let pair = |part: &str| match part.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (part.to_owned(), String::new()),
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}
