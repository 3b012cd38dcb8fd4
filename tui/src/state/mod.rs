//! What the screens share: settings of the terminal, the index of requests, traces that were loaded, the service.

mod dev_service;
mod notice;
mod replay_check;
mod scheduler_status;
mod shared_state;
mod source_files;
mod trace_cache;

pub(crate) use dev_service::Service;
pub use dev_service::{Dev, State};
pub use notice::Notice;
pub(crate) use scheduler_status::Load;
pub use scheduler_status::{Health, Running, Worker};
pub(crate) use shared_state::Shared;
pub(crate) use source_files::Sources;
pub use trace_cache::Story;
