//! Effects: the built-in kinds, and the traits for other kinds.
//!
//! A step returns an effect as a value (`Need(..)`). The runtime performs it, records its arguments and its result, and
//! runs the next step. The built-in kinds are
//!
//! - [`http`]: requests to other services,
//! - [`kv`]: a key-value store, in memory or on disk,
//! - [`sql`]: statements for a database, which a driver crate performs,
//! - [`cache`]: outputs of effects that are kept for a while,
//! - [`rate_limit`]: limits of how often something may happen,
//! - [`sleep`](sleep()): waiting,
//! - [`clock`]: the time of day while a request runs,
//! - [`stream`]: bodies of responses that are made while they are sent,
//! - `websocket`: sessions that exchange messages with the client (the Cargo feature `websocket`).
//!
//! ```
//! use zerver::effects::{http, kv};
//! use zerver::prelude::*;
//!
//! #[derive(Debug, Slot, Serialize, Deserialize)]
//! struct Page { body: String, views: i64 }
//!
//! #[step]
//! fn load(request: &Request) -> Decision<Page> {
//!     let body = http::get("http://pages.internal/home").text().retry(Retry::attempts(3));
//!     let views = kv::add(("views", request.uri.path()), 1);
//!     Need(all((body, views)).map(|(body, views)| Page { body, views }))
//! }
//! ```
//!
//! Any async function becomes an effect with [`#[effect]`](macro@crate::prelude::effect), and
//! [`App::effect`](crate::App::effect) has the service perform it. For more control, a type implements
//! [`EffectKind`](crate::prelude::EffectKind), and an [`Interpreter`] performs it; [`App::interpreter`](crate::App::interpreter)
//! adds one, or replaces a built-in one.

mod builtin_interpreters;
pub mod cache;
mod chaos_injection;
pub mod clock;
mod duration_literals;
pub(crate) mod effect_function;
pub(crate) mod effect_points;
mod explanation;
#[cfg(feature = "http-client")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
pub mod http;
pub(crate) mod interpreter;
pub mod kv;
pub(crate) mod outbound;
pub mod points;
pub mod rate_limit;
pub mod sleep;
pub mod sql;
pub mod stream;
#[cfg(feature = "websocket")]
#[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
pub mod websocket;

pub use duration_literals::Durations;
#[doc(hidden)]
pub use effect_function::perform_blocking;
pub use effect_function::{EffectFunction, FunctionInterpreter, MissingResource, Resources};
pub use effect_points::{report_line, report_point};
pub use explanation::{Explain, ExplainResult, Explanation};
pub use interpreter::{
    BoxFuture, CallEnd, CallGuard, CallNumbers, EffectContext, EffectResult, Interpreter, Interpreters,
    Started,
};
pub use outbound::Outbound;
pub use sleep::sleep;
pub use zerver_engine::{any, first_success};
pub use zerver_trace::{LogLevel, TraceParent, Value};
