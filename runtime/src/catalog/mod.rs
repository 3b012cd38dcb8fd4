//! The catalog of a service: what its flows say about themselves, for `zerver catalog`, the endpoint and the store.

pub(crate) mod declaration;
pub(crate) mod openapi;
mod plan_hash;
pub(crate) mod served_documents;
