//! Notices: messages for the user in place of the footer.

/// Message shown for a short time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Text of the message.
    pub text: String,
    /// Kind of the message.
    pub kind: NoticeKind,
}

/// Kind of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// Something succeeded.
    Confirmation,
    /// A key had no effect, or something else is expected next.
    Hint,
    /// Something failed.
    Error,
}

impl Notice {
    pub(crate) fn confirmation(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: NoticeKind::Confirmation }
    }

    pub(crate) fn hint(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: NoticeKind::Hint }
    }

    /// Creates an error message.
    pub fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: NoticeKind::Error }
    }

    pub(crate) const fn is_error(&self) -> bool {
        matches!(self.kind, NoticeKind::Error)
    }
}
