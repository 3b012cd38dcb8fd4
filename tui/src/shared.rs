//! What all screens see.

use std::collections::HashMap;
use std::sync::Arc;

use ratatui::layout::{Rect, Size};
use zerver_analysis::Timeline;
use zerver_trace::{RequestId, Trace};

use crate::dev::Service;
use crate::index::Index;
use crate::message::Notice;
use crate::scheduler::Scheduler;
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
    pub(crate) sources: Sources,
    pub(crate) notice: Option<Notice>,
    /// What the newest code makes of the last requests.
    pub(crate) check: Check,
    /// The request that the next one is to be compared with.
    pub(crate) compared: Option<RequestId>,
    /// Since when it is shown.
    pub(crate) noticed_unix_ns: u64,
    /// What is developed here; only in `zerver dev`.
    pub(crate) service: Option<Service>,
    /// What the service that runs says of its scheduler.
    pub(crate) scheduler: Scheduler,
}

impl Shared {
    /// A text of our own in the characters that may be used.
    pub(crate) fn say(&self, text: &str) -> String {
        self.theme.say(text).into_owned()
    }

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
            sources: Sources::default(),
            notice: None,
            check: Check::default(),
            compared: None,
            noticed_unix_ns: 0,
            service: None,
            scheduler: Scheduler::default(),
        }
    }
}

/// The lines of source files, as far as they were asked for; none where a file is not to be found.
#[derive(Debug, Default)]
pub(crate) struct Sources(HashMap<String, Option<Vec<String>>>);

impl Sources {
    pub(crate) fn put(&mut self, file: String, text: Option<&str>) {
        self.0.insert(file, text.map(|text| text.lines().map(str::to_owned).collect()));
    }

    pub(crate) fn is_known(&self, file: &str) -> bool {
        self.0.contains_key(file)
    }

    pub(crate) fn get(&self, file: &str) -> Option<&[String]> {
        self.0.get(file)?.as_deref()
    }

    /// They may have changed.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

/// What new code makes of the last requests; only in `zerver dev`.
#[derive(Debug, Default)]
pub(crate) struct Check {
    /// How many there were.
    pub(crate) number: u64,
    /// Whether some code has served already, which newer code can be compared with.
    pub(crate) has_served: bool,
    /// Whether there is a build that has not been checked.
    pub(crate) is_due: bool,
    /// The requests that come out otherwise.
    pub(crate) changed: Vec<RequestId>,
}

/// A trace with its timeline.
#[derive(Debug)]
pub struct Story {
    /// The trace.
    pub trace: Trace,
    /// Where its time went.
    pub timeline: Timeline,
    /// What took the most of it, in words; none where no step ran.
    pub(crate) largest: Option<String>,
}

impl Story {
    /// A trace with its timeline.
    pub fn of(trace: Trace) -> Self {
        let timeline = Timeline::of(&trace);
        let verdict = timeline.verdict(&[]).filter(|_| !timeline.runs.is_empty());
        let largest =
            verdict.map(|verdict| format!("{}% {}", verdict.largest.percent, verdict.largest.label));
        Self { timeline, trace, largest }
    }
}

/// The traces that were looked at last, the latest at the end.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    loaded: Vec<(RequestId, Loaded)>,
    /// Those that are on their way.
    asked: Vec<RequestId>,
}

/// What came of loading a trace; none if it is not there.
pub(crate) type Loaded = Result<Option<Arc<Story>>, String>;

impl Traces {
    /// Notes that a trace is asked for. Says whether it is to be: not if it is on its way.
    pub(crate) fn ask(&mut self, id: RequestId) -> bool {
        let is_new = !self.asked.contains(&id);
        if is_new {
            self.asked.push(id);
        }
        is_new
    }

    /// How many are on their way.
    pub(crate) fn asked(&self) -> usize {
        self.asked.len()
    }

    pub(crate) fn put(&mut self, id: RequestId, loaded: Loaded) {
        self.asked.retain(|other| *other != id);
        self.loaded.retain(|(other, _)| *other != id);
        if self.loaded.len() >= MAX_TRACES {
            drop(self.loaded.remove(0));
        }
        self.loaded.push((id, loaded));
    }

    /// The trace with this id, if it has come.
    pub(crate) fn story(&self, id: RequestId) -> Option<&Arc<Story>> {
        self.get(id)?.as_ref().ok()?.as_ref()
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&Loaded> {
        self.loaded.iter().find(|(other, _)| *other == id).map(|(_, loaded)| loaded)
    }
}
