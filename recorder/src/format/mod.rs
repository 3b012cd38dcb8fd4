//! Layout of bytes: records and their envelope, the codec, numbers in few bytes, and portable files.

pub(crate) mod delta_varint;
pub mod portable;
mod record;

pub use self::record::FormatError;
pub(crate) use self::record::*;
