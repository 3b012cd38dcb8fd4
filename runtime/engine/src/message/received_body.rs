//! The received part of a body that an effect reads, for the recording.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zerver_trace::MessagePart;

/// Maximum length of the beginning of the body that is recorded, in bytes.
const RECORDED_BYTES: usize = 16 << 10;

/// The part of a request's body that an effect has read so far, of a flow with a
/// [streamed body](crate::FlowDef::streamed_body). Steps do not see the body.
#[derive(Clone, Default)]
pub struct ReceivedBody(Arc<Mutex<Received>>);

#[derive(Default, PartialEq, Eq)]
struct Received {
    length: u64,
    beginning: Vec<u8>,
}

impl ReceivedBody {
    fn received(&self) -> MutexGuard<'_, Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds bytes that have been received.
    pub fn add(&self, bytes: &[u8]) {
        let mut received = self.received();
        received.length += bytes.len() as u64;
        let room = RECORDED_BYTES.saturating_sub(received.beginning.len());
        received.beginning.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(super) fn visit(&self, body_limit: usize, visit: &mut dyn FnMut(MessagePart<'_>)) {
        let received = self.received();
        let beginning = &received.beginning;
        visit(MessagePart::Body(&beginning[..beginning.len().min(body_limit)], received.length));
    }
}

impl fmt::Debug for ReceivedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceivedBody({} bytes)", self.received().length)
    }
}

/// Always equal: to receive the body is the work of an effect, and does not make requests different.
impl PartialEq for ReceivedBody {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for ReceivedBody {}
