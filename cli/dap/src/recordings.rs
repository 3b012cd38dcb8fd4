//! Outside world of the adapter, which the command line provides.

use std::path::PathBuf;

use zerver_trace::Trace;

/// Outside world of the adapter: recordings, and the sources of the service.
pub trait Recordings {
    /// Loads the request that the user names: an id or its beginning, `@last` and the like, or the path of a portable file.
    /// Without a store, the usual one is searched.
    ///
    /// # Errors
    /// With what failed, why, and what to do next.
    fn load(&self, request: &str, store: Option<&str>) -> Result<Trace, String>;

    /// Finds a source file by the name that the compiler was given, and reads it.
    fn source(&self, file: &str) -> Option<SourceText>;
}

/// A source file as it is now.
#[derive(Debug, Clone)]
pub struct SourceText {
    /// Absolute path.
    pub path: PathBuf,
    /// Content.
    pub text: String,
}
