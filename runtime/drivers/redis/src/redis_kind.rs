//! Commands as a kind of effect: their target, identity, safety and summary.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use zerver::effects::Value;
use zerver::prelude::*;

use crate::argument::Arg;
use crate::command_table::{is_idempotent, is_read};
use crate::reply::Reply;

/// A command, a script, or several commands in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisCall {
    /// Name of the server.
    pub server: Cow<'static, str>,
    /// Commands, in order, each with its name first. A script is a single `EVAL` without the text.
    pub commands: Vec<Vec<Arg>>,
    /// Text of the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Cow<'static, str>>,
    /// Name of the script. Together with its keys and arguments, it identifies the call to a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'static, str>>,
    /// True if all commands are performed without any other in between.
    #[serde(default, skip_serializing_if = "is_false")]
    pub transaction: bool,
    /// True if the caller declares that the commands change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// True if the caller declares that performing the commands twice has the same result as performing them once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub idempotent: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl RedisCall {
    /// Returns true if the server may wait before it answers, so that the call needs a connection of its own.
    pub(crate) fn is_blocking(&self) -> bool {
        self.commands.iter().any(|command| match command.first() {
            Some(name) if name.is_word("XREAD") || name.is_word("XREADGROUP") => {
                command.iter().any(|arg| arg.is_word("BLOCK"))
            }
            Some(Arg::Bytes(name)) => {
                let blocking: &[&str] = &[
                    "BLPOP",
                    "BRPOP",
                    "BLMOVE",
                    "BLMPOP",
                    "BRPOPLPUSH",
                    "BZPOPMIN",
                    "BZPOPMAX",
                    "BZMPOP",
                    "WAIT",
                ];
                blocking.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
            }
            _ => false,
        })
    }
}

impl EffectKind for RedisCall {
    const KIND: &'static str = "redis";
    type Output = Reply;

    /// Returns the name of a script, or the first words of the command: `SET session:7`, without the values.
    fn summary(&self) -> String {
        let mut text = String::new();
        let first = self.commands.first().map(Vec::as_slice).unwrap_or_default();
        match (&self.script, &self.name) {
            (Some(_), Some(name)) => text.push_str(name),
            (Some(_), None) => text.push_str("script"),
            (None, _) => {
                if let [name, rest @ ..] = first {
                    let _ = write!(text, "{name}");
                    if let [key, ..] = rest {
                        let _ = write!(text, " {key}");
                    }
                }
            }
        }
        if self.commands.len() > 1 {
            text = format!("{} commands: {text}", self.commands.len());
        }
        text
    }

    fn output_summary(reply: &Reply) -> String {
        reply.to_string()
    }

    /// Returns the name of the server.
    fn target(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.server))
    }

    /// Returns true if the commands are safe, are known to be idempotent, or were declared so.
    fn is_idempotent(&self) -> bool {
        self.idempotent
            || self.is_safe()
            || (self.script.is_none() && self.commands.iter().all(|command| is_idempotent(command)))
    }

    /// Returns the name, keys and arguments of a script that has a name, so that a replay of a changed script gets the
    /// recorded answer and reports the change.
    fn identity(&self) -> Option<Value> {
        let name = self.name.as_ref()?;
        Value::from_serialize(&(&self.server, name, &self.commands)).ok()
    }

    /// Returns true if each command is known to change nothing, or if they were declared so.
    fn is_safe(&self) -> bool {
        self.read_only || (self.script.is_none() && self.commands.iter().all(|command| is_read(command)))
    }

    fn is_temporary(reply: &Reply) -> bool {
        matches!(&reply.0, Err(error) if error.is_temporary())
    }
}

#[cfg(test)]
mod tests {
    use zerver::engine::Call;

    use super::*;
    use crate::cmd;

    fn call(command: crate::Command) -> Call {
        Call::new(command.into_call().unwrap())
    }

    #[test]
    fn commands_are_classified_by_what_they_change() {
        for (command, is_safe, is_idempotent) in [
            (cmd("GET").arg("k"), true, true),
            (cmd("get").arg("k"), true, true),
            (cmd("SET").arg("k").arg(1), false, true),
            (cmd("SET").arg("k").arg(1).arg("NX"), false, false),
            (cmd("SET").arg("k").arg(1).arg("EX").arg(5), false, true),
            (cmd("INCRBY").arg("k").arg(1), false, false),
            (cmd("XADD").arg("s").arg("*").arg("f").arg("v"), false, false),
            (cmd("SORT").arg("k"), false, false),
            (cmd("OBJECT").arg("ENCODING").arg("k"), true, true),
            (cmd("SOMETHING").arg("k"), false, false),
            (cmd("SOMETHING").arg("k").idempotent(), false, true),
            (cmd("SOMETHING").arg("k").read_only(), true, true),
            (crate::script("return 1"), false, false),
        ] {
            let shown = format!("{command:?}");
            let call = call(command);
            assert_eq!((call.is_safe(), call.is_idempotent()), (is_safe, is_idempotent), "{shown}");
            assert_eq!(call.target().as_deref(), Some("default"));
        }
    }

    #[test]
    fn summaries_show_neither_values_nor_secrets() {
        let shown = |command| format!("{:?}", call(command));
        assert_eq!(shown(cmd("SET").arg("session:7").arg("value")), "redis SET session:7");
        assert_eq!(shown(cmd("AUTH").arg(crate::Secret("hunter2"))), "redis AUTH <secret>");
        assert_eq!(shown(cmd("PING")), "redis PING");
        assert_eq!(shown(crate::script("return 1").named("one")), "redis one");
        let both = RedisCall {
            commands: vec![cmd("GET").arg("a"), cmd("GET").arg("b")]
                .into_iter()
                .flat_map(|command| command.into_call().unwrap().commands)
                .collect(),
            ..cmd("PING").into_call().unwrap()
        };
        assert_eq!(both.summary(), "2 commands: GET a");
    }
}
