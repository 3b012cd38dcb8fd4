//! Another service that answers the requests which no flow takes, such as a router of axum with the older part of a program. It
//! runs on the effect runtime, and is recorded from outside, as a layer would.

mod fallback_body;
mod fallback_service;
mod fallback_task;

pub use fallback_body::FallbackBody;
pub(crate) use fallback_service::Fallback;
pub(crate) use fallback_task::answer;
