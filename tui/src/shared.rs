//! What all screens see.

use std::sync::Arc;

use ratatui::layout::{Rect, Size};
use zerver_replay::Timeline;
use zerver_trace::{RequestId, Trace};

use crate::index::Index;
use crate::message::Notice;
use crate::theme::{Look, Theme};

/// So many traces are kept in memory.
const MAX_TRACES: usize = 16;

/// What all screens see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) theme: Theme,
    /// Of the whole terminal.
    pub(crate) size: Size,
    pub(crate) now_unix_ns: u64,
    pub(crate) index: Index,
    pub(crate) traces: Traces,
    pub(crate) notice: Option<Notice>,
    /// The request that the next one is to be compared with.
    pub(crate) compared: Option<RequestId>,
}

impl Shared {
    /// The area of a screen, between the tabs and the hints.
    pub(crate) fn body(&self) -> Rect {
        crate::app::areas(Rect::new(0, 0, self.size.width, self.size.height)).1
    }

    pub(crate) fn new(look: Look, size: Size, now_unix_ns: u64) -> Self {
        Self {
            theme: Theme::new(look),
            size,
            now_unix_ns,
            index: Index::default(),
            traces: Traces::default(),
            notice: None,
            compared: None,
        }
    }
}

/// A trace with its timeline.
#[derive(Debug)]
pub struct Story {
    /// The trace.
    pub trace: Trace,
    /// Where its time went.
    pub timeline: Timeline,
}

impl Story {
    /// A trace with its timeline.
    pub fn of(trace: Trace) -> Self {
        Self { timeline: Timeline::of(&trace), trace }
    }
}

/// The traces that were looked at last, the latest at the end.
#[derive(Debug, Default)]
pub(crate) struct Traces(Vec<(RequestId, Loaded)>);

/// What came of loading a trace.
pub(crate) type Loaded = Result<Option<Arc<Story>>, String>;

impl Traces {
    pub(crate) fn put(&mut self, id: RequestId, loaded: Loaded) {
        self.0.retain(|(other, _)| *other != id);
        if self.0.len() >= MAX_TRACES {
            drop(self.0.remove(0));
        }
        self.0.push((id, loaded));
    }

    /// The trace with this id, if it has come.
    pub(crate) fn story(&self, id: RequestId) -> Option<&Arc<Story>> {
        self.get(id)?.as_ref().ok()?.as_ref()
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&Loaded> {
        self.0.iter().find(|(other, _)| *other == id).map(|(_, loaded)| loaded)
    }
}
