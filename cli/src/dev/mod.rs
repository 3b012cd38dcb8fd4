//! `zerver dev`: runs a service, rebuilds it on change, and records every request.
//!
//! A single loop handles a closed enum of events: `plan` decides, and the other files carry out its decisions.

mod dep_info;
mod drill;
mod event_loop;
mod exec_child;
mod listener;
mod local_servers;
mod messages;
mod plan;
mod reporter;
mod screen;
mod server;
mod service_source;
mod signals;
mod source_watch;
mod suggestions;
mod web;

pub(crate) use self::event_loop::run;
pub(crate) use self::exec_child::ExecChild;
