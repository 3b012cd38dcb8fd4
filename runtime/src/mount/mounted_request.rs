//! A request that another server has received, on its way to a worker.

use std::time::Instant;

use bytes::Bytes;
use tokio::sync::oneshot;
use zerver_engine::Request;

use super::mounted_body::MountedBody;
use crate::http::Rejection;

/// A request of a [`FlowService`](super::FlowService).
pub(crate) struct MountedRequest {
    /// The request, without its body.
    pub(super) head: Request,
    /// The whole body, or the reason why it could not be read.
    pub(super) body: Result<Bytes, Rejection>,
    /// Number of the flow that the service is for, or `None` if it is for all flows.
    pub(super) flow: Option<u16>,
    /// Time at which the service received the request.
    pub(super) received: Instant,
    /// Time at which it had read the body.
    pub(super) sent: Instant,
    /// Closed if the server drops the request.
    pub(super) respond_to: oneshot::Sender<http::Response<MountedBody>>,
}
