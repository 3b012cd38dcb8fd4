//! The published behavior of the RealWorld API, over sockets and with a real PostgreSQL server. Every recorded request is
//! then replayed without it.

mod articles;
mod comments;
mod harness;
mod hostile;
mod lists;
mod profiles;
mod startup;
mod users;
