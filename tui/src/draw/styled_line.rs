//! A line of text in several tones, made without knowing the theme.

use ratatui::style::Style;

use super::pen::Pen;
use crate::theme::Theme;

/// What a piece of a line is.
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
    /// By its class.
    Status(u16),
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
        }
    }
}

/// A line; what was recorded in it is cleaned when it is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StyledLine(Vec<(String, Tone)>);

impl StyledLine {
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self(vec![(text.into(), tone)])
    }

    /// The line with more at its end.
    pub(crate) fn with(mut self, text: impl Into<String>, tone: Tone) -> Self {
        self.0.push((text.into(), tone));
        self
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|(text, _)| text.as_str()).collect()
    }

    pub(crate) fn draw(&self, pen: &mut Pen<'_>, theme: &Theme) {
        for (text, tone) in &self.0 {
            pen.recorded(&theme.drawable(text), tone.style(theme));
        }
    }
}
