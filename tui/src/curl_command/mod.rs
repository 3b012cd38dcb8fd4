//! Copying a recorded request as a curl command.

mod command;
mod shell_quoting;

pub(crate) use command::{CurlCommand, command, text};
