//! All screens, and the current one.

use super::diff::DiffScreen;
use super::flows::FlowsScreen;
use super::interface::Screen;
use super::replay::ReplayScreen;
use super::requests::RequestsScreen;
use super::timeline::TimelineScreen;

/// Current screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Requests,
    Timeline,
    Diff,
    Replay,
    Flows,
}

impl Tab {
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 5] = [Self::Requests, Self::Timeline, Self::Diff, Self::Replay, Self::Flows];
}

/// All screens.
#[derive(Debug, Default)]
pub(crate) struct Screens {
    pub(crate) requests: RequestsScreen,
    pub(crate) timeline: TimelineScreen,
    pub(crate) diff: DiffScreen,
    pub(crate) replay: ReplayScreen,
    pub(crate) flows: FlowsScreen,
}

impl Screens {
    pub(crate) fn get(&self, tab: Tab) -> &dyn Screen {
        match tab {
            Tab::Requests => &self.requests,
            Tab::Timeline => &self.timeline,
            Tab::Diff => &self.diff,
            Tab::Replay => &self.replay,
            Tab::Flows => &self.flows,
        }
    }

    pub(crate) fn get_mut(&mut self, tab: Tab) -> &mut dyn Screen {
        match tab {
            Tab::Requests => &mut self.requests,
            Tab::Timeline => &mut self.timeline,
            Tab::Diff => &mut self.diff,
            Tab::Replay => &mut self.replay,
            Tab::Flows => &mut self.flows,
        }
    }
}
