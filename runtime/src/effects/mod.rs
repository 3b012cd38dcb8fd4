//! Effects: the built-in kinds, and the traits for other kinds.
//!
//! A step returns an effect as a value (`Need(..)`). The runtime performs it, records its arguments and its result, and
//! runs the next step. The built-in kinds are
//!
//! - [`http`]: requests to other services,
//! - [`kv`]: a key-value store, in memory or on disk,
//! - [`sql`]: statements for a database, which a driver crate performs,
//! - [`sleep`](sleep()): waiting,
//! - [`clock`]: the time of day while a request runs.
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
//! An [`Interpreter`] performs the effects of one kind. [`App::interpreter`](crate::App::interpreter) replaces a built-in
//! one, or adds a kind of the service's own: a type that implements [`EffectKind`](crate::prelude::EffectKind).

mod builtin_interpreters;
pub mod clock;
mod duration_literals;
#[cfg(feature = "http-client")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
pub mod http;
pub(crate) mod interpreter;
pub mod kv;
pub mod sleep;
pub mod sql;

pub use duration_literals::Durations;
pub use interpreter::{
    BoxFuture, CallEnd, CallGuard, EffectContext, EffectResult, Interpreter, Interpreters, Started,
};
pub use sleep::sleep;
pub use zerver_trace::Value;
