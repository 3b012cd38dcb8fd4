//! Streams.

use std::time::Duration;

use zerver::prelude::*;

use crate::argument::ToArg;
use crate::command::{Command, read};
use crate::from_value::{FromRedis, UnexpectedValue};
use crate::operations::{Server, millis};
use crate::reply::RedisValue;

/// An entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEntry<T> {
    /// Id: `1700000000000-0`.
    pub id: String,
    /// Fields and values, in order.
    pub fields: Vec<(String, T)>,
}

impl<T: FromRedis> FromRedis for StreamEntry<T> {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        let (id, fields) = <(String, Vec<RedisValue>)>::from_redis(value)?;
        let (pairs, _) = fields.as_chunks::<2>();
        let pairs =
            pairs.iter().map(|[field, value]| Ok((String::from_redis(field)?, T::from_redis(value)?)));
        Ok(Self { id, fields: pairs.collect::<Result<_, _>>()? })
    }
}

/// Appends an entry to a stream, and returns its id.
pub fn xadd(
    stream: impl ToArg,
    fields: impl IntoIterator<Item = (impl ToArg, impl ToArg)>,
) -> Effect<String> {
    Server::DEFAULT.xadd(stream, fields)
}

/// Reads at most `count` entries between two ids, which are included. `-` is the first, `+` the last, and `(` before an id
/// excludes it.
pub fn xrange<T: FromRedis + Send + 'static>(
    stream: impl ToArg,
    from: &str,
    to: &str,
    count: u32,
) -> Effect<Vec<StreamEntry<T>>> {
    Server::DEFAULT.xrange(stream, from, to, count)
}

/// Starts to read the entries of a stream after an id. `0` is before the first, and `$` after the last that the stream has
/// when the server receives the command.
pub fn xread(stream: impl ToArg, after: &str) -> StreamRead {
    Server::DEFAULT.xread(stream, after)
}

impl Server {
    /// Like [`xadd`](xadd()).
    pub fn xadd(
        &self,
        stream: impl ToArg,
        fields: impl IntoIterator<Item = (impl ToArg, impl ToArg)>,
    ) -> Effect<String> {
        let command = self.cmd("XADD").arg(stream).arg("*");
        fields.into_iter().fold(command, |command, (field, value)| command.arg(field).arg(value)).run()
    }

    /// Like [`xrange`](xrange()).
    pub fn xrange<T: FromRedis + Send + 'static>(
        &self,
        stream: impl ToArg,
        from: &str,
        to: &str,
        count: u32,
    ) -> Effect<Vec<StreamEntry<T>>> {
        self.cmd("XRANGE").arg(stream).arg(from).arg(to).arg("COUNT").arg(count).run()
    }

    /// Like [`xread`](xread()).
    pub fn xread(&self, stream: impl ToArg, after: &str) -> StreamRead {
        let streams = Command::new("STREAMS").arg(stream).arg(after);
        StreamRead { server: self.clone(), streams, count: 100, wait: None }
    }
}

/// A read of a stream; see [`xread`].
#[derive(Debug, Clone)]
#[must_use = "a read does nothing until it is run"]
pub struct StreamRead {
    server: Server,
    /// The last part of the command.
    streams: Command,
    count: u32,
    wait: Option<Duration>,
}

impl StreamRead {
    /// Sets the maximum number of entries. The default is 100.
    pub const fn count(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// Waits for this long if there is no entry. The call has a connection of its own, because the server answers the
    /// commands of one connection in order.
    pub const fn wait(mut self, time: Duration) -> Self {
        self.wait = Some(time);
        self
    }

    /// Creates the effect that returns the entries. There are none if the stream has no new ones.
    pub fn run<T: FromRedis + Send + 'static>(self) -> Effect<Vec<StreamEntry<T>>> {
        let mut command = self.server.cmd("XREAD").arg("COUNT").arg(self.count);
        if let Some(time) = self.wait {
            command = command.arg("BLOCK").arg(millis(time));
        }
        let streams = match self.streams.into_call() {
            Ok(call) => call.commands.into_iter().flatten(),
            Err(failure) => return Effect::fail(failure),
        };
        command.args(streams).run_with(|value| {
            let streams: Vec<(RedisValue, Vec<StreamEntry<T>>)> = read(value)?;
            Ok(streams.into_iter().flat_map(|(_, entries)| entries).collect())
        })
    }
}
