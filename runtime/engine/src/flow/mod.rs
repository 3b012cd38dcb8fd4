//! Flows: a route and the steps that serve it, in an order that is checked at compile time.

mod alias;
mod chain;
mod date;
mod definition;
mod response_doc;
mod runnable;
mod slo;
mod step_order;

pub use alias::Alias;
pub use chain::Chain;
pub use date::Date;
pub use definition::{FlowDef, RenderFailure};
pub use response_doc::ResponseDoc;
pub(crate) use runnable::Recovery;
pub use runnable::{Flow, FlowError};
pub use slo::Slo;
