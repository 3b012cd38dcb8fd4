//! The text that stands for a secret in settings.

/// Shown in place of a secret value.
pub(crate) const MASK: &str = "●●●●";
