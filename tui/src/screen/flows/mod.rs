//! The flows screen: the steps of each flow with their typical times, and the scheduler of a running service.

mod flow_graph;
mod layout;
mod scheduler_panel;
mod screen;
mod state;
mod view;

pub(crate) use state::FlowsScreen;
