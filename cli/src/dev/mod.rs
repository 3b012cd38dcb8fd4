//! `zerver dev`: runs a service, rebuilds it on change, and records every request.
//!
//! One loop over one closed enum of events: `plan` decides, the other files do.

mod dep_info;
mod event_loop;
mod exec_child;
mod listener;
mod messages;
mod plan;
mod reporter;
mod screen;
mod server;
mod service_source;
mod source_watch;
mod store_follower;
mod suggestions;

pub(crate) use self::event_loop::run;
pub(crate) use self::exec_child::ExecChild;
