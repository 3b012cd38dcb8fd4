//! The first bytes of a body, up to a limit, and the length of the whole.

use bytes::Bytes;

/// The first bytes of a body.
#[derive(Debug, Default)]
pub(crate) struct BodyPrefix {
    first: Bytes,
    /// Everything, once there was a second chunk. Small chunks do not keep the buffers in memory that they are parts of.
    joined: Vec<u8>,
    /// Length of all chunks.
    pub(crate) full_len: u64,
}

impl BodyPrefix {
    /// Adds a chunk. A chunk that is `owned` has a buffer of its own, which is shared; any other is copied.
    pub(crate) fn push(&mut self, chunk: &Bytes, limit: usize, owned: bool) {
        self.full_len = self.full_len.saturating_add(chunk.len() as u64);
        let kept = chunk.len().min(limit.saturating_sub(self.bytes().len()));
        if kept == 0 {
            return;
        }
        if self.first.is_empty() && self.joined.is_empty() {
            self.first = if owned { chunk.slice(..kept) } else { Bytes::copy_from_slice(&chunk[..kept]) };
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&self.first);
            self.first = Bytes::new();
        }
        self.joined.extend_from_slice(&chunk[..kept]);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        if self.joined.is_empty() { &self.first } else { &self.joined }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_the_limit_and_the_length_counts_everything() {
        for owned in [true, false] {
            let mut prefix = BodyPrefix::default();
            for (chunk, kept) in
                [("", ""), ("abc", "abc"), ("", "abc"), ("defgh", "abcdef"), ("ij", "abcdef")]
            {
                prefix.push(&Bytes::from_static(chunk.as_bytes()), 6, owned);
                assert_eq!(prefix.bytes(), kept.as_bytes());
            }
            assert_eq!(prefix.full_len, 10);
        }
        let mut nothing = BodyPrefix::default();
        nothing.push(&Bytes::from_static(b"abc"), 0, true);
        assert_eq!((nothing.bytes(), nothing.full_len), (&b""[..], 3));
    }

    #[test]
    fn a_copied_chunk_does_not_keep_its_buffer() {
        let buffer = Bytes::from(vec![7; 1 << 20]);
        let mut prefix = BodyPrefix::default();
        prefix.push(&buffer.slice(..10), 100, false);
        assert_eq!(prefix.bytes(), [7; 10]);
        assert!(buffer.is_unique());
    }
}
