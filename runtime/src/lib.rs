//! zerver runs HTTP services that are written as flows of small steps, and records the decisions of each request, so that
//! any request can be explained and replayed later.
//!
//! A **step** is a function. It reads slots, and returns a slot that it writes, a response, a failure, or an effect to be
//! performed. A **flow** is a route and the steps that answer it. A **slot** is a value that one step writes and later
//! steps read; `flow!` checks at compile time that each slot is written before it is read. An **effect** is anything that
//! reaches outside, such as an HTTP request or a database query. A step describes an effect as a value, and the runtime
//! performs it.
//!
//! ```no_run
//! use zerver::effects::kv;
//! use zerver::prelude::*;
//!
//! #[derive(Debug, Slot, Serialize, Deserialize)]
//! struct Visits(i64);
//!
//! #[step]
//! fn count(request: &Request) -> Decision<Visits> {
//!     let name = request.param_str("name").unwrap_or("you");
//!     Need(kv::add(("visits", name), 1).map(Visits))
//! }
//!
//! #[step]
//! fn greet(request: &Request, visits: &Visits) -> Response {
//!     let name = request.param_str("name").unwrap_or("you");
//!     Response::text(format!("hello, {name}; visit {}", visits.0))
//! }
//!
//! fn app() -> App {
//!     App::new().flow(flow!("hello", GET "/hello/{name}", steps: [count, greet]))
//! }
//!
//! zerver::main!(app);
//! ```
//!
//! # Overview
//!
//! - [`App`] collects flows, interpreters and settings. [`main!`] and [`run`] run it as a program, which reads
//!   `zerver.toml` and the environment, and records. [`App::start`] runs it on threads of another program and returns a
//!   [`Server`]. [`App::mount`] runs its flows as services of another HTTP server.
//! - [`prelude`] has the names that nearly every file of a service uses.
//! - [`mod@input`] has the typed parameters of steps, such as `Json<NewTodo>`.
//! - [`effects`] has the built-in kinds of effect (HTTP requests, a key-value store, timers, the clock) and the traits for
//!   other kinds.
//! - [`testing`] runs a flow without a server.
//! - [`Limits`], [`SchedulingSettings`], [`ClassRule`], [`TargetPolicy`], [`Egress`] and [`Recording`] are settings.
//! - [`Chaos`] injects faults into effects, for drills.
//!
//! # Threads
//!
//! One worker thread for each core accepts connections and runs steps. A step is not interrupted: one that computes for
//! long delays the other requests of its worker, so it should yield, or its flow should be in the batch class, which runs
//! on threads of low priority. Effects are performed on other threads, so that a long step never delays the effect of
//! another request.
//!
//! # Cargo features
//!
//! All are on by default. A setting that needs a missing feature is an error when the service starts.
//!
//! - `compression`: compression of responses and of the bodies of requests. It is off by default.
//! - `fleet`: ships recorded requests to the database or bucket of a fleet. It is off by default.
//! - `http-client`: the module `effects::http`, whose client also needs TLS.
//! - `kv-disk`: the key-value store on disk.
//! - `metrics`: the endpoint `/metrics`.
//! - `tls`: TLS for clients, with certificates from files.
//! - `replay`: the host of replays, which `zerver replay` starts, and the check for impure steps.
//!
//! # Events
//!
//! The library reports what an operator should know (a worker that hangs, recording that pauses) as
//! [`tracing`](https://docs.rs/tracing) events with the target `zerver`. [`run`] prints them on standard error. A program
//! that calls [`App::start`] itself installs the subscriber that it wants.
//!
//! # Tutorial
//!
#![doc = include_str!("../docs/tutorial.md")]
#![warn(missing_debug_implementations)]

mod app;
mod catalog;
mod config;
pub mod effects;
mod event_text;
mod execution;
mod fallback;
mod http;
pub mod idempotency;
mod mount;
mod operator_log;
mod platform;
pub mod prelude;
mod program;
#[cfg(feature = "replay")]
mod replay_host;
mod scheduler;
mod server;
mod start_error;
mod sync;
pub mod testing;
mod time;
#[cfg(feature = "tls")]
mod tls;

/// The crate that performs no I/O. The [`prelude`] has what services use of it.
#[doc(hidden)]
pub use zerver_engine as engine;

/// Recording of programs that are no services of zerver.
#[doc(hidden)]
pub mod layer {
    pub use crate::event_text::{EventText, log_level};
    pub use crate::program::layer_recorder::{
        LayerRecorder, RecordedByFlow, listen, next_request_id, report_unrecorded, request_id_header,
    };
}

pub use ::http::{HeaderMap, Method, StatusCode};
pub use app::builder::App;
pub use app::start_options::StartOptions;
pub use app::startup::{BoxError, Startup};
pub use config::{
    Compression, Cors, Csrf, Egress, Idempotency, Keep, KeyStore, Limits, Proxies, Recording, SecurityHeaders,
};
#[cfg(feature = "replay")]
#[cfg_attr(docsrs, doc(cfg(feature = "replay")))]
pub use execution::purity_check::{ImpureStep, OnImpureStep};
pub use execution::streamed_body::BrokenStream;
pub use fallback::FallbackBody;
pub use mount::{FlowService, MountedBody, MountedFlows};
pub use program::recorder_startup::build_id;
pub use program::run::{IntoApp, host_if_asked, run};
pub use scheduler::ClassRule;
pub use server::handle::Server;
pub use start_error::StartError;
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use tls::CertificateError;
pub use zerver_engine::input;
pub use zerver_engine::{
    Chaos, ChaosFault, ChaosRule, ChaosRuleError, ClassSettings, OverrunLimit, Places, SchedulingSettings,
    TargetPolicy,
};

/// Defines the `main` function of a service, from the function that returns its [`App`].
#[macro_export]
macro_rules! main {
    ($app:path) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run($app())
        }
    };
}
