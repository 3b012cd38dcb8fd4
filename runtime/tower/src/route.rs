//! The route of a request, as the router has found it. A layer of a whole router of axum runs behind its routing.

use http::Extensions;

/// Pattern of a route.
#[cfg(feature = "axum")]
#[derive(Debug)]
pub(crate) struct Route(axum::extract::MatchedPath);

#[cfg(feature = "axum")]
impl Route {
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get().cloned().map(Self)
    }

    pub(crate) fn pattern(&self) -> &str {
        self.0.as_str()
    }
}

/// Without axum, no route is known.
#[cfg(not(feature = "axum"))]
#[derive(Debug)]
pub(crate) enum Route {}

#[cfg(not(feature = "axum"))]
impl Route {
    pub(crate) const fn of(_: &Extensions) -> Option<Self> {
        None
    }

    pub(crate) const fn pattern(&self) -> &str {
        match *self {}
    }
}
