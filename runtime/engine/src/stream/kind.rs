//! Kinds of streams: effects whose output goes to the client.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::item::StreamItem;
use crate::effect::EffectKind;

/// A kind of effect that sends its items to the client, as the body of the response. Its output only says how much was sent.
///
/// `#[stream]` implements it for an async function.
pub trait StreamKind: EffectKind<Output = StreamEnd> {
    /// Type of its items.
    type Item: StreamItem;

    /// Returns the stream of a part of the same bytes, for requests with a `Range`. The default, `None`, is right for a stream
    /// that can only be read from its start. It is called only if the [length](super::ResponseStream::length) is known, and the
    /// range lies within it.
    fn part(&self, _bytes: Range<u64>) -> Option<Self> {
        None
    }
}

/// Output of a stream that was sent to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamEnd {
    /// Number of items.
    pub items: u64,
    /// Total length of the items, in bytes.
    pub bytes: u64,
    /// The first 128 bits of the BLAKE3 hash of all bytes, in hexadecimal.
    pub hash: String,
}

impl StreamEnd {
    /// Returns it on one line, as `output_summary` of a kind does: `12 items, 480 bytes`.
    pub fn summary(&self) -> String {
        let counted = |count: u64, word: &str| match count {
            1 => format!("1 {word}"),
            count => format!("{count} {word}s"),
        };
        format!("{}, {}", counted(self.items, "item"), counted(self.bytes, "byte"))
    }
}
