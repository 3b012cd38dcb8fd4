//! Flows as services of another HTTP server, such as one of axum or hyper.
//!
//! The host has the sockets; the requests run on zerver's own workers, like those of a service that listens. So nothing is
//! different for a step: classes, deadlines, limits, queues and recording are the same, and steps that compute for long do
//! not delay the host's tasks.

mod flow_service;
mod mounted_body;
mod mounted_flows;
pub(crate) mod mounted_request;
pub(crate) mod serve_mounted;

pub use flow_service::FlowService;
pub use mounted_body::MountedBody;
pub use mounted_flows::MountedFlows;
