//! State that all screens can see.

use ratatui::layout::{Rect, Size};
use zerver_analysis::TimeZone;
use zerver_trace::RequestId;

use super::dev_service::DevService;
use super::notice::Notice;
use super::replay_check::ReplayCheck;
use super::scheduler_status::SchedulerHistory;
use super::source_files::SourceFiles;
use super::trace_cache::TraceCache;

use crate::index::RequestIndex;
use crate::theme::{Appearance, Theme};
use crate::user_config::KeyMap;

/// State shared by all screens.
#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) theme: Theme,
    /// Keys that the user has chosen.
    pub(crate) key_map: KeyMap,
    /// Size of the whole terminal.
    pub(crate) size: Size,
    pub(crate) now_unix_ns: u64,
    /// Time zone of the user, for times in filters.
    pub(crate) time_zone: TimeZone,
    pub(crate) index: RequestIndex,
    pub(crate) traces: TraceCache,
    pub(crate) sources: SourceFiles,
    pub(crate) notice: Option<Notice>,
    /// Replays of the newest requests after a rebuild.
    pub(crate) replay_check: ReplayCheck,
    /// Number of searches for the sources of a value so far.
    pub(crate) source_searches: u64,
    /// Request selected as the first one of a comparison.
    pub(crate) diff_base: Option<RequestId>,
    /// Time at which the notice appeared.
    pub(crate) notice_unix_ns: u64,
    /// Service that `zerver dev` runs, if any.
    pub(crate) service: Option<DevService>,
    /// Scheduler of a running service.
    pub(crate) scheduler: SchedulerHistory,
}

impl SharedState {
    /// Returns a text of our own in the characters that may be drawn.
    pub(crate) fn drawable(&self, text: &str) -> String {
        self.theme.drawable(text).into_owned()
    }

    /// Returns the area of the current screen.
    pub(crate) fn body(&self) -> Rect {
        crate::layout::areas(Rect::new(0, 0, self.size.width, self.size.height)).1
    }

    pub(crate) fn new(appearance: Appearance, size: Size, now_unix_ns: u64) -> Self {
        Self {
            theme: Theme::new(appearance),
            key_map: KeyMap::default(),
            size,
            now_unix_ns,
            time_zone: TimeZone::UTC,
            index: RequestIndex::default(),
            traces: TraceCache::default(),
            sources: SourceFiles::default(),
            notice: None,
            replay_check: ReplayCheck::default(),
            source_searches: 0,
            diff_base: None,
            notice_unix_ns: 0,
            service: None,
            scheduler: SchedulerHistory::default(),
        }
    }
}
