//! The layer around real axum services, over real sockets.

mod bodies;
mod faults;
mod flows;
mod harness;
mod http2;
mod requests;
mod spans;
mod stores;
mod tonic;
