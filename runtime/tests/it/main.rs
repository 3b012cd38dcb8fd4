//! One binary for all tests of the crate: linked once.

mod client;
mod collector;
mod departures;
mod drain;
mod drive;
mod effects;
mod effects_disk;
mod effects_http;
mod effects_kv;
mod hangs;
mod http1;
mod http2;
mod late;
mod many;
mod metrics;
mod overload;
mod random;
mod readiness;
mod recorded;
mod routes;
mod schedule;
mod script;
mod slow;
mod targets;
mod tokens;
mod twice;
