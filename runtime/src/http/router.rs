//! Selects the flow for a request by method and path.
//!
//! The path is matched as received. It is neither decoded nor normalized first: `/v1/%74odos` is not `/v1/todos`,
//! `/a/../b` is not `/b`, and `/a%2Fb` has one segment. Parameters are decoded after the match.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderValue, Method};
use zerver_engine::{Flow, Params};

use super::path_param;
use crate::StartError;

/// All routes of a program.
pub(crate) struct Router {
    paths: matchit::Router<usize>,
    resources: Vec<Resource>,
    /// Methods of all routes, for `OPTIONS *`.
    allow: HeaderValue,
}

/// Routes that share a pattern.
struct Resource {
    routes: Vec<Route>,
    allow: HeaderValue,
}

/// A flow with its parsed route.
pub(crate) struct Route {
    pub(crate) flow: Arc<Flow>,
    method: Method,
    params: Vec<Arc<str>>,
}

/// Result of a route lookup.
pub(crate) enum RouteMatch<'r> {
    /// A flow matches. Contains the flow and the decoded parameters of the path.
    Flow(&'r Arc<Flow>, Params),
    /// An `OPTIONS` request that no flow handles. Contains the allowed methods.
    Options(&'r HeaderValue),
    /// The path exists but does not accept this method. Contains the allowed methods.
    MethodNotAllowed(&'r HeaderValue),
    /// The path does not exist.
    NotFound,
    /// A parameter is not valid text.
    InvalidParam,
}

impl Router {
    /// # Errors
    /// Fails if two flows have the same name or conflicting routes, or if a route is malformed. The error names the
    /// flows.
    pub(crate) fn new(flows: &[Arc<Flow>]) -> Result<Self, StartError> {
        let mut patterns = HashMap::new();
        let mut paths = matchit::Router::new();
        let mut resources: Vec<Resource> = Vec::new();
        for (index, flow) in flows.iter().enumerate() {
            if let Some(other) = flows[..index].iter().find(|other| other.info().name == flow.info().name) {
                return Err(StartError::DuplicateName {
                    name: flow.info().name.clone(),
                    first: route_text(other),
                    second: route_text(flow),
                });
            }
            let (route, shape) = Route::new(flow)?;
            let resource = match patterns.get(&shape) {
                Some(&resource) => resource,
                None => {
                    paths.insert(shape.clone(), resources.len()).map_err(|error| {
                        let with = match &error {
                            matchit::InsertError::Conflict { with } => patterns.get(with),
                            _ => None,
                        };
                        match with.and_then(|&with: &usize| resources[with].routes.first()) {
                            Some(other) => StartError::Conflict {
                                first: other.flow.info().name.clone(),
                                second: flow.info().name.clone(),
                                first_route: route_text(&other.flow),
                                second_route: route_text(flow),
                            },
                            None => malformed(flow, &error.to_string()),
                        }
                    })?;
                    patterns.insert(shape, resources.len());
                    resources.push(Resource { routes: Vec::new(), allow: HeaderValue::from_static("") });
                    resources.len() - 1
                }
            };
            let resource = &mut resources[resource];
            if let Some(other) = resource.routes.iter().find(|other| other.method == route.method) {
                return Err(StartError::Conflict {
                    first: other.flow.info().name.clone(),
                    second: flow.info().name.clone(),
                    first_route: route_text(&other.flow),
                    second_route: route_text(flow),
                });
            }
            resource.routes.push(route);
        }
        for resource in &mut resources {
            resource.allow = allow(resource.routes.iter().map(|route| &route.method));
        }
        let allow = allow(resources.iter().flat_map(|resource| &resource.routes).map(|route| &route.method));
        Ok(Self { paths, resources, allow })
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> RouteMatch<'_> {
        if path == "*" && method == Method::OPTIONS {
            return RouteMatch::Options(&self.allow);
        }
        let Ok(found) = self.paths.at(path) else { return RouteMatch::NotFound };
        let Resource { routes, allow } = &self.resources[*found.value];
        let route = routes.iter().find(|route| route.method == *method).or_else(|| {
            let get = || routes.iter().find(|route| route.method == Method::GET);
            if method == Method::HEAD { get() } else { None }
        });
        let Some(route) = route else {
            return if method == Method::OPTIONS {
                RouteMatch::Options(allow)
            } else {
                RouteMatch::MethodNotAllowed(allow)
            };
        };
        let mut params = Params::new();
        for (name, (_, raw)) in std::iter::zip(&route.params, found.params.iter()) {
            let Some(value) = path_param::decode(raw) else { return RouteMatch::InvalidParam };
            params.push((Arc::clone(name), value));
        }
        RouteMatch::Flow(&route.flow, params)
    }
}

impl Route {
    /// Parses the route of a flow. Also returns its pattern with numbers in place of parameter names: two flows that
    /// differ only in method have the same.
    fn new(flow: &Arc<Flow>) -> Result<(Self, String), StartError> {
        let info = flow.info();
        let method = Method::from_bytes(info.method.as_bytes())
            .map_err(|_| malformed(flow, &format!("{:?} is not an HTTP method", info.method)))?;
        let pattern = info.pattern.as_str();
        if !pattern.starts_with('/') {
            return Err(malformed(flow, "a pattern must start with a slash"));
        }
        if let Some(invalid) = pattern.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#')) {
            return Err(malformed(flow, &format!("{invalid:?} is not allowed in a path; percent-encode it")));
        }
        let (mut shape, mut params) = (String::new(), Vec::<Arc<str>>::new());
        let mut rest = pattern;
        while let Some(open) = rest.find('{') {
            let (before, inside) = (&rest[..open], &rest[open + 1..]);
            shape.push_str(before);
            if let Some(after) = inside.strip_prefix('{') {
                shape.push_str("{{");
                rest = after;
                continue;
            }
            let close = inside.find('}').ok_or_else(|| malformed(flow, "a brace is not closed"))?;
            let (star, name) = match inside[..close].strip_prefix('*') {
                Some(name) => ("*", name),
                None => ("", &inside[..close]),
            };
            if name.is_empty() || params.iter().any(|known| **known == *name) {
                return Err(malformed(flow, "each parameter needs a distinct name"));
            }
            shape.push_str(&format!("{{{star}{}}}", params.len()));
            params.push(name.into());
            rest = &inside[close + 1..];
        }
        shape.push_str(rest);
        Ok((Self { flow: Arc::clone(flow), method, params }, shape))
    }
}

fn malformed(flow: &Flow, reason: &str) -> StartError {
    StartError::Route { flow: flow.info().name.clone(), route: route_text(flow), reason: reason.to_owned() }
}

fn route_text(flow: &Flow) -> String {
    format!("{} {}", flow.info().method, flow.info().pattern)
}

/// Value of the `allow` header: the given methods, `HEAD` if `GET` is one of them, and `OPTIONS`.
fn allow<'m>(methods: impl Iterator<Item = &'m Method>) -> HeaderValue {
    let mut names: Vec<&str> = methods.map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.dedup();
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
