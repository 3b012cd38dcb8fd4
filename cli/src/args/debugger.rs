//! The debugger that `--debugger` names.

use std::str::FromStr;

/// Way of running the program in a debugger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Debugger {
    /// A debugger attaches to the waiting program.
    Attach,
    /// This command runs the program. It may have arguments, quoted as in a shell.
    Command(String),
}

impl FromStr for Debugger {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Err("write the command of a debugger, such as rust-gdb, or attach".to_owned()),
            "attach" => Ok(Self::Attach),
            command => Ok(Self::Command(command.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debugger_is_a_command_or_attached() {
        assert_eq!("attach".parse(), Ok(Debugger::Attach));
        assert_eq!("rust-gdb -q".parse(), Ok(Debugger::Command("rust-gdb -q".to_owned())));
        assert!(" ".parse::<Debugger>().is_err());
    }
}
