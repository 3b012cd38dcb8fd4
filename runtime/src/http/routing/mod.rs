//! The way of a request to its flow: routes and aliases, and the decision who answers.

mod alias_route;
mod path_param;
pub(super) mod request_route;
mod router;
mod url_secrets;

pub(super) use alias_route::AliasUse;
pub(crate) use request_route::Matched;
pub(super) use request_route::{Route, missing_response, reject, route};
pub(crate) use router::{RouteMatch, Router};
pub(crate) use url_secrets::UrlSecretCheck;
