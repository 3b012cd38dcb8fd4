//! The versions of the data layout.

use std::fmt;

/// Version of the data layout.
///
/// The major version changes with every incompatible change. Builds refuse data of another major version, unless they
/// can convert it. The minor version changes with additive changes: fields at the end of a record, variants at the end
/// of an enum. A build reads every minor version of a major version up to its own, and refuses newer ones.
///
/// Until release 0.1 the layout may change incompatibly. From then on, everything that a release wrote stays readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schema {
    /// Version of incompatible changes.
    pub major: u8,
    /// Version of additive changes.
    pub minor: u8,
}

impl Schema {
    /// Creates a version.
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    pub(crate) const fn from_bytes([major, minor]: [u8; 2]) -> Self {
        Self { major, minor }
    }

    pub(crate) const fn to_bytes(self) -> [u8; 2] {
        [self.major, self.minor]
    }
}

/// Writes the version as `3.0`.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Schema that this build writes.
///
/// - 2.0 added the worker of a trace, and the shapes of a block.
/// - 3.0 added the scheme and authority of the request, the time from which the result of an effect was available, and the
///   list of texts that were cut or masked.
/// - 3.1 added the points that an effect reaches, decisions of policies, and three kinds of errors of effects.
/// - 3.2 added the faults that chaos injects.
/// - 3.3 added the indexes of groups of blocks.
/// - 3.4 added traces that were imported from other tracers, and lines that effects log.
/// - 3.5 added traces that a layer recorded, and lines that are logged outside of effects.
/// - 3.6 added the declarations of flows: versions, owners, aliases, objectives.
/// - 3.7 added opaque pieces, which a block keeps apart from those that it compresses, and the identity of a store.
/// - 3.8 added data keys, and the key under which the secrets of a trace are sealed; slots with an index, and the keys of their
///   values in a block.
pub(crate) const SCHEMA: Schema = Schema::new(3, 8);
/// Oldest schema of a store that this build reads.
pub(super) const OLDEST: Schema = Schema::new(3, 0);
/// Oldest schema of a portable file that this build reads.
pub(super) const OLDEST_PORTABLE: Schema = Schema::new(1, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_two_bytes_whose_order_is_that_of_versions() {
        // Before there were minor versions, the schema was a number in little endian.
        assert_eq!(Schema::from_bytes(3u16.to_le_bytes()), Schema::new(3, 0));
        assert_eq!(Schema::from_bytes(Schema::new(3, 8).to_bytes()).to_string(), "3.8");
        assert!(Schema::new(3, 0) < Schema::new(3, 1) && Schema::new(3, 255) < Schema::new(4, 0));
    }
}
