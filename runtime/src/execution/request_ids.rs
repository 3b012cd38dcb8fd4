//! Request ids: UUIDs of version 7 (RFC 9562, method 3 of section 6.2), made without a lock and without a system call.

use std::cell::Cell;

use http::HeaderValue;
use zerver_engine::RequestId;

/// The ids and seeds of one worker.
pub(crate) struct RequestIds {
    /// Milliseconds, and 12 bits of their fraction, of the last id.
    last: Cell<u64>,
    ids: SplitMix,
    seeds: SplitMix,
}

impl RequestIds {
    /// # Errors
    /// When the system has no randomness.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let (ids, seeds) = (SplitMix::new(getrandom::u64()?), SplitMix::new(getrandom::u64()?));
        Ok(Self { last: Cell::new(0), ids, seeds })
    }

    /// The id of a request that arrived then; greater than every earlier one of this worker.
    pub(crate) fn next(&self, unix_ns: u64) -> RequestId {
        let (ms, rest_ns) = (unix_ns / 1_000_000, unix_ns % 1_000_000);
        let ticks = (ms << 12 | (rest_ns * 4096 / 1_000_000)).max(self.last.get() + 1);
        self.last.set(ticks);
        let (ms, fraction) = (u128::from(ticks >> 12), u128::from(ticks & 0xfff));
        let random = u128::from(self.ids.next() >> 2);
        RequestId::from_u128(ms << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)
    }

    /// What a request's randomness is derived from.
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

/// The value of `x-request-id`.
pub(crate) fn header_value(id: RequestId) -> HeaderValue {
    /// Where each byte of an id stands in its text.
    const AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    const HEX: [[u8; 2]; 256] = {
        let (digits, mut hex, mut byte) = (b"0123456789abcdef", [[0; 2]; 256], 0);
        while byte < hex.len() {
            hex[byte] = [digits[byte >> 4], digits[byte & 0xf]];
            byte += 1;
        }
        hex
    };
    let mut text = [b'-'; 36];
    for (byte, at) in std::iter::zip(id.as_u128().to_be_bytes(), AT) {
        text[at..at + 2].copy_from_slice(&HEX[usize::from(byte)]);
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_ordered_whatever_the_clock_does() {
        let ids = RequestIds::new().unwrap();
        let hour_ns = 3_600_000_000_000;
        let times = [hour_ns, hour_ns, hour_ns + 100, hour_ns + 1_000_000, 5, 5, 2 * hour_ns, hour_ns];
        let made: Vec<_> = times.iter().map(|&at| ids.next(at)).collect();
        assert!(made.is_sorted_by(|a, b| a < b), "{made:?}");
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
