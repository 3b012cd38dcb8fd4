//! Selects the flow for a request by method and path.
//!
//! The path is matched as received. It is neither decoded nor normalized first: `/v1/%74odos` is not `/v1/todos`,
//! `/a/../b` is not `/b`, and `/a%2Fb` has one segment. Parameters are decoded after the match.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderValue, Method};
use zerver_engine::{Alias, Flow, Params};

use super::alias_route::{AliasRoute, AliasUse, PathPart};
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
    /// Names of the parameters of the flow's route.
    params: Vec<Arc<str>>,
    /// Set if it is an alias of the flow.
    alias: Option<AliasedRoute>,
}

/// The part of a route that only an alias has.
struct AliasedRoute {
    route: Arc<AliasRoute>,
    /// For each parameter of the flow's route, its position in the alias.
    positions: Vec<usize>,
}

/// Result of a route lookup.
pub(crate) enum RouteMatch<'r> {
    /// A flow matches. Contains the flow, the decoded parameters of the path, and the alias if the path is one.
    Flow(&'r Arc<Flow>, Params, Option<Box<AliasUse>>),
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
        let mut routes = Vec::new();
        for (index, flow) in flows.iter().enumerate() {
            if let Some(other) = flows[..index].iter().find(|other| other.info().name == flow.info().name) {
                return Err(StartError::DuplicateName {
                    name: flow.info().name.clone(),
                    first: route_text(other),
                    second: route_text(flow),
                });
            }
            let (route, shape) = Route::new(flow)?;
            let names = route.params.clone();
            routes.push((route, shape));
            for alias in flow.aliases() {
                routes.push(Route::of_alias(flow, alias, &names)?);
            }
        }
        let mut patterns = HashMap::new();
        let mut paths = matchit::Router::new();
        let mut resources: Vec<Resource> = Vec::new();
        for (route, shape) in routes {
            let resource = match patterns.get(&shape) {
                Some(&resource) => resource,
                None => {
                    paths.insert(shape.clone(), resources.len()).map_err(|error| {
                        let with = match &error {
                            matchit::InsertError::Conflict { with } => patterns.get(with),
                            _ => None,
                        };
                        match with.and_then(|&with: &usize| resources[with].routes.first()) {
                            Some(other) => conflict(other, &route),
                            None => malformed(&route.flow, route.pattern(), &error.to_string()),
                        }
                    })?;
                    patterns.insert(shape, resources.len());
                    resources.push(Resource { routes: Vec::new(), allow: HeaderValue::from_static("") });
                    resources.len() - 1
                }
            };
            let resource = &mut resources[resource];
            if let Some(other) = resource.routes.iter().find(|other| other.method == route.method) {
                return Err(conflict(other, &route));
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
        if let Some(alias) = &route.alias {
            return route.find_alias(alias, &found.params);
        }
        let mut params = Params::new();
        for (name, (_, raw)) in std::iter::zip(&route.params, found.params.iter()) {
            let Some(value) = path_param::decode(raw) else { return RouteMatch::InvalidParam };
            params.push((Arc::clone(name), value));
        }
        RouteMatch::Flow(&route.flow, params, None)
    }

    /// Returns the aliases, with their flows.
    #[cfg(feature = "metrics")]
    pub(crate) fn aliases(&self) -> impl Iterator<Item = (&Flow, &AliasRoute)> {
        let routes = self.resources.iter().flat_map(|resource| &resource.routes);
        routes.filter_map(|route| Some((&*route.flow, &*route.alias.as_ref()?.route)))
    }
}

impl Route {
    /// Parses the route of a flow. Also returns its pattern with numbers in place of parameter names: two flows that
    /// differ only in method have the same.
    fn new(flow: &Arc<Flow>) -> Result<(Self, String), StartError> {
        let pattern = flow.info().pattern.as_str();
        let parsed = parse(pattern).map_err(|reason| malformed(flow, pattern, &reason))?;
        let method = Method::from_bytes(flow.info().method.as_bytes()).map_err(|_| {
            malformed(flow, pattern, &format!("{:?} is not an HTTP method", flow.info().method))
        })?;
        let route = Self { flow: Arc::clone(flow), method, params: parsed.params, alias: None };
        Ok((route, parsed.shape))
    }

    /// Parses the route of an alias. `params` are the parameters of the flow's route.
    fn of_alias(flow: &Arc<Flow>, alias: &Alias, params: &[Arc<str>]) -> Result<(Self, String), StartError> {
        let error = |reason: &str| malformed(flow, alias.pattern(), reason);
        let parsed = parse(alias.pattern()).map_err(|reason| error(&reason))?;
        let position = |name: &Arc<str>| parsed.params.iter().position(|known| known == name);
        let positions: Option<Vec<usize>> = params.iter().map(position).collect();
        let Some(positions) = positions.filter(|positions| positions.len() == parsed.params.len()) else {
            return Err(error(&format!("an alias must have the parameters of {}", flow.info().pattern)));
        };
        let path = parse(&flow.info().pattern).map_err(|reason| error(&reason))?.parts;
        let (route, _) = Self::new(flow)?;
        let route_of_alias = Arc::new(AliasRoute::new(*alias, path));
        Ok((Self { alias: Some(AliasedRoute { route: route_of_alias, positions }), ..route }, parsed.shape))
    }

    fn pattern(&self) -> &str {
        self.alias.as_ref().map_or(&self.flow.info().pattern, |alias| alias.route.alias().pattern())
    }

    fn find_alias(&self, alias: &AliasedRoute, found: &matchit::Params<'_, '_>) -> RouteMatch<'_> {
        let found: Vec<&str> = found.iter().map(|(_, raw)| raw).collect();
        let raw: Vec<&str> =
            alias.positions.iter().map(|&at| found.get(at).copied().unwrap_or_default()).collect();
        let mut params = Params::new();
        for (name, raw) in std::iter::zip(&self.params, &raw) {
            let Some(value) = path_param::decode(raw) else { return RouteMatch::InvalidParam };
            params.push((Arc::clone(name), value));
        }
        RouteMatch::Flow(&self.flow, params, Some(Box::new(alias.route.enter(&raw))))
    }
}

