//! State of the flows screen: the flows, their times, and the focus.

use std::collections::BTreeMap;
use std::sync::Arc;

use ratatui::layout::Rect;
use zerver_analysis::FlowSummary;
use zerver_trace::{CatalogFlow, FlowInfo};

use super::flow_table::FlowTable;
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
    pub(super) flows: Option<Result<Vec<CatalogFlow>, String>>,
    pub(super) table: FlowTable,
    /// True while a [`Command::Continue`] is pending.
    pub(super) is_turn_requested: bool,
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
    /// Returns the flows of the program.
    pub(super) fn known(&self) -> &[CatalogFlow] {
        match &self.flows {
            Some(Ok(flows)) => flows,
            _ => &[],
        }
    }

    pub(super) fn rows(&self) -> &[FlowSummary] {
        &self.table.rows
    }

    /// Returns the name of the selected flow, which is empty for requests that matched none.
    pub(super) fn selected_name(&self) -> Option<&str> {
        self.rows().get(self.list.cursor).map(|row| row.flow.as_str())
    }

    pub(super) fn selected(&self) -> Option<&FlowInfo> {
        self.selected_entry().map(|entry| &entry.flow)
    }

    /// Returns the selected flow, with what its definition says.
    pub(super) fn selected_entry(&self) -> Option<&CatalogFlow> {
        let name = self.selected_name()?;
        self.known().iter().find(|entry| entry.flow.name == name)
    }

    /// Counts requests, and updates the rows. The selected flow stays selected.
    pub(super) fn count(&mut self, shared: &SharedState) -> Vec<Command> {
        let selected = self.selected_name().map(str::to_owned);
        let has_more = self.table.count(&shared.index, shared.now_unix_ns);
        let known = match &self.flows {
            Some(Ok(flows)) => flows.as_slice(),
            _ => &[],
        };
        self.table.settle(&shared.index, known);
        let at = self.rows().iter().position(|row| Some(&row.flow) == selected.as_ref());
        // At the top, the first flow stays selected.
        if self.list.cursor > 0 {
            self.list.cursor = at.unwrap_or(0);
        }
        let mut commands =
            if self.selected_name() == selected.as_deref() { Vec::new() } else { self.settle() };
        if has_more && !self.is_turn_requested {
            self.is_turn_requested = true;
            commands.push(Command::Continue);
        }
        commands
    }

    /// Regenerates the graph of the selected flow, and requests its times if necessary.
    pub(super) fn settle(&mut self) -> Vec<Command> {
        let Some(entry) = self.selected_entry() else {
            self.graph = Vec::new();
            return Vec::new();
        };
        let flow = &entry.flow;
        let name = flow.name.clone();
        let measured = match self.measured.get(&name) {
            Some(FlowTimes::Done(measured)) => Some(&**measured),
            _ => None,
        };
        let steps = flow_graph::lines(flow, measured.map(|measured| &measured.times));
        self.graph = entry.declaration.iter().filter_map(flow_graph::declared).chain(steps).collect();
        if self.measured.contains_key(&name) {
            return Vec::new();
        }
        self.measured.insert(name.clone(), FlowTimes::Running);
        vec![Command::MeasureFlow(name)]
    }

    /// Returns the areas of the screen.
    pub(super) fn areas(&self, shared: &SharedState, area: Rect) -> Areas {
        layout::areas(area, self.rows().len(), scheduler_panel::lines(shared).1.len())
    }

    pub(super) fn scrolled(&mut self, shared: &SharedState, area: Rect) -> (&mut Scroll, usize, usize) {
        let areas = self.areas(shared, area);
        match self.pane {
            Pane::List => {
                let len = self.rows().len();
                (&mut self.list, len, usize::from(areas.list.height))
            }
            Pane::Steps => (&mut self.steps, self.graph.len(), usize::from(areas.steps.height)),
        }
    }
}
