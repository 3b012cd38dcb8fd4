//! Limits of what is decoded from untrusted sources.

/// Maximum depth to which the values of attributes contain others.
pub(crate) const MAX_DEPTH: usize = 32;

/// Memory that the spans of any file may take, in bytes.
const FLOOR: usize = 4 << 20;
/// Memory that the spans of a file may take in addition, for each byte of it. Spans of a few attributes take about three
/// times as much as their encoding.
const TIMES: usize = 6;

/// Reason why a file is refused: an empty message takes two bytes in it, and two hundred in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its spans would take more memory than {} MiB and {TIMES} times its size", FLOOR >> 20)]
pub struct OverBudget;

/// Memory that decoded spans may still take.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    left: usize,
}

impl MemoryBudget {
    /// Returns the budget for an input of this size, in bytes.
    pub(crate) const fn for_input(bytes: usize) -> Self {
        Self { left: FLOOR.saturating_add(bytes.saturating_mul(TIMES)) }
    }

    /// Counts memory that was or will be allocated, in bytes.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), OverBudget> {
        self.left = self.left.checked_sub(bytes).ok_or(OverBudget)?;
        Ok(())
    }

    /// Appends an item to a list, and counts what the list grows by.
    pub(crate) fn push<T>(&mut self, list: &mut Vec<T>, item: T) -> Result<(), OverBudget> {
        let before = list.capacity();
        list.push(item);
        self.take((list.capacity() - before) * size_of::<T>())
    }
}
