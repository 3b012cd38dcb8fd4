//! Steps of a flow by name.

/// A step of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Index in the flow.
    pub index: u16,
    /// Name.
    pub name: String,
    /// Source file, as the compiler saw it; empty if the flow has no such step.
    pub file: String,
    /// Line in that file, from 1; 0 if the flow has no such step.
    pub line: u32,
    /// Names of the slots it reads.
    pub reads: Vec<String>,
}
