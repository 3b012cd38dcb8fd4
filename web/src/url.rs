//! Links within the UI, and the parameters in them. Every state that a user may want to share is in its URL.

use form_urlencoded::Serializer;
use zerver_trace::RequestId;

/// Parameters of a URL or a form, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// Returns the first value of a parameter; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    /// Returns true if the parameter is set to anything but `0`.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        !matches!(self.get(name), "" | "0")
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.get(name).parse().ok()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the path with these parameters, without those that are empty, and with some replaced. An empty new value
    /// removes a parameter.
    pub(crate) fn link(&self, path: &str, changes: &[(&str, &str)]) -> String {
        let kept = self.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let all: Vec<_> = kept.chain(changes.iter().copied()).collect();
        link(path, &all)
    }
}

/// Returns a path with parameters, without those that are empty.
pub(crate) fn link(path: &str, params: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in params.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Returns the path of a request, or of one of its pages.
pub(crate) fn request(id: RequestId, page: &str) -> String {
    if page.is_empty() { format!("/requests/{id}") } else { format!("/requests/{id}/{page}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_what_they_do_not_change() {
        let params = Params::parse(b"q=flow%3Aa+b&sort=took&at=");
        assert_eq!((params.get("q"), params.get("none")), ("flow:a b", ""));
        assert_eq!(params.link("/", &[("sort", ""), ("row", "3")]), "/?q=flow%3Aa+b&row=3");
        assert_eq!(link("/", &[("q", "")]), "/");
    }

    #[test]
    fn any_value_survives_a_link() {
        let hostile = "\"><script>&=#%\u{1b}\u{202e}ü+ ";
        let made = link("/", &[("q", hostile)]);
        let (_, query) = made.split_once('?').unwrap();
        assert_eq!(Params::parse(query.as_bytes()).get("q"), hostile);
        assert!(query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%+*-._=".contains(&byte)));
    }
}
