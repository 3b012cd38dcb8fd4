//! The reasons why a server does not start.

use std::io;
use std::path::PathBuf;

/// Reason why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The program is not installed.
    #[error("no {program} was found in PATH or in the usual folders: install {package}")]
    NotInstalled {
        /// Name of the program.
        program: &'static str,
        /// Package that contains it.
        package: &'static str,
    },
    /// A server refuses to run as root, and there is no way to run it as another user.
    #[error("{program} does not run as root, and neither setpriv nor runuser was found to run it as {user}")]
    Root {
        /// Name of the program.
        program: &'static str,
        /// User as which it would run.
        user: String,
    },
    /// The program failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// Name of the program.
        program: &'static str,
        /// The end of its output.
        output: String,
    },
    /// A file or a process could not be created.
    #[error("{what} {}", path.display())]
    Io {
        /// The failed operation.
        what: &'static str,
        /// File or program.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
}

impl ServerError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
