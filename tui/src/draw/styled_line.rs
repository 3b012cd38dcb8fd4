//! A line of text in several tones, independent of the theme.

use ratatui::style::Style;
use zerver_trace::text::clean;

use super::pen::Pen;
use super::text_width::{fit, width};
use crate::theme::Theme;

/// Indentation of the second line of one that was too long.
const FOLD_INDENT: &str = "      ";

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

    /// Returns the line for a number of columns: as it is, or as two lines, the second of which is indented. A part without
    /// a space that is too long for the first line is cut, so that those after it stay visible.
    pub(crate) fn folded(&self, columns: usize, theme: &Theme) -> Vec<Self> {
        let drawn = |text: &str| width(&theme.drawable(&clean(text)));
        let mut taken = 0;
        let over = self.0.iter().position(|(text, _)| {
            taken += drawn(text);
            taken > columns
        });
        let Some(mut over) = over.filter(|_| self.0.len() > 1) else { return vec![self.clone()] };
        // Both sides of a change stay together.
        if over > 1 && self.0[over].0.starts_with(" -> ") {
            over -= 1;
        }
        let before: usize = self.0[..over].iter().map(|(text, _)| drawn(text)).sum();
        let (mut first, mut rest) = (self.0[..over].to_vec(), self.0[over..].to_vec());
        // Most of the line is empty without the part, so that its beginning stays there: up to a space, or cut.
        if before * 2 < columns {
            let (text, tone) = rest.remove(0);
            let (text, room) = (clean(&text).into_owned(), columns - before);
            let mut spaces = text.match_indices(' ').map(|(at, _)| at);
            let fits = |at: &usize| (room / 2..=room).contains(&drawn(&text[..*at]));
            match spaces.rfind(fits) {
                Some(at) => {
                    first.push((text[..at].to_owned(), tone));
                    rest.insert(0, (text[at..].to_owned(), tone));
                }
                None => first.push((fit(&text, room, theme.glyphs.ellipsis), tone)),
            }
        }
        match rest.first_mut() {
            None => vec![Self(first)],
            Some((text, _)) => {
                *text = format!("{FOLD_INDENT}{}", text.trim_start());
                vec![Self(first), Self(rest)]
            }
        }
    }

    pub(crate) fn draw(&self, pen: &mut Pen<'_>, theme: &Theme) {
        for (text, tone) in &self.0 {
            pen.recorded(&theme.drawable(text), tone.style(theme));
        }
    }
}
