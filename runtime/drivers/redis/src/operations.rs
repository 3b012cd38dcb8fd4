//! Frequent commands as functions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use zerver::prelude::*;

use crate::argument::ToArg;
use crate::command::{Command, DEFAULT_SERVER, Transaction, read};
use crate::from_value::FromRedis;
use crate::reply::RedisValue;

/// Starts any command: `cmd("ZADD").arg("scores").arg(12).arg("ann").run::<u64>()`.
pub fn cmd(name: &str) -> Command {
    Command::new(name)
}

/// Starts a script in Lua. The server is sent the hash of the text, and the text itself only if it does not know it yet.
///
/// ```
/// use zerver::prelude::*;
/// use zerver_redis as redis;
///
/// fn take(item: &str, count: u32) -> Effect<bool> {
///     let text = "if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) then return 0 end \
///         redis.call('DECRBY', KEYS[1], ARGV[1]) return 1";
///     redis::script(text).named("take").key(format!("stock:{item}")).arg(count).run()
/// }
/// ```
pub fn script(text: impl Into<Cow<'static, str>>) -> Command {
    Command::of_script(text.into())
}

/// Combines commands into one effect, which is performed without any other command in between.
pub fn transaction(commands: impl IntoIterator<Item = Command>) -> Transaction {
    Transaction::new(commands.into_iter().collect())
}

/// Selects the server of this name for the commands that follow: `redis::on("sessions").get::<String>("a")`.
pub fn on(server: impl Into<Cow<'static, str>>) -> Server {
    Server(server.into())
}

/// Makes the value that is set expire after this time: `redis::expires_in(5.minutes()).set("code:7", 1234)`.
pub const fn expires_in(time: Duration) -> Expiring {
    Expiring { server: Server(Cow::Borrowed(DEFAULT_SERVER)), time }
}

/// Reads the value of a key, or `None` if there is none.
pub fn get<T: FromRedis + Send + 'static>(key: impl ToArg) -> Effect<Option<T>> {
    Server::DEFAULT.get(key)
}

/// Reads the values of several keys, in their order.
pub fn mget<T: FromRedis + Send + 'static>(
    keys: impl IntoIterator<Item = impl ToArg>,
) -> Effect<Vec<Option<T>>> {
    Server::DEFAULT.mget(keys)
}

/// Sets the value of a key. It does not expire.
pub fn set(key: impl ToArg, value: impl ToArg) -> Effect<()> {
    Server::DEFAULT.set(key, value)
}

/// Sets the value of a key if it has none. Returns true if the value was set.
pub fn set_if_absent(key: impl ToArg, value: impl ToArg) -> Effect<bool> {
    Server::DEFAULT.set_if_absent(key, value)
}

/// Deletes keys. Returns how many of them existed.
pub fn del(keys: impl IntoIterator<Item = impl ToArg>) -> Effect<u64> {
    Server::DEFAULT.del(keys)
}

/// Returns true if the key has a value.
pub fn exists(key: impl ToArg) -> Effect<bool> {
    Server::DEFAULT.exists(key)
}

/// Adds to a number and returns the sum. A key without a value counts as 0.
pub fn incr(key: impl ToArg, by: i64) -> Effect<i64> {
    Server::DEFAULT.incr(key, by)
}

/// Makes a key expire after this time. Returns false if it has no value.
pub fn expire(key: impl ToArg, time: Duration) -> Effect<bool> {
    Server::DEFAULT.expire(key, time)
}

/// Returns the time after which a key expires, or `None` if it does not, or has no value.
pub fn ttl(key: impl ToArg) -> Effect<Option<Duration>> {
    Server::DEFAULT.ttl(key)
}

/// A server that is selected by name; see [`on`].
#[derive(Debug, Clone)]
pub struct Server(pub(crate) Cow<'static, str>);

impl Server {
    pub(crate) const DEFAULT: Self = Self(Cow::Borrowed(DEFAULT_SERVER));

    pub(crate) fn cmd(&self, name: &str) -> Command {
        Command::new(name).on(self.0.clone())
    }

    /// Like [`get`](get()).
    pub fn get<T: FromRedis + Send + 'static>(&self, key: impl ToArg) -> Effect<Option<T>> {
        self.cmd("GET").arg(key).run()
    }

    /// Like [`mget`](mget()).
    pub fn mget<T: FromRedis + Send + 'static>(
        &self,
        keys: impl IntoIterator<Item = impl ToArg>,
    ) -> Effect<Vec<Option<T>>> {
        let mut keys = keys.into_iter().peekable();
        // The server refuses the command without a key.
        if keys.peek().is_none() {
            return Effect::ready(Vec::new());
        }
        self.cmd("MGET").args(keys).run()
    }

    /// Like [`set`](set()).
    pub fn set(&self, key: impl ToArg, value: impl ToArg) -> Effect<()> {
        self.cmd("SET").arg(key).arg(value).run()
    }

    /// Like [`set_if_absent`](set_if_absent()).
    pub fn set_if_absent(&self, key: impl ToArg, value: impl ToArg) -> Effect<bool> {
        self.cmd("SET").arg(key).arg(value).arg("NX").run_with(was_set)
    }

    /// Like [`expires_in`](expires_in()).
    #[must_use]
    pub const fn expires_in(self, time: Duration) -> Expiring {
        Expiring { server: self, time }
    }

    /// Like [`del`](del()).
    pub fn del(&self, keys: impl IntoIterator<Item = impl ToArg>) -> Effect<u64> {
        let mut keys = keys.into_iter().peekable();
        if keys.peek().is_none() {
            return Effect::ready(0);
        }
        self.cmd("DEL").args(keys).run()
    }

    /// Like [`exists`](exists()).
    pub fn exists(&self, key: impl ToArg) -> Effect<bool> {
        self.cmd("EXISTS").arg(key).run()
    }

    /// Like [`incr`](incr()).
    pub fn incr(&self, key: impl ToArg, by: i64) -> Effect<i64> {
        self.cmd("INCRBY").arg(key).arg(by).run()
    }

    /// Like [`expire`](expire()).
    pub fn expire(&self, key: impl ToArg, time: Duration) -> Effect<bool> {
        self.cmd("PEXPIRE").arg(key).arg(millis(time)).run()
    }

    /// Like [`ttl`](ttl()).
    pub fn ttl(&self, key: impl ToArg) -> Effect<Option<Duration>> {
        let time = self.cmd("PTTL").arg(key).run::<i64>();
        // -1: the key does not expire; -2: there is no value.
        time.map(|ms| u64::try_from(ms).ok().map(Duration::from_millis))
    }
}

