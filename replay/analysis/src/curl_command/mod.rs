//! A recorded request as a curl command.

mod command;
mod shell_quoting;

pub use command::{CurlCommand, curl_command, text};
pub use shell_quoting::word as shell_word;
