//! Request ids: UUIDs of version 7 (RFC 9562, section 6.2, method 3), generated without a lock or a system call.

use std::cell::Cell;

use http::HeaderValue;
use zerver_engine::RequestId;

/// Generator of the request ids and seeds of one worker.
pub(crate) struct RequestIds {
    /// Time of the last id: milliseconds, then 12 bits for the fraction of a millisecond.
    last: Cell<u64>,
    ids: SplitMix,
    seeds: SplitMix,
}

impl RequestIds {
    /// Creates a generator with random seeds.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let (ids, seeds) = (SplitMix::new(getrandom::u64()?), SplitMix::new(getrandom::u64()?));
        Ok(Self { last: Cell::new(0), ids, seeds })
    }

    /// Returns the id of a request that arrived at `unix_ns`. It is greater than all earlier ids of this worker.
    pub(crate) fn next(&self, unix_ns: u64) -> RequestId {
        let (ms, rest_ns) = (unix_ns / 1_000_000, unix_ns % 1_000_000);
        let ticks = (ms << 12 | (rest_ns * 4096 / 1_000_000)).max(self.last.get() + 1);
        self.last.set(ticks);
        let (ms, fraction) = (u128::from(ticks >> 12), u128::from(ticks & 0xfff));
        let random = u128::from(self.ids.next() >> 2);
        RequestId::from_u128(ms << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)
    }

    /// Returns the seed of the random numbers of a request.
    pub(crate) fn seed(&self) -> u64 {
        self.seeds.next()
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct SplitMix(Cell<u64>);

impl SplitMix {
    const fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Returns the value of the header `x-request-id`.
pub(crate) fn header_value(id: RequestId) -> HeaderValue {
    /// Position of each byte of an id in its text form.
    const OFFSETS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    const HEX: [[u8; 2]; 256] = {
        let (digits, mut hex, mut byte) = (b"0123456789abcdef", [[0; 2]; 256], 0);
        while byte < hex.len() {
            hex[byte] = [digits[byte >> 4], digits[byte & 0xf]];
            byte += 1;
        }
        hex
    };
    let mut text = [b'-'; 36];
    for (byte, at) in std::iter::zip(id.as_u128().to_be_bytes(), OFFSETS) {
        text[at..at + 2].copy_from_slice(&HEX[usize::from(byte)]);
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_ordered_even_if_the_clock_jumps() {
        let ids = RequestIds::new().unwrap();
        let hour_ns = 3_600_000_000_000;
        let times = [hour_ns, hour_ns, hour_ns + 100, hour_ns + 1_000_000, 5, 5, 2 * hour_ns, hour_ns];
        let ids: Vec<_> = times.iter().map(|&at| ids.next(at)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7() {
        let id = RequestIds::new().unwrap().next(1_700_000_000_123_500_000);
        let uuid = uuid::Uuid::from_u128(id.as_u128());
        assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
        assert_eq!(uuid.get_timestamp().unwrap().to_unix(), (1_700_000_000, 123_000_000));
        assert_eq!(header_value(id), uuid.to_string());
    }
}
