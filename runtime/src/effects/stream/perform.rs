//! Performs a stream: runs the function that makes its items.

use zerver_engine::{EffectError, StreamEnd, StreamItem};

use super::output::StreamOutput;
use super::sender::StreamSender;
use crate::effects::interpreter::{BoxFuture, EffectContext};

/// Performs a stream. `make` gets the sender, and returns the future that sends the items. An interpreter of a
/// [`StreamKind`](crate::engine::StreamKind) calls this; `#[stream]` does so by itself.
///
/// Outside a response, as in [`Interpreters::perform`](crate::effects::Interpreters::perform), the items are only counted.
pub fn perform_stream<T, F>(
    context: &EffectContext,
    make: impl FnOnce(StreamSender<T>) -> F,
) -> BoxFuture<Result<StreamEnd, EffectError>>
where
    T: StreamItem,
    F: Future<Output = Result<(), EffectError>> + Send + 'static,
{
    let output = context.stream.clone().unwrap_or_else(StreamOutput::counting);
    if let Err(error) = output.begin() {
        return Box::pin(std::future::ready(Err(error)));
    }
    let items = make(StreamSender::new(output.clone()));
    Box::pin(async move {
        tokio::select! {
            biased;
            ended = items => ended?,
            error = output.failure() => return Err(error),
        }
        output.finish()
    })
}
