//! zerver: a step runtime for HTTP services that records why each request went the way it went.

mod app;
mod config;
/// Kinds of effect that come with zerver: how a step asks for them, and what performs them.
pub mod effects;
mod execution;
mod http;
pub mod prelude;
mod program;
mod replay_host;
mod scheduler;
mod server;
mod start_error;
mod sync;
mod testing;
mod time;

/// The part that performs no I/O. What users need of it is in the [`prelude`].
#[doc(hidden)]
pub use zerver_engine as engine;

pub use app::builder::App;
pub use app::start_options::Settings;
pub use app::startup::{Live, LiveError};
pub use config::{Keep, Limits, Recording};
pub use effects::{clock, interpreter, kv, sleep};
pub use execution::purity_check::{Impure, TellImpure};
pub use program::recorder_startup::build_id;
pub use program::run::run;
pub use scheduler::Rule;
pub use server::handle::Running;
pub use start_error::StartError;
pub use testing::test_request::{Run, Script};
pub use zerver_engine::{ClassSettings, Often, Scheduling};

/// Makes the `main` of a service out of the function that makes its [`App`].
#[macro_export]
macro_rules! main {
    ($app:path) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run($app())
        }
    };
}
