//! The routes of a catalog, whatever the names of their parameters.

use std::collections::BTreeMap;

use zerver_trace::CatalogFlow;

/// Routes and aliases, with the names of their flows.
pub(super) struct Routes<'a>(BTreeMap<(&'a str, String), &'a str>);

impl<'a> Routes<'a> {
    pub(super) fn of(flows: &'a [CatalogFlow]) -> Self {
        let routes = flows.iter().flat_map(|flow| {
            let aliases = flow.declaration.iter().flat_map(|declaration| &declaration.aliases);
            let patterns = std::iter::once(&flow.flow.pattern).chain(aliases.map(|alias| &alias.pattern));
            patterns.map(|pattern| ((flow.flow.method.as_str(), shape(pattern)), flow.flow.name.as_str()))
        });
        Self(routes.collect())
    }

    /// Returns the name of the flow that takes these requests.
    pub(super) fn owner(&self, method: &'a str, pattern: &str) -> Option<&'a str> {
        self.0.get(&(method, shape(pattern))).copied()
    }
}

/// Returns a pattern without the names of its parameters.
fn shape(pattern: &str) -> String {
    let (mut shape, mut rest) = (String::new(), pattern);
    while let Some(open) = rest.find('{') {
        let Some(len) = rest[open..].find('}') else { break };
        let is_rest = rest[open..].starts_with("{*");
        shape.push_str(&rest[..open]);
        shape.push_str(if is_rest { "{*}" } else { "{}" });
        rest = &rest[open + len + 1..];
    }
    shape + rest
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn names_of_parameters_do_not_count() {
        assert_eq!(shape("/a/{id}/b"), shape("/a/{x}/b"));
        assert_ne!(shape("/a/{id}"), shape("/a/{*id}"));
        assert_ne!(shape("/a/{id}"), shape("/a/{id}/"));
        assert_eq!(shape("/a/{id"), "/a/{id");
    }
}
