//! Copying a recorded request as a curl command, and a replay as a command of zerver.

mod command;
mod replay_command;
mod shell_quoting;

pub(crate) use command::{CurlCommand, command, text};
pub(crate) use replay_command::replay_command;