/// A write whose value expires; see [`expires_in`].
#[derive(Debug, Clone)]
pub struct Expiring {
    server: Server,
    time: Duration,
}

impl Expiring {
    /// Like [`set`](set()).
    pub fn set(&self, key: impl ToArg, value: impl ToArg) -> Effect<()> {
        self.writing(key, value).run()
    }

    /// Like [`set_if_absent`](set_if_absent()).
    pub fn set_if_absent(&self, key: impl ToArg, value: impl ToArg) -> Effect<bool> {
        self.writing(key, value).arg("NX").run_with(was_set)
    }

    fn writing(&self, key: impl ToArg, value: impl ToArg) -> Command {
        self.server.cmd("SET").arg(key).arg(value).arg("PX").arg(millis(self.time))
    }
}

fn was_set(value: &RedisValue) -> Result<bool, Failure> {
    Ok(*value != RedisValue::Nil)
}

/// Returns a time in milliseconds, at least 1, because the server refuses 0.
pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// Reads one field of a hash.
pub fn hget<T: FromRedis + Send + 'static>(key: impl ToArg, field: impl ToArg) -> Effect<Option<T>> {
    Server::DEFAULT.hget(key, field)
}

/// Reads all fields of a hash. It is empty if the key has no value.
pub fn hgetall<T: FromRedis + Send + 'static>(key: impl ToArg) -> Effect<BTreeMap<String, T>> {
    Server::DEFAULT.hgetall(key)
}

/// Sets fields of a hash. Returns how many of them are new.
pub fn hset(key: impl ToArg, fields: impl IntoIterator<Item = (impl ToArg, impl ToArg)>) -> Effect<u64> {
    Server::DEFAULT.hset(key, fields)
}

/// Deletes fields of a hash. Returns how many of them existed.
pub fn hdel(key: impl ToArg, fields: impl IntoIterator<Item = impl ToArg>) -> Effect<u64> {
    Server::DEFAULT.hdel(key, fields)
}

/// Adds to a number in a field of a hash and returns the sum.
pub fn hincr(key: impl ToArg, field: impl ToArg, by: i64) -> Effect<i64> {
    Server::DEFAULT.hincr(key, field, by)
}

impl Server {
    /// Like [`hget`](hget()).
    pub fn hget<T: FromRedis + Send + 'static>(
        &self,
        key: impl ToArg,
        field: impl ToArg,
    ) -> Effect<Option<T>> {
        self.cmd("HGET").arg(key).arg(field).run()
    }

    /// Like [`hgetall`](hgetall()).
    pub fn hgetall<T: FromRedis + Send + 'static>(&self, key: impl ToArg) -> Effect<BTreeMap<String, T>> {
        self.cmd("HGETALL").arg(key).run_with(read)
    }

    /// Like [`hset`](hset()).
    pub fn hset(
        &self,
        key: impl ToArg,
        fields: impl IntoIterator<Item = (impl ToArg, impl ToArg)>,
    ) -> Effect<u64> {
        let mut fields = fields.into_iter().peekable();
        if fields.peek().is_none() {
            return Effect::ready(0);
        }
        let command = self.cmd("HSET").arg(key);
        fields.fold(command, |command, (field, value)| command.arg(field).arg(value)).run()
    }

    /// Like [`hdel`](hdel()).
    pub fn hdel(&self, key: impl ToArg, fields: impl IntoIterator<Item = impl ToArg>) -> Effect<u64> {
        let mut fields = fields.into_iter().peekable();
        if fields.peek().is_none() {
            return Effect::ready(0);
        }
        self.cmd("HDEL").arg(key).args(fields).run()
    }

    /// Like [`hincr`](hincr()).
    pub fn hincr(&self, key: impl ToArg, field: impl ToArg, by: i64) -> Effect<i64> {
        self.cmd("HINCRBY").arg(key).arg(field).arg(by).run()
    }
}
