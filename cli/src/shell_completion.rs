//! Completion of command lines by a shell.
//!
//! The script of `zerver completions` calls this program with a variable set whenever a word is to be completed. Errors
//! are not reported, because a prompt is no place for them; there are no candidates then.

use std::env;

use clap::CommandFactory as _;
use clap_complete::env::{CompleteEnv, Shells};

use crate::args::Cli;
use crate::error::CommandError;

/// Variable that is set when a shell asks for candidates. Its value names the shell.
const VARIABLE: &str = "ZERVER_COMPLETE";
/// The script for bash. That of clap completes only what follows the last colon.
const BASH: &str = include_str!("shell_completion.bash");

/// Prints candidates if a shell asks for them. Returns true if it did.
pub(crate) fn answer_shell() -> bool {
    let current_dir = env::current_dir().ok();
    let completed = CompleteEnv::with_factory(Cli::command)
        .var(VARIABLE)
        .try_complete(env::args_os(), current_dir.as_deref());
    completed.unwrap_or(true)
}

/// Returns the script that makes a shell ask this program.
pub(crate) fn script(shell: &str) -> Result<Vec<u8>, CommandError> {
    if shell == "bash" {
        return Ok(BASH.as_bytes().to_vec());
    }
    let shells = Shells::builtins();
    let completer = shells
        .completer(shell)
        .ok_or_else(|| CommandError::new(format!("there are no completions for {shell}")))?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "zerver", "zerver", "zerver", &mut script)?;
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_has_a_script() {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let script = String::from_utf8(script(shell).unwrap()).unwrap();
            assert!(script.contains(VARIABLE), "{shell}: {script}");
        }
    }
}
