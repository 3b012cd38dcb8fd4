//! Paths as OpenAPI writes them. Two that differ only in the names of parameters are one path there, so all flows of a path
//! use the names of the first.

use std::collections::HashMap;

/// All paths of a document so far.
#[derive(Debug, Default)]
pub(super) struct PathTemplates(HashMap<String, (String, Vec<String>)>);

/// A path of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathTemplate {
    pub(super) path: String,
    /// Names of the parameters in the pattern.
    pub(super) params: Vec<String>,
    /// Names of the same parameters in the document.
    pub(super) shown: Vec<String>,
}

impl PathTemplates {
    /// Returns the path for a pattern.
    pub(super) fn find(&mut self, pattern: &str) -> PathTemplate {
        let (mut path, mut shape, mut params) = (String::new(), String::new(), Vec::new());
        let mut rest = pattern;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            path.push_str(before);
            shape.push_str(before);
            let end = from.find('}').filter(|_| from.starts_with('{') && !from.starts_with("{{"));
            let Some(end) = end else {
                // A doubled brace is a brace, which a path must encode.
                let encoded = if from.starts_with('{') { "%7B" } else { "%7D" };
                path.push_str(encoded);
                shape.push_str(encoded);
                rest = from.get(2..).unwrap_or_default();
                continue;
            };
            let name = from[1..end].trim_start_matches('*').to_owned();
            path.push_str(&format!("{{{name}}}"));
            shape.push_str("{}");
            params.push(name);
            rest = &from[end + 1..];
        }
        path.push_str(rest);
        shape.push_str(rest);
        let (path, shown) = self.0.entry(shape).or_insert_with(|| (path, params.clone())).clone();
        PathTemplate { path, params, shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_paths() {
        let mut templates = PathTemplates::default();
        let mut find = |pattern: &str| {
            let PathTemplate { path, params, shown } = templates.find(pattern);
            (path, params.join(","), shown.join(","))
        };
        let of =
            |path: &str, params: &str, shown: &str| (path.to_owned(), params.to_owned(), shown.to_owned());
        assert_eq!(find("/"), of("/", "", ""));
        assert_eq!(find("/a/{id}/b/{n}"), of("/a/{id}/b/{n}", "id,n", "id,n"));
        assert_eq!(find("/a/{x}/b/{y}"), of("/a/{id}/b/{n}", "x,y", "id,n"));
        assert_eq!(find("/files/{*rest}"), of("/files/{rest}", "rest", "rest"));
        assert_eq!(find("/a{{b}}/{c}"), of("/a%7Bb%7D/{c}", "c", "c"));
    }
}
