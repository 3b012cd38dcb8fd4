//! Commands that are being built.

use std::borrow::Cow;
use std::fmt;

use zerver::engine::Call;
use zerver::prelude::*;

use crate::argument::{Arg, ToArg};
use crate::from_value::FromRedis;
use crate::redis_kind::RedisCall;
use crate::reply::{RedisValue, Reply, ServerError};

/// Name of the server that commands use unless [`Command::on`] or [`on`](crate::on) names another.
pub const DEFAULT_SERVER: &str = "default";

/// A command or a script. [`run`](Self::run) completes it.
#[derive(Clone)]
#[must_use = "a command does nothing until it is run"]
pub struct Command {
    call: RedisCall,
    /// Number of keys of a script, which precede its arguments.
    keys: usize,
    error: Option<Failure>,
}

impl Command {
    pub(crate) fn new(name: &str) -> Self {
        let call = RedisCall {
            server: Cow::Borrowed(DEFAULT_SERVER),
            commands: vec![Vec::new()],
            script: None,
            name: None,
            transaction: false,
            read_only: false,
            idempotent: false,
        };
        Self { call, keys: 0, error: None }.arg(name)
    }

    pub(crate) fn of_script(text: Cow<'static, str>) -> Self {
        let mut command = Self::new("EVAL").arg(0);
        command.call.script = Some(text);
        command
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl ToArg) -> Self {
        match (arg.to_arg(), self.call.commands.first_mut()) {
            (Ok(arg), Some(command)) => command.push(arg),
            (Ok(_), None) => {}
            (Err(failure), _) => self.error = self.error.or(Some(failure)),
        }
        self
    }

    /// Adds several arguments.
    pub fn args(self, args: impl IntoIterator<Item = impl ToArg>) -> Self {
        args.into_iter().fold(self, |command, arg| command.arg(arg))
    }

    /// Adds a key of a script (`KEYS[1]` and so on). It belongs before the arguments.
    pub fn key(mut self, key: impl ToArg) -> Self {
        self.keys += 1;
        if let Some(count) = self.call.commands.first_mut().and_then(|command| command.get_mut(1)) {
            *count = Arg::Int(i64::try_from(self.keys).unwrap_or(i64::MAX));
        }
        self.arg(key)
    }

    /// Uses the server of this name.
    pub fn on(mut self, server: impl Into<Cow<'static, str>>) -> Self {
        self.call.server = server.into();
        self
    }

    /// Names a script. Name, keys and arguments then identify the call to a replay, so that a script whose text has
    /// changed gets the recorded answer, and the replay reports the change.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.call.name = Some(name.into());
        self
    }

    /// Declares that the command changes nothing. Commands that are known to read need no declaration.
    pub const fn read_only(mut self) -> Self {
        self.call.read_only = true;
        self
    }

    /// Declares that performing the command twice has the same result as performing it once, so that it may be retried.
    pub const fn idempotent(mut self) -> Self {
        self.call.idempotent = true;
        self
    }

    /// Creates the effect that runs the command and reads its answer.
    pub fn run<T: FromRedis + Send + 'static>(self) -> Effect<T> {
        self.run_with(|value| read(value))
    }

    /// Creates the effect that returns an error of the server as a value.
    pub fn try_run<T: FromRedis + Send + 'static>(self) -> Effect<Result<T, ServerError>> {
        match self.into_call() {
            Err(failure) => Effect::fail(failure),
            Ok(call) => {
                Effect::from_call::<RedisCall>(Call::new(call), |reply: Result<&Reply, EffectError>| {
                    match reply {
                        Ok(Reply(Ok(value))) => read(value).map(Ok),
                        Ok(Reply(Err(error))) => Ok(Err(error.clone())),
                        Err(error) => Err(Failure::from_effect(RedisCall::KIND, &error)),
                    }
                })
            }
        }
    }

    pub(crate) fn run_with<T: Send + 'static>(
        self,
        read: impl Fn(&RedisValue) -> Result<T, Failure> + Send + 'static,
    ) -> Effect<T> {
        match self.into_call() {
            Err(failure) => Effect::fail(failure),
            Ok(call) => effect_of(call, read),
        }
    }

    pub(crate) fn into_call(self) -> Result<RedisCall, Failure> {
        match self.error {
            None => Ok(self.call),
            Some(failure) => Err(failure),
        }
    }
}

fn effect_of<T: Send + 'static>(
    call: RedisCall,
    read: impl Fn(&RedisValue) -> Result<T, Failure> + Send + 'static,
) -> Effect<T> {
    Effect::from_call::<RedisCall>(Call::new(call), move |reply: Result<&Reply, EffectError>| match reply {
        Ok(Reply(Ok(value))) => read(value),
        Ok(Reply(Err(error))) => Err(failure_of(error)),
        Err(error) => Err(Failure::from_effect(RedisCall::KIND, &error)),
    })
}

fn failure_of(error: &ServerError) -> Failure {
    let failure =
        if error.is_temporary() { Failure::unavailable("redis") } else { Failure::internal("redis") };
    failure.caused_by(error.clone())
}

pub(crate) fn read<T: FromRedis>(value: &RedisValue) -> Result<T, Failure> {
    T::from_redis(value).map_err(|error| Failure::internal("redis").because(&error))
}

/// Shows the name of the command alone, because arguments may be secrets.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Command").field(&self.call.summary()).finish()
    }
}

/// Several commands that are performed as one effect without any other in between (`MULTI`, `EXEC`).
///
/// An error of one command does not undo the others: Redis has no rollback. It is the value of its command in the list of
/// [`run`](Self::run). An error in the form of a command means that none is performed.
#[derive(Debug, Clone)]
#[must_use = "a transaction does nothing until it is run"]
pub struct Transaction(Vec<Command>);

impl Transaction {
    pub(crate) const fn new(commands: Vec<Command>) -> Self {
        Self(commands)
    }

    /// Creates the effect that performs the commands, and returns their answers in order.
    pub fn run(self) -> Effect<Vec<RedisValue>> {
        let calls: Result<Vec<_>, _> = self.0.into_iter().map(Command::into_call).collect();
        let calls = match calls {
            Ok(calls) if calls.is_empty() => return Effect::ready(Vec::new()),
            Ok(calls) if calls.iter().any(|call| call.script.is_some()) => {
                return Effect::fail(
                    Failure::internal("redis").message("a script cannot be in a transaction"),
                );
            }
            Ok(calls) => calls,
            Err(failure) => return Effect::fail(failure),
        };
        let call = RedisCall {
            server: calls[0].server.clone(),
            read_only: calls.iter().all(|call| call.read_only),
            idempotent: calls.iter().all(|call| call.idempotent),
            commands: calls.into_iter().flat_map(|call| call.commands).collect(),
            script: None,
            name: None,
            transaction: true,
        };
        effect_of(call, |value| match value {
            RedisValue::List(items) => Ok(items.clone()),
            other => read::<Vec<RedisValue>>(other),
        })
    }
}
