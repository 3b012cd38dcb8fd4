//! Endpoints that the server itself answers.

pub(super) mod metrics_endpoint;
pub(super) mod service_endpoints;
