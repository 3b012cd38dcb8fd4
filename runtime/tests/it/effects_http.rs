//! HTTP, against real servers.
