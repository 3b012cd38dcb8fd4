//! Compact encoding of a request id with the start time of the request.

use zerver_trace::RequestId;

use crate::format::{FormatError, delta_varint};

/// Time in an id, in milliseconds since the Unix epoch. Ids begin with the start time of their request (RFC 9562,
/// UUIDv7).
pub(crate) const fn time_ms(id: RequestId) -> u64 {
    (id.as_u128() >> 80) as u64
}

/// Appends an id and the start time of its request.
pub(crate) fn write(id: RequestId, started_unix_ns: u64, base_ms: u64, out: &mut Vec<u8>) {
    let ms = time_ms(id);
    delta_varint::write_delta(ms, base_ms, out);
    out.extend_from_slice(&id.as_u128().to_le_bytes()[..10]);
    delta_varint::write_delta(started_unix_ns, ms.wrapping_mul(1_000_000), out);
}

/// Reads an id and a start time from the front of `bytes`.
pub(crate) fn read(base_ms: u64, bytes: &mut &[u8]) -> Result<(RequestId, u64), FormatError> {
    let ms = delta_varint::read_delta(base_ms, bytes)?;
    let Some((low, rest)) = bytes.split_first_chunk::<10>() else {
        return Err(FormatError::Malformed("an id ends too early".to_owned()));
    };
    *bytes = rest;
    let started_unix_ns = delta_varint::read_delta(ms.wrapping_mul(1_000_000), bytes)?;
    let mut id = [0; 16];
    id[..10].copy_from_slice(low);
    id[10..].copy_from_slice(&ms.to_le_bytes()[..6]);
    Ok((RequestId::from_u128(u128::from_le_bytes(id)), started_unix_ns))
}
