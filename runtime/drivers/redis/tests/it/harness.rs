//! The server that the tests share, and clients.

use std::sync::OnceLock;

use tokio::runtime::Runtime;
use zerver::effects::{EffectContext, Interpreters};
use zerver::prelude::*;
use zerver_local_server as local;
use zerver_redis::Redis;

/// Returns the server of all tests. It ends with their process.
pub(crate) fn server() -> &'static local::Redis {
    static SERVER: OnceLock<local::Redis> = OnceLock::new();
    SERVER.get_or_init(start)
}

/// Starts a server for one test.
pub(crate) fn start() -> local::Redis {
    local::Redis::start().unwrap_or_else(|error| panic!("{error}"))
}

/// A service without HTTP: interpreters, and a runtime.
pub(crate) struct Client {
    pub(crate) interpreters: Interpreters,
    runtime: Runtime,
}

impl Client {
    /// Creates a client of the server that all tests share.
    pub(crate) fn new() -> Self {
        Self::of(Redis::from_url(&server().url()).unwrap())
    }

    pub(crate) fn of(redis: Redis) -> Self {
        let mut interpreters = Interpreters::builtin();
        interpreters.set(redis);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { interpreters, runtime: runtime.unwrap() }
    }

    /// Performs an effect and waits for it.
    pub(crate) fn run<T>(&self, effect: Effect<T>) -> Result<T, Failure> {
        self.block_on(self.perform(effect))
    }

    pub(crate) async fn perform<T>(&self, effect: Effect<T>) -> Result<T, Failure> {
        self.interpreters.perform(effect, &EffectContext::default()).await
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// Returns the reasons of a failure.
pub(crate) fn cause<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    result.unwrap_err().causes().join("; ")
}
