//! What this crate needs from outside, beside the traces.

use std::sync::Arc;

use zerver_trace::TraceSource;

/// What is done for the screens. What takes time is called on threads of their own.
pub trait Services: Send + Sync {
    /// Where the traces are.
    fn source(&self) -> Arc<dyn TraceSource>;

    /// The text of a source file, as the compiler saw it; none if it is not to be found.
    fn source_text(&self, file: &str) -> Option<String>;

    /// Opens an editor on a line (from 1) of a file, as the compiler saw it, and comes back when it has ended. The terminal
    /// is the editor's meanwhile.
    ///
    /// # Errors
    /// Why that could not be done, in a line for a person.
    fn edit(&self, file: &str, line: u32) -> Result<(), String>;
}
