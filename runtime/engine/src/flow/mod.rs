//! Flows: a route and the steps that serve it, in an order that is checked at compile time.

mod chain;
mod definition;
mod runnable;
mod step_order;

pub use chain::Chain;
pub use definition::{FlowDef, RenderFailure};
pub(crate) use runnable::Recovery;
pub use runnable::{Flow, FlowError};
