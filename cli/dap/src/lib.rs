//! Shows a recorded request in the debugger of an editor, over the Debug Adapter Protocol (version 1.70).
//!
//! The recording stands for the process: it is stepped forwards and backwards, and nothing runs. `protocol` reads and writes
//! messages, `request` has what is shown of the loaded request, `adapter` answers the client's requests, and `source_files`
//! finds the lines of steps in the sources of today. Everything recorded is hostile text, and the client may send anything:
//! neither may end the adapter.

mod adapter;
mod breakpoints;
mod movement;
mod protocol;
mod request;
mod source_files;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Write};
use std::path::PathBuf;

use zerver_trace::Trace;

use crate::adapter::Adapter;
use crate::protocol::framing::{self, Received};

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

/// Answers the messages of a client until it disconnects, or its messages end.
///
/// # Errors
/// If the streams fail, or the input is not framed as the protocol says, after which no message can be found.
pub fn serve(
    mut input: impl BufRead,
    output: impl Write,
    recordings: &dyn Recordings,
) -> Result<(), std::io::Error> {
    let mut adapter = Adapter::new(output, recordings);
    while let Some(received) = framing::receive(&mut input)? {
        match received {
            Received::Message(message) => {
                if adapter.handle(message)?.is_break() {
                    break;
                }
            }
            Received::Malformed(why) => {
                adapter.complain(&format!("a malformed message was ignored: {why}"))?
            }
        }
    }
    Ok(())
}
