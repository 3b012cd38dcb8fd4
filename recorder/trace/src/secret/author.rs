//! Authors of texts.

/// Author of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// The client. Every value under the name of a secret is a secret.
    Client,
    /// The service, or another service that it called. A message about a secret is not a secret.
    Service,
}
