//! Hash buckets of request ids, by the digits that hold their millisecond: ids that share more digits than those are in
//! the same bucket. Each bucket is a chain through a column of the index, so that a million ids take 5 MB.

use zerver_trace::RequestId;

use super::sequence_number::Seq;

/// Number of leading digits of an id that hold its time in milliseconds (RFC 9562, version 7).
pub(crate) const TIME_DIGITS: usize = 12;
/// Number of buckets, as a power of two.
const BUCKET_BITS: u32 = 18;
/// End of a chain.
const END: Seq = Seq::MIN;

/// Last request added to each bucket.
#[derive(Debug, Default)]
pub(super) struct IdBuckets {
    last: Vec<Seq>,
}

impl IdBuckets {
    /// Adds a request to its bucket, and returns the one that it must refer to as next in the chain.
    pub(super) fn add(&mut self, id: RequestId, seq: Seq) -> Seq {
        if self.last.is_empty() {
            self.last = vec![END; 1 << BUCKET_BITS];
        }
        std::mem::replace(&mut self.last[bucket(id)], seq)
    }

    /// Iterates over all requests in the bucket of an id. `next` returns the next one in the chain.
    pub(super) fn chain(&self, id: RequestId, next: impl Fn(Seq) -> Seq) -> impl Iterator<Item = Seq> {
        let is_request = |seq: &Seq| *seq != END;
        let first = self.last.get(bucket(id)).copied().filter(is_request);
        std::iter::successors(first, move |seq| Some(next(*seq)).filter(is_request))
    }
}

fn bucket(id: RequestId) -> usize {
    let time = (id.as_u128() >> (128 - 4 * TIME_DIGITS)) as u64;
    // Fibonacci hashing: consecutive milliseconds are spread over all buckets.
    (time.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BUCKET_BITS)) as usize
}
