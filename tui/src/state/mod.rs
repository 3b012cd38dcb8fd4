//! What the screens share: settings of the terminal, the index of requests, traces that were loaded, the service.

mod dev_service;
mod scheduler_status;
mod shared_state;

pub(crate) use dev_service::Service;
pub use dev_service::{Dev, State};
pub use scheduler_status::{Health, Running, Worker};
pub(crate) use scheduler_status::{Load, Scheduler};
pub use shared_state::Story;
pub(crate) use shared_state::{Shared, Sources};
