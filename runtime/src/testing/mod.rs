//! Flows under test: run without a server, by what a test gives them.

mod assertions;
pub(crate) mod test_request;
