//! Text that replaces secrets when settings are shown.

/// Shown in place of a secret value.
pub(crate) const MASK: &str = "●●●●";
