//! zerver: a step runtime for HTTP services that records why each request went the way it went.

mod accept;
mod answered;
mod app;
mod config;
mod delivery;
mod drive;
mod effect_runtime;
mod environment;
/// The part that performs no I/O. What users need of it is in the [`prelude`].
#[doc(hidden)]
pub use zerver_engine as engine;

/// Kinds of effect that come with zerver: how a step asks for them, and what performs them.
pub mod effects;
mod flight;
mod host;
mod ids;
/// Interpreters: what performs one kind of effect.
pub mod interpreter;
mod leave;
mod limits;
mod listen;
mod live;
mod notice;
mod panics;
mod prepare;
mod readiness;
mod record;
mod recorded;
mod recording;
mod reload;
mod run;
mod running;
mod schedule;
mod script;
mod service;
mod shell;
mod start_error;
mod sync;
mod time;
mod twice;
mod worker;

pub use app::{App, Settings};
pub use effects::{clock, http, kv, sleep};
pub use limits::Limits;
pub use prepare::{Live, LiveError};
pub use record::build_id;
pub use recording::{Keep, Recording};
pub use run::run;
pub use running::Running;
pub use schedule::Rule;
pub use script::{Run, Script};
pub use start_error::StartError;
pub use twice::{Impure, TellImpure};
pub use zerver_engine::{ClassSettings, OverrunLimit, SchedulingSettings};

/// Makes the `main` of a service out of the function that makes its [`App`].
#[macro_export]
macro_rules! main {
    ($app:path) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run($app())
        }
    };
}

/// What a service uses in nearly every file.
pub mod prelude {
    pub use serde::{Deserialize, Serialize};
    pub use zerver_engine::Decision::{self, Continue, Done, Fail, Need, Yield};
    pub use zerver_engine::{
        ArrivalTime, Chain, Class, Effect, EffectError, EffectErrorKind, EffectKind, Failure, Final, FlowDef,
        Random, Request, RequestId, Response, Retry, Shared, Slot, all, chain, effect, flow, join_all, step,
    };

    pub use crate::effects::Durations;
    pub use crate::{App, clock, http, kv, sleep};
}
