//! Redis as the store of a cache that several processes share.

use std::time::Duration;

use bytes::Bytes;
use zerver::effects::{BoxFuture, EffectContext, Interpreter as _, Started, cache};
use zerver::prelude::*;

use crate::command::Command;
use crate::operations::millis;
use crate::redis_server::Redis;
use crate::reply::{RedisValue, Reply};

/// Prefix of the keys of caches.
const PREFIX: &str = "zerver:cache:";

impl Redis {
    /// Performs a command that is a part of another effect.
    pub(crate) fn ask(&self, command: Command) -> BoxFuture<Result<RedisValue, EffectError>> {
        let started = match command.into_call() {
            Ok(call) => self.start(&call, &EffectContext::default()),
            Err(failure) => {
                Started::Ready(Err(EffectError::new(EffectErrorKind::Invalid, failure.to_string())))
            }
        };
        Box::pin(async move {
            let reply = match started {
                Started::Ready(reply) => reply?,
                Started::Pending(reply) => reply.await?,
            };
            let Reply(result) = reply;
            result.map_err(|error| EffectError::new(EffectErrorKind::Failed, error.to_string()))
        })
    }
}

/// A cache whose values are in Redis: `startup.interpreter(Cache::over(redis.clone()))`.
///
/// The keys start with `zerver:cache:`. A value is one version byte and the form in which zerver records values, so that it
/// does not depend on the type.
impl cache::Store for Redis {
    fn get(&self, key: String) -> BoxFuture<Result<Option<Bytes>, EffectError>> {
        let asking = self.ask(Command::new("GET").arg(PREFIX.to_owned() + &key));
        Box::pin(async move {
            Ok(match asking.await? {
                RedisValue::Bytes(bytes) => Some(bytes),
                _ => None,
            })
        })
    }

    fn put(&self, key: String, value: Bytes, expires_in: Duration) -> BoxFuture<Result<(), EffectError>> {
        let command = Command::new("SET").arg(PREFIX.to_owned() + &key).arg(value);
        let asking = self.ask(command.arg("PX").arg(millis(expires_in)));
        Box::pin(async move { asking.await.map(drop) })
    }

    fn evict(&self, key: String) -> BoxFuture<Result<(), EffectError>> {
        let asking = self.ask(Command::new("DEL").arg(PREFIX.to_owned() + &key));
        Box::pin(async move { asking.await.map(drop) })
    }
}
