//! The flows, their times, and what is looked at.

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

/// The flows.
#[derive(Debug, Default)]
pub(crate) struct FlowsScreen {
    /// None until they have come.
    pub(super) flows: Option<Result<Vec<FlowInfo>, String>>,
    pub(super) measured: BTreeMap<String, FlowTimes>,
    /// The graph of the chosen flow.
    pub(super) graph: Vec<StyledLine>,
    pub(super) pane: Pane,
    pub(super) list: Scroll,
    pub(super) steps: Scroll,
}

/// What is known of the times of a flow.
#[derive(Debug)]
pub(super) enum FlowTimes {
    Running,
    Done(Arc<FlowMeasurement>),
    Failed(String),
}

/// What has the keys.
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

    pub(super) fn chosen(&self) -> Option<&FlowInfo> {
        self.all().get(self.list.cursor)
    }

    /// Draws up the chosen flow, and asks for its times if nobody has.
    pub(super) fn settle(&mut self) -> Vec<Command> {
        let Some(flow) = self.chosen() else { return Vec::new() };
        let name = flow.name.clone();
        let measured = match self.measured.get(&name) {
            Some(FlowTimes::Done(measured)) => Some(&**measured),
            _ => None,
        };
        self.graph = flow_graph::lines(flow, measured.map(|measured| &measured.usual));
        if self.measured.contains_key(&name) {
            return Vec::new();
        }
        self.measured.insert(name.clone(), FlowTimes::Running);
        vec![Command::MeasureFlow(name)]
    }

    /// Where the parts of the screen are.
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
