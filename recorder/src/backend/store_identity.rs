//! The id of a store, and the records that describe the build which writes to it.

use std::fmt::Display;

/// A record that describes a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildRecord {
    /// Id and flows.
    Catalog,
    /// Declarations of the flows.
    Declarations,
    /// Package and program.
    Origin,
}

/// Id of a store that wrote blocks: random, and made with the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// Writes 16 hexadecimal digits.
impl Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::fmt::Debug for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, f)
    }
}
