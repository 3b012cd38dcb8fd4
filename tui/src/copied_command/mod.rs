//! Copying a replay as a command of zerver, and the tests of the curl commands.

#[cfg(test)]
mod curl_tests;
mod replay_command;

pub(crate) use replay_command::replay_command;
