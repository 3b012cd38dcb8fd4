//! Body of a request to the fallback.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::effects::stream::{BodyError, RequestBody};

/// Body of a request to the service of [`App::fallback`](crate::App::fallback), which arrives while it is read.
#[derive(Debug)]
pub struct FallbackBody(pub(super) RequestBody);

impl Body for FallbackBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_next(cx).map(|piece| piece.transpose().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.has_ended()
    }
}
