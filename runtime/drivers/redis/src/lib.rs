//! Redis as effects of [zerver]: commands, scripts and streams.
//!
//! ```no_run
//! use zerver::prelude::*;
//! use zerver_redis as redis;
//!
//! #[slot]
//! struct Visits(i64);
//!
//! #[step]
//! fn count(request: &Request) -> Decision<Visits> {
//!     Need(redis::incr(format!("visits:{}", request.uri.path()), 1).map(Visits))
//! }
//!
//! #[step]
//! fn render(visits: &Visits) -> Response {
//!     Response::text(visits.0.to_string())
//! }
//!
//! fn app() -> App {
//!     App::new().flow(flow!("visits", GET "/visits", steps: [count, render])).on_startup(|startup| {
//!         startup.interpreter(redis::Redis::from_url("redis://cache.internal:6379")?);
//!         Ok(())
//!     })
//! }
//! # let _ = app;
//! ```
//!
//! [`cmd`] runs any command. Frequent ones are functions, and [`script`] and [`transaction`] perform several commands
//! without another in between. Redis answers a command with a value or with an error. Both are the output of the effect, so
//! that a replay reproduces them.
//!
//! # Connections
//!
//! All calls share one connection, and none waits for the answers of others before it is sent. Only a command that lets the
//! server wait, such as `XREAD BLOCK`, gets a connection of its own.
//!
//! The connection is opened when it is needed. A service starts and runs while the server is not reachable: its effects fail
//! as `unreachable`, and succeed as soon as the server is back. If the connection is lost while a call waits for its answer,
//! the call fails as `unreachable` if it only reads, and as `unknown_outcome` otherwise, because the server may have
//! performed it. A call that ends early, because its time limit has passed or the client has left, is not sent any more if it
//! was not sent yet; a command that was sent cannot be taken back.
//!
//! # Caches and limits of rates
//!
//! A [`Redis`] is the store of a [cache](zerver::effects::cache) that several processes share, and [`RateLimiter`] performs
//! [limits of rates](zerver::effects::rate_limit) that hold for all of them together.
//!
//! # Failover
//!
//! [`Redis::from_urls`] takes the addresses of a primary and its replicas, and connects to the one that is the primary.

#![warn(missing_debug_implementations)]

mod argument;
mod cache_store;
mod command;
mod command_table;
mod connect_settings;
mod connection;
mod from_value;
mod operations;
mod rate_limiter;
mod redis_kind;
mod redis_server;
mod reply;
mod streams;

pub use argument::{Arg, Json, Secret, ToArg};
pub use command::{Command, DEFAULT_SERVER, Transaction};
pub use connect_settings::SettingsError;
pub use from_value::{FromRedis, UnexpectedValue};
pub use operations::{
    Expiring, Server, cmd, del, exists, expire, expires_in, get, hdel, hget, hgetall, hincr, hset, incr,
    mget, on, script, set, set_if_absent, transaction, ttl,
};
pub use rate_limiter::RateLimiter;
pub use redis_kind::RedisCall;
pub use redis_server::{Redis, Servers};
pub use reply::{RedisValue, Reply, ServerError};
pub use streams::{StreamEntry, StreamRead, xadd, xrange, xread};
