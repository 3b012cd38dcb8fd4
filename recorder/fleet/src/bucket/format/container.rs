//! Data with a description at its end, which is checked before it is trusted.
//!
//! The last 44 bytes are the BLAKE3 hash of the description (32), its length (4, big-endian), and eight bytes that name the
//! format. The description is JSON, and lies before them.

use serde::Serialize;
use serde::de::DeserializeOwned;

const MAGIC: &[u8; 8] = b"zerver\x00\x01";
const HASH: usize = 32;
/// Length of what follows the description.
const TRAILER: usize = HASH + 4 + MAGIC.len();

/// The reason why bytes are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContainerError {
    /// The end is missing, or was never that of an object of zerver.
    #[error("it is truncated, or zerver has not written it")]
    End,
    /// The checksum fails.
    #[error("its checksum fails")]
    Checksum,
    /// The description says something that cannot be.
    #[error("its description does not fit")]
    Description,
}

/// Appends a description of data.
pub(crate) fn append(data: &mut Vec<u8>, description: &impl Serialize) {
    // Our own types have no maps with keys that JSON lacks.
    let json = serde_json::to_vec(description).unwrap_or_default();
    data.extend_from_slice(&json);
    data.extend_from_slice(blake3::hash(&json).as_bytes());
    data.extend_from_slice(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_be_bytes());
    data.extend_from_slice(MAGIC);
}

/// Reads the description at the end of bytes, and returns it with the length of the data before it.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), ContainerError> {
    let (rest, trailer) = bytes.split_last_chunk::<TRAILER>().ok_or(ContainerError::End)?;
    let (hash, trailer) = trailer.split_at(HASH);
    let (length, magic) = trailer.split_at(4);
    if magic != MAGIC {
        return Err(ContainerError::End);
    }
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    let at = rest.len().checked_sub(length).ok_or(ContainerError::End)?;
    let json = rest.get(at..).ok_or(ContainerError::End)?;
    if blake3::hash(json).as_bytes() != hash {
        return Err(ContainerError::Checksum);
    }
    let description = serde_json::from_slice(json).map_err(|_| ContainerError::Description)?;
    Ok((description, at))
}

/// Returns an object without its checksum, for [`with_checksum`].
#[cfg(feature = "fuzzing")]
pub(crate) fn without_checksum(mut object: Vec<u8>) -> Vec<u8> {
    let trailer = object.split_off(object.len().saturating_sub(TRAILER));
    object.extend_from_slice(trailer.get(HASH..HASH + 4).unwrap_or_default());
    object
}

/// Returns an object with a valid checksum from one that ends with the length of its description.
#[cfg(feature = "fuzzing")]
pub(crate) fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    let (rest, length) = bytes.split_last_chunk::<4>().unwrap_or((bytes, &[0; 4]));
    let at = rest.len().saturating_sub(u32::from_be_bytes(*length) as usize);
    let mut object = rest.to_vec();
    object.extend_from_slice(blake3::hash(&rest[at..]).as_bytes());
    object.extend_from_slice(length);
    object.extend_from_slice(MAGIC);
    object
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_appended_is_read_and_no_change_of_it_is(
            data in prop::collection::vec(any::<u8>(), 0..50),
            description in prop::collection::vec(any::<u32>(), 0..20),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut bytes = data.clone();
            append(&mut bytes, &description);
            prop_assert_eq!(read::<Vec<u32>>(&bytes), Ok((description.clone(), data.len())));
            for end in 0..bytes.len() {
                prop_assert!(read::<Vec<u32>>(&bytes[..end]).is_err());
            }
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let changed = read::<Vec<u32>>(&bytes);
            prop_assert!(at < data.len() || changed.is_err(), "{:?}", changed);
        }
    }
}
