//! A step of the flow, as a timeline names it.

/// A step of the flow, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its position in the flow.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// Its source file, as the compiler saw it; empty if the flow has no such step.
    pub file: String,
    /// Its line in that file, from 1; 0 if the flow has no such step.
    pub line: u32,
    /// The slots it reads.
    pub reads: Vec<String>,
}
