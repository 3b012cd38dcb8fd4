//! Layout of bytes: the header of the file, records and their envelope, the codec, and compact numbers.
//!
//! Must not know what a record means, nor where it is kept.

pub(crate) mod codec;
pub(crate) mod delta_varint;
pub(crate) mod file_header;
mod format_error;
pub(crate) mod record;
pub(crate) mod schema;
mod schema_check;

pub use self::format_error::FormatError;
pub use self::schema::Schema;
