//! The sender with which the function of a stream sends its items.

use std::fmt;
use std::marker::PhantomData;

use zerver_engine::{EffectError, EffectErrorKind, StreamItem};

use super::output::StreamOutput;
use crate::effects::{points, report_point};

/// Sends the items of a stream to the client. `#[stream]` functions take it as their last parameter.
///
/// Clones send to the same client. The stream ends when its function returns, even if clones still exist.
pub struct StreamSender<T> {
    output: StreamOutput,
    item: PhantomData<fn(T)>,
}

impl<T: StreamItem> StreamSender<T> {
    pub(super) const fn new(output: StreamOutput) -> Self {
        Self { output, item: PhantomData }
    }

    /// Sends an item. Waits while the client has not read enough of the earlier ones.
    ///
    /// If the client has left, or the item cannot be expressed in the format of the stream, this does not return: the function is
    /// dropped where it waits.
    pub async fn send(&self, item: T) {
        let bytes = match item.into_bytes() {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("an item of the stream does not serialize: {error}");
                self.output.fail(EffectError::new(EffectErrorKind::Internal, message)).await
            }
        };
        if !bytes.is_empty() && self.output.send(bytes).await {
            report_point(points::FIRST_BYTE);
        }
    }
}

impl<T> Clone for StreamSender<T> {
    fn clone(&self) -> Self {
        Self { output: self.output.clone(), item: PhantomData }
    }
}

impl<T> fmt::Debug for StreamSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamSender").field(&self.output).finish()
    }
}
