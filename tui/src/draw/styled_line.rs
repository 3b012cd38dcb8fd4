//! A line of text in several tones, independent of the theme.

use ratatui::style::Style;

use super::pen::Pen;
use crate::theme::Theme;

/// Meaning of a piece of text, from which the theme derives its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Text,
    Secondary,
    Strong,
    Id,
    Good,
    Info,
    Warn,
    Bad,
    Cpu,
    Effect,
    Queue,
    Retry,
    /// HTTP status, colored by its class.
    Status(u16),
    /// Failure of a request with this status.
    Failure(u16),
}

impl Tone {
    pub(crate) const fn style(self, theme: &Theme) -> Style {
        match self {
            Self::Text => theme.text,
            Self::Secondary => theme.secondary,
            Self::Strong => theme.strong,
            Self::Id => theme.id,
            Self::Good => theme.good,
            Self::Info => theme.info,
            Self::Warn => theme.warn,
            Self::Bad => theme.bad,
            Self::Cpu => theme.cpu,
            Self::Effect => theme.effect,
            Self::Queue => theme.queue,
            Self::Retry => theme.retry,
            Self::Status(status) => theme.status(status),
            Self::Failure(status) => theme.failure(status),
        }
    }
}

/// Line of styled text. Recorded parts are sanitized when the line is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StyledLine(Vec<(String, Tone)>);

impl StyledLine {
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self(vec![(text.into(), tone)])
    }

    /// Returns the line with more text appended.
    pub(crate) fn with(mut self, text: impl Into<String>, tone: Tone) -> Self {
        self.0.push((text.into(), tone));
        self
    }

    /// Returns the text without styles.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|(text, _)| text.as_str()).collect()
    }

    pub(crate) fn draw(&self, pen: &mut Pen<'_>, theme: &Theme) {
        for (text, tone) in &self.0 {
            pen.recorded(&theme.drawable(text), tone.style(theme));
        }
    }
}
