//! Clients: a plain connection, a closed loop for the light benchmark, and an open loop for the others.

pub(crate) mod closed_loop;
pub(crate) mod connection;
pub(crate) mod open_loop;
