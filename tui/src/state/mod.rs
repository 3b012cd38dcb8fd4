//! State shared by all screens: appearance, index, loaded traces, notice and service.

mod dev_service;
mod notice;
mod replay_check;
mod scheduler_status;
mod shared_state;
mod source_files;
mod trace_cache;

pub(crate) use dev_service::DevService;
pub use dev_service::{BuildProgress, ServiceEvent, ServiceState};
pub use notice::{Notice, NoticeKind};
pub(crate) use scheduler_status::BusyHistory;
pub use scheduler_status::{RunningStep, SchedulerStatus, WorkerStatus};
pub(crate) use shared_state::SharedState;
pub(crate) use source_files::SourceFiles;
pub use trace_cache::LoadedTrace;
