//! State of the flows screen: the flows, their times, and the focus.

use std::collections::BTreeMap;
use std::sync::Arc;

use ratatui::layout::Rect;
use zerver_trace::FlowInfo;

use super::layout::{self, Areas};
use super::{flow_graph, scheduler_panel};
use crate::draw::{Scroll, StyledLine};
use crate::message::Command;
use crate::services::FlowMeasurement;
use crate::state::SharedState;

/// The flows screen.
#[derive(Debug, Default)]
pub(crate) struct FlowsScreen {
    /// Flows, or why they cannot be listed; `None` until they arrive.
    pub(super) flows: Option<Result<Vec<FlowInfo>, String>>,
    pub(super) measured: BTreeMap<String, FlowTimes>,
    /// Graph of the selected flow.
    pub(super) graph: Vec<StyledLine>,
    pub(super) pane: Pane,
    pub(super) list: Scroll,
    pub(super) steps: Scroll,
}

/// Typical times of a flow.
#[derive(Debug)]
pub(super) enum FlowTimes {
    Running,
    Done(Arc<FlowMeasurement>),
    Failed(String),
}

/// Part of the screen that has the focus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    List,
    Steps,
}

impl FlowsScreen {
    pub(super) fn all(&self) -> &[FlowInfo] {
        match &self.flows {
            Some(Ok(flows)) => flows,
            _ => &[],
        }
    }

    pub(super) fn selected(&self) -> Option<&FlowInfo> {
        self.all().get(self.list.cursor)
    }

    /// Regenerates the graph of the selected flow, and requests its times if necessary.
    pub(super) fn settle(&mut self) -> Vec<Command> {
        let Some(flow) = self.selected() else { return Vec::new() };
        let name = flow.name.clone();
        let measured = match self.measured.get(&name) {
            Some(FlowTimes::Done(measured)) => Some(&**measured),
            _ => None,
        };
        self.graph = flow_graph::lines(flow, measured.map(|measured| &measured.times));
        if self.measured.contains_key(&name) {
            return Vec::new();
        }
        self.measured.insert(name.clone(), FlowTimes::Running);
        vec![Command::MeasureFlow(name)]
    }

    /// Returns the areas of the screen.
    pub(super) fn areas(&self, shared: &SharedState, area: Rect) -> Areas {
        layout::areas(area, self.all().len(), scheduler_panel::lines(shared).1.len())
    }

    pub(super) fn scrolled(&mut self, shared: &SharedState, area: Rect) -> (&mut Scroll, usize, usize) {
        let areas = self.areas(shared, area);
        match self.pane {
            Pane::List => {
                let len = self.all().len();
                (&mut self.list, len, usize::from(areas.list.height))
            }
            Pane::Steps => (&mut self.steps, self.graph.len(), usize::from(areas.steps.height)),
        }
    }
}
