//! Identity of a request in distributed traces: the `traceparent` header (W3C Trace Context), and the ids of the spans
//! that a request consists of.

use std::fmt;

use crate::RequestId;

/// Content of a `traceparent` header.
///
/// Displayed as a header of version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Id of the trace, not 0.
    pub trace_id: u128,
    /// Id of the span that made the call, not 0.
    pub span_id: SpanId,
    /// Flags. Bit 0 says that the caller may have recorded its part.
    pub flags: u8,
}

impl TraceParent {
    /// Parses a header (section 3.2). Of a later version, only the fields and the flag of version 00 are known, and the
    /// others are left out (section 3.2.4). Returns `None` if the header is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |range: std::ops::Range<usize>| {
            let digits = text.get(range)?;
            let is_hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if is_hex { u128::from_str_radix(digits, 16).ok() } else { None }
        };
        let (version, trace_id) = (number(0..2)?, number(3..35)?);
        let (span_id, flags) = (u64::try_from(number(36..52)?).ok()?, u8::try_from(number(53..55)?).ok()?);
        let has_hyphens = [2, 35, 52].iter().all(|&index| bytes.get(index) == Some(&b'-'));
        // A later version may have further fields after another hyphen.
        let is_end_valid = match version {
            0 => bytes.len() == 55,
            _ => matches!(bytes.get(55), None | Some(b'-')),
        };
        if !has_hyphens || !is_end_valid || version == 0xff || trace_id == 0 || span_id == 0 {
            return None;
        }
        let flags = if version == 0 { flags } else { flags & 1 };
        Some(Self { trace_id, span_id: SpanId(span_id), flags })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// Id of a span, which is never 0.
///
/// It follows from the request and from the position of the span within it. A service that calls another one names the
/// span under which the export of its trace will show the call, and exporting a trace twice gives the same spans.
/// Displayed as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(u64);

impl SpanId {
    /// Returns the id of the request itself.
    pub const fn of_request(id: RequestId) -> Self {
        Self::mixed(id, 0, 0)
    }

    /// Returns the id of a run of a step. Runs are numbered from 0 in the order in which they began.
    pub const fn of_run(id: RequestId, run: u32) -> Self {
        Self::mixed(id, 1, run)
    }

    /// Returns the id of a call: one attempt of an effect.
    pub const fn of_call(id: RequestId, call: u32) -> Self {
        Self::mixed(id, 2, call)
    }

    /// Returns the id with these bits, unless they are 0.
    pub const fn from_u64(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// Returns the 64 bits of the id.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Hashes the request and the position. This need not resist attacks, but it must be cheap, the same in each process,
    /// and spread similar inputs over all bits.
    const fn mixed(id: RequestId, part: u64, number: u32) -> Self {
        let bits = id.as_u128();
        let hash = scramble((bits >> 64) as u64);
        let hash = scramble(hash ^ bits as u64);
        let hash = scramble(hash ^ (part << 32 | number as u64));
        Self(if hash == 0 { 1 } else { hash })
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The finalizer of SplitMix64: each bit of the result depends on each bit of the input.
const fn scramble(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn only_a_valid_header_is_parsed_and_it_becomes_version_00() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                TraceParent::parse(text).map(|parent| parent.to_string()).as_deref(),
                expected,
                "{text}"
            );
        };
        let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        let parent = format!("00-{ids}-01");
        check(&parent, Some(&parent));
        check(&format!("00-{ids}-ff"), Some(&format!("00-{ids}-ff")));
        check(&format!("cc-{ids}-01-what-the-future"), Some(&parent));
        check(&format!("01-{ids}-ff"), Some(&parent));
        check(&format!("fe-{ids}-fe-"), Some(&format!("00-{ids}-00")));
        check(&format!("cc-{ids}-01more"), None);
        check(&format!("00-{ids}-01-more"), None);
        check(&format!("ff-{ids}-01"), None);
        check(&format!("00-{ids}-0"), None);
        check(&format!("00_{ids}-01"), None);
        check("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None);
        check("00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None);
        check("00-é", None);
        check("", None);
    }

    #[test]
    fn the_spans_of_requests_have_different_ids() {
        let ids = (0..100u128).map(|n| RequestId::from_u128(0x019a_a4c2_1f3b_7abc_8def_0123_4567_89ab + n));
        let spans = |id| {
            let numbered = (0..100).flat_map(move |n| [SpanId::of_run(id, n), SpanId::of_call(id, n)]);
            numbered.chain([SpanId::of_request(id)])
        };
        let all: BTreeSet<_> = ids.flat_map(spans).collect();
        assert_eq!(all.len(), 100 * 201);
        // Recorded requests have passed these ids to other services, so they never change.
        let id = RequestId::from_u128(0x019a_a4c2_1f3b_7abc_8def_0123_4567_89ab);
        let known = [SpanId::of_request(id), SpanId::of_run(id, 0), SpanId::of_call(id, 7)];
        assert_eq!(
            known.map(|span| span.to_string()),
            ["02070f23d96fb27f", "b3c406f064c0d294", "971bfbeeab1b2aa0"]
        );
    }
}
