//! `zerver dev`: runs a service here, rebuilt on change, every request recorded.
//!
//! One loop over one closed enum of messages; `plan` decides, the rest of the folder does.

mod dep_info;
mod event_loop;
mod listener;
mod messages;
mod plan;
mod reporter;
mod screen;
mod server;
mod service_output;
mod service_source;
mod source_watch;
mod store_follower;
mod suggestions;

pub(crate) use self::event_loop::run;
pub(crate) use self::server::Child;
