//! Shows a recorded request in the debugger of an editor, over the Debug Adapter Protocol.
//!
//! The recording stands for the process: it is stepped forwards and backwards, and nothing runs. `protocol` reads and writes
//! messages, `request` has what is shown of the loaded request, `adapter` answers the client's requests, and `source_files`
//! finds the lines of steps in the sources of today. Everything recorded is hostile text, and the client may send anything:
//! neither may end the adapter.

mod adapter;
mod breakpoints;
mod movement;
mod protocol;
mod recordings;
mod request;
mod source_files;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Write};

use crate::adapter::Adapter;
use crate::protocol::framing::{self, Received};

pub use crate::recordings::{Recordings, SourceText};

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
