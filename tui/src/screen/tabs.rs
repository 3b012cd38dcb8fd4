//! All screens.

use super::diff::DiffScreen;
use super::flows::FlowsScreen;
use super::interface::Screen;
use super::replay::ReplayScreen;
use super::requests::RequestsScreen;
use super::tab::Tab;
use super::timeline::TimelineScreen;
use crate::keys::KeyBinding;

/// Returns the key tables of a screen in all of its states.
pub(crate) fn all_keys(tab: Tab) -> Vec<&'static [KeyBinding]> {
    match tab {
        Tab::Requests => RequestsScreen::all_keys(),
        Tab::Timeline => TimelineScreen::all_keys(),
        Tab::Diff => DiffScreen::all_keys(),
        Tab::Replay => ReplayScreen::all_keys(),
        Tab::Flows => FlowsScreen::all_keys(),
    }
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