/// A pattern that has been parsed.
struct ParsedPattern {
    /// The pattern with numbers in place of the names of its parameters.
    shape: String,
    params: Vec<Arc<str>>,
    parts: Vec<PathPart>,
}

/// Parses a pattern. Returns what is wrong with it if it is malformed.
fn parse(pattern: &str) -> Result<ParsedPattern, String> {
    if !pattern.starts_with('/') {
        return Err("a pattern must start with a slash".to_owned());
    }
    if let Some(invalid) = pattern.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#')) {
        return Err(format!("{invalid:?} is not allowed in a path; percent-encode it"));
    }
    let mut parsed = ParsedPattern { shape: String::new(), params: Vec::new(), parts: Vec::new() };
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        let (before, inside) = (&rest[..open], &rest[open + 1..]);
        parsed.add_text(before);
        if let Some(after) = inside.strip_prefix('{') {
            parsed.shape.push_str("{{");
            parsed.parts.push(PathPart::Text("{".to_owned()));
            rest = after;
            continue;
        }
        let close = inside.find('}').ok_or("a brace is not closed")?;
        let (star, name) = match inside[..close].strip_prefix('*') {
            Some(name) => ("*", name),
            None => ("", &inside[..close]),
        };
        if name.is_empty() || parsed.params.iter().any(|known| **known == *name) {
            return Err("each parameter needs a distinct name".to_owned());
        }
        parsed.shape.push_str(&format!("{{{star}{}}}", parsed.params.len()));
        parsed.parts.push(PathPart::Parameter(parsed.params.len()));
        parsed.params.push(name.into());
        rest = &inside[close + 1..];
    }
    parsed.add_text(rest);
    Ok(parsed)
}

impl ParsedPattern {
    /// Adds a text in which closing braces are doubled.
    fn add_text(&mut self, text: &str) {
        self.shape.push_str(text);
        self.parts.push(PathPart::Text(text.replace("}}", "}")));
    }
}

fn malformed(flow: &Flow, pattern: &str, reason: &str) -> StartError {
    let route = format!("{} {pattern}", flow.info().method);
    StartError::Route { flow: flow.info().name.clone(), route, reason: reason.to_owned() }
}

fn conflict(first: &Route, second: &Route) -> StartError {
    let text = |route: &Route| format!("{} {}", route.method, route.pattern());
    StartError::Conflict {
        first: first.flow.info().name.clone(),
        second: second.flow.info().name.clone(),
        first_route: text(first),
        second_route: text(second),
    }
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
