//! Where a value came from: the inputs, slots and steps on the way, found by runs of the current code.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::{SliceLines, SliceSection, slice_sections};
use zerver_replay::{ReplayError, ValueSlice};
use zerver_trace::text::clean;

use super::outcome::{OverlayOutcome, centered};
use crate::draw::{Pen, Scroll, StyledLine, Tone, border, scrollbar, width, wrapped};
use crate::keys::{self, KeyPress};
use crate::state::SharedState;

/// Width of the labels.
const LABEL: usize = 9;
/// Maximum width of the overlay.
const MAX_WIDTH: u16 = 110;
/// Duration of a spinner frame, in nanoseconds.
const SPINNER_FRAME_NS: u64 = 250_000_000;

/// Open list of sources.
#[derive(Debug)]
pub(crate) struct ValueSources {
    number: u64,
    /// Name of the value, sanitized.
    value: String,
    /// `None` while the service runs.
    result: Option<Result<Arc<ValueSlice>, ReplayError>>,
    first: usize,
}

impl ValueSources {
    /// Waits for the result with this number.
    pub(crate) fn new(number: u64, value: &str) -> Self {
        Self { number, value: clean(value).into_owned(), result: None, first: 0 }
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.result.is_none()
    }

    /// Shows a result if it is the one that is waited for.
    pub(crate) fn settle(&mut self, number: u64, result: &Result<Arc<ValueSlice>, ReplayError>) {
        if number == self.number {
            self.result = Some(result.clone());
        }
    }

    fn area(shared: &SharedState) -> Rect {
        let whole = Rect::new(0, 0, shared.size.width, shared.size.height);
        centered(whole, MAX_WIDTH.min(whole.width.saturating_sub(4)), whole.height.saturating_sub(2))
    }

    pub(super) fn press(&mut self, shared: &SharedState, key: &KeyEvent) -> OverlayOutcome {
        if matches!(key.code, KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | 'w')) {
            return OverlayOutcome::Close;
        }
        let area = Self::area(shared);
        let height = usize::from(area.height.saturating_sub(2));
        if let Some(action) =
            KeyPress::from_event(key).and_then(|press| shared.key_map.find(None, &[keys::MOVING], press))
        {
            // There is no cursor: keys scroll the view.
            let most = self.lines(shared, usize::from(area.width)).len().saturating_sub(height);
            let mut scroll = Scroll { cursor: self.first, first: 0 };
            scroll.apply(action, most + 1, height);
            self.first = scroll.cursor;
        }
        OverlayOutcome::Stay
    }

    pub(super) fn draw(&self, shared: &SharedState, buffer: &mut Buffer) {
        let theme = &shared.theme;
        let area = Self::area(shared);
        let title = format!("where {} came from (esc closes)", self.value);
        let inner = border(area, &title, theme.focus, theme, buffer);
        let lines = self.lines(shared, usize::from(area.width));
        let first = self.first.min(lines.len().saturating_sub(usize::from(inner.height)));
        for (row, line) in (0..inner.height).zip(lines.iter().skip(first)) {
            line.draw(Pen::new(buffer, inner, row, theme.glyphs.ellipsis).skip(1), theme);
        }
        let bar = Rect { width: area.width, y: inner.y, height: inner.height, ..area };
        scrollbar(bar, first, lines.len(), theme, buffer);
    }

    fn lines(&self, shared: &SharedState, columns: usize) -> Vec<StyledLine> {
        let columns = columns.saturating_sub(4);
        match &self.result {
            None => {
                let spinner = shared.theme.glyphs.spinner;
                let turn = (shared.now_unix_ns / SPINNER_FRAME_NS) as usize % spinner.len();
                let text = format!(
                    "{} building, and running the request with one input changed at a time",
                    spinner[turn]
                );
                vec![StyledLine::new(text, Tone::Info)]
            }
            Some(Err(error)) => refusal(error, columns),
            Some(Ok(slice)) => {
                slice_sections(slice).iter().flat_map(|section| lines_of(section, columns)).collect()
            }
        }
    }
}

fn refusal(error: &ReplayError, columns: usize) -> Vec<StyledLine> {
    let texts = [&error.message].into_iter().map(|text| (text, Tone::Bad));
    let texts = texts.chain(error.causes.iter().map(|text| (text, Tone::Text)));
    let texts = texts.chain(error.hints.iter().map(|text| (text, Tone::Info)));
    texts
        .flat_map(|(text, tone)| text.lines().map(move |line| (line, tone)).collect::<Vec<_>>())
        .flat_map(|(line, tone)| {
            wrapped(&clean(line), columns).into_iter().map(move |line| StyledLine::new(line, tone))
        })
        .collect()
}

/// Returns the lines of a section, the first one after its label.
fn lines_of(section: &SliceSection, columns: usize) -> Vec<StyledLine> {
    let room = columns.saturating_sub(LABEL).max(16);
    let plain = |text: &str, tone: Tone| -> Vec<Vec<(String, Tone)>> {
        wrapped(text, room).into_iter().map(|line| vec![(line, tone)]).collect()
    };
    let lines: Vec<Vec<(String, Tone)>> = match &section.lines {
        SliceLines::Remarks(lines) => lines
            .iter()
            .flat_map(|(name, remark)| {
                let tone = if section.label == "unknown" { Tone::Warn } else { Tone::Info };
                if width(name) + 2 + width(remark) <= room {
                    return vec![vec![(format!("{name}  "), tone), (remark.clone(), Tone::Text)]];
                }
                let mut lines = plain(name, tone);
                lines.extend(plain(remark, Tone::Text));
                lines
            })
            .collect(),
        SliceLines::Names(names) => plain(&names.join(", "), Tone::Secondary),
        SliceLines::Sentence(text) => plain(text, Tone::Text),
        SliceLines::Warning(text) => plain(text, Tone::Warn),
    };
    let label = |at: usize| if at == 0 { section.label } else { "" };
    lines
        .into_iter()
        .enumerate()
        .map(|(at, parts)| {
            let first = StyledLine::new(format!("{:<LABEL$}", label(at)), Tone::Secondary);
            parts.into_iter().fold(first, |line, (text, tone)| line.with(text, tone))
        })
        .collect()
}
