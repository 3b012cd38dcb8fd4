//! What all screens see.

use std::sync::Arc;

use ratatui::layout::Size;
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
}

impl Shared {
    pub(crate) fn new(look: Look, size: Size, now_unix_ns: u64) -> Self {
        Self {
            theme: Theme::new(look),
            size,
            now_unix_ns,
            index: Index::default(),
            traces: Traces::default(),
            notice: None,
        }
    }
}

/// The traces that were looked at last, the latest at the end.
#[derive(Debug, Default)]
pub(crate) struct Traces(Vec<(RequestId, Loaded)>);

/// What came of loading a trace.
pub(crate) type Loaded = Result<Option<Arc<Trace>>, String>;

impl Traces {
    pub(crate) fn put(&mut self, id: RequestId, loaded: Loaded) {
        self.0.retain(|(other, _)| *other != id);
        if self.0.len() >= MAX_TRACES {
            drop(self.0.remove(0));
        }
        self.0.push((id, loaded));
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&Loaded> {
        self.0.iter().find(|(other, _)| *other == id).map(|(_, loaded)| loaded)
    }
}
