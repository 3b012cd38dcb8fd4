//! The flows: each as its steps in order, with what they read, write and ask for, and how long that usually takes.

mod flow_graph;
mod layout;
mod scheduler_panel;
mod screen;
mod state;
mod view;

pub(crate) use state::FlowsScreen;
