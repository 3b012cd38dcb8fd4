//! The runtime from outside: a service on a socket, and the captures it leaves.

mod client;
mod collector;
mod drain;
mod drive;
mod http1;
mod http2;
mod routes;
mod slow;
