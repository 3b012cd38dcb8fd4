//! A recorded request as a command line for curl.

mod command;
mod shell_quoting;

pub(crate) use command::{CurlCommand, command, text};
