//! A recorded request as a curl command. The tests, which run curl, are in the crate of the terminal UI.

mod command;
mod shell_quoting;

pub use command::{CurlCommand, curl_command, text};
pub use shell_quoting::word as shell_word;
