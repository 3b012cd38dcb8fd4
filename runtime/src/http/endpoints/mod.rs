//! Endpoints that the server itself answers.

#[cfg(feature = "metrics")]
pub(super) mod metrics_endpoint;
pub(super) mod service_endpoints;
