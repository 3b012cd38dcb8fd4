//! The flows screen: the requests, errors and durations of each flow, its steps with their typical times, and the
//! scheduler of a running service.

mod flow_graph;
mod flow_table;
mod layout;
mod scheduler_panel;
mod screen;
mod state;
mod view;

pub(crate) use state::FlowsScreen;
