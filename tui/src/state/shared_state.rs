//! What all screens see.

use ratatui::layout::{Rect, Size};
use zerver_trace::RequestId;

use super::dev_service::DevService;
use super::notice::Notice;
use super::replay_check::ReplayCheck;
use super::scheduler_status::SchedulerHistory;
use super::source_files::SourceFiles;
use super::trace_cache::TraceCache;

use crate::index::RequestIndex;
use crate::theme::{Appearance, Theme};

/// What all screens see.
#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) theme: Theme,
    /// Of the whole terminal.
    pub(crate) size: Size,
    pub(crate) now_unix_ns: u64,
    pub(crate) index: RequestIndex,
    pub(crate) traces: TraceCache,
    pub(crate) sources: SourceFiles,
    pub(crate) notice: Option<Notice>,
    /// What the newest code makes of the last requests.
    pub(crate) replay_check: ReplayCheck,
    /// The request that the next one is to be compared with.
    pub(crate) diff_base: Option<RequestId>,
    /// Since when it is shown.
    pub(crate) notice_unix_ns: u64,
    /// What is developed here; only in `zerver dev`.
    pub(crate) service: Option<DevService>,
    /// What the service that runs says of its scheduler.
    pub(crate) scheduler: SchedulerHistory,
}

impl SharedState {
    /// A text of our own in the characters that may be used.
    pub(crate) fn drawable(&self, text: &str) -> String {
        self.theme.drawable(text).into_owned()
    }

    /// The area of a screen, between the tabs and the hints.
    pub(crate) fn body(&self) -> Rect {
        crate::layout::areas(Rect::new(0, 0, self.size.width, self.size.height)).1
    }

    pub(crate) fn new(appearance: Appearance, size: Size, now_unix_ns: u64) -> Self {
        Self {
            theme: Theme::new(appearance),
            size,
            now_unix_ns,
            index: RequestIndex::default(),
            traces: TraceCache::default(),
            sources: SourceFiles::default(),
            notice: None,
            replay_check: ReplayCheck::default(),
            diff_base: None,
            notice_unix_ns: 0,
            service: None,
            scheduler: SchedulerHistory::default(),
        }
    }
}
