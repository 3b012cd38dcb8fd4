//! The waterfall: a row for the request, for each step and each effect, for the response; and to the right when each
//! took place. What a stretch of time was spent on is told by its sign, not by its colour alone.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::{Effect, EffectEnd, Failure, StepRun, Timeline, display};
use zerver_trace::duration::Unit;
use zerver_trace::{Decision, Outcome};

use crate::draw::{Pen, Tone, width};
use crate::shared::Story;
use crate::theme::Theme;

/// The widest that the words of a row get.
const MAX_WORDS: usize = 64;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// What came.
    Request,
    /// A run of a step: its place in the timeline.
    Run(usize),
    /// An effect of a run.
    Effect(usize, usize),
    /// What was sent.
    Response,
}

/// What a stretch of time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    Receive,
    Queue,
    Cpu,
    Effect,
    Retry,
}

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) at_ns: u64,
    pub(crate) took_ns: u64,
    spans: Vec<(Spent, u64, u64)>,
    pub(crate) name: String,
    pub(crate) outcome: String,
    pub(crate) is_bad: bool,
    /// Whether the trace does not say how it went.
    is_unknown: bool,
}

/// The first rows of a request, at most about `most`.
pub(crate) fn rows(story: &Story, most: usize) -> Vec<Row> {
    let (trace, timeline) = (&story.trace, &story.timeline);
    let mut rows = vec![request_row(story)];
    let failing = failing(timeline);
    for (at, run) in timeline.runs.iter().enumerate() {
        if rows.len() > most {
            return rows;
        }
        let failure = timeline.failure.as_ref().filter(|_| failing == Some(at));
        rows.push(run_row(story, at, run, failure));
        rows.extend(run.effects.iter().enumerate().map(|(n, effect)| effect_row(story, at, n, effect)));
    }
    rows.push(Row {
        subject: Subject::Response,
        at_ns: trace.duration_ns,
        took_ns: 0,
        spans: Vec::new(),
        name: if trace.status == 0 { "no response".to_owned() } else { "response".to_owned() },
        outcome: match trace.status {
            0 => trace.outcome.as_str().to_owned(),
            status => format!("{status}, {} bytes", trace.response_body.full_len),
        },
        is_bad: trace.status == 0 || trace.status >= 500,
        is_unknown: false,
    });
    rows
}

fn request_row(story: &Story) -> Row {
    let received_ns = story.timeline.totals.receive_ns;
    let body = story.trace.request_body.full_len;
    Row {
        subject: Subject::Request,
        at_ns: 0,
        took_ns: received_ns,
        spans: vec![(Spent::Receive, 0, received_ns)],
        name: "request".to_owned(),
        outcome: if body > 0 { format!("{body} bytes") } else { String::new() },
        is_bad: false,
        is_unknown: false,
    }
}

/// The run that the request failed at: one that said so, or the last of the step whose effects failed.
pub(super) fn failing(timeline: &Timeline) -> Option<usize> {
    let failure = timeline.failure.as_ref()?;
    let said = |run: &StepRun| matches!(run.decision, Some(Decision::Fail | Decision::Panic));
    let is_step = |run: &StepRun| Some(run.step.index) == failure.step.as_ref().map(|step| step.index);
    timeline.runs.iter().rposition(said).or_else(|| timeline.runs.iter().rposition(is_step))
}

fn run_row(story: &Story, at: usize, run: &StepRun, failure: Option<&Failure>) -> Row {
    let said = match run.decision {
        Some(Decision::Need) => display::needs(&run.effects),
        Some(Decision::Done) => format!("done {}", story.trace.status),
        Some(Decision::Yield) => "yields".to_owned(),
        Some(Decision::Fail | Decision::Panic) if failure.is_some() => String::new(),
        Some(Decision::Fail) => "failed".to_owned(),
        Some(Decision::Panic) => "panicked".to_owned(),
        Some(Decision::Continue) => String::new(),
        None => "its run is not in the trace".to_owned(),
    };
    let failed = failure.map(ToString::to_string).unwrap_or_default();
    Row {
        subject: Subject::Run(at),
        at_ns: run.start_ns,
        took_ns: run.cpu_ns,
        spans: vec![
            (Spent::Queue, run.ready_ns, run.start_ns),
            (Spent::Cpu, run.start_ns, run.start_ns.saturating_add(run.cpu_ns)),
        ],
        name: run.step.name.clone(),
        outcome: joined([failed, said, display::wrote(&run.writes), display::exceeded_quantum(run)]),
        is_bad: failure.is_some() || matches!(run.decision, Some(Decision::Fail | Decision::Panic)),
        is_unknown: run.decision.is_none(),
    }
}

fn effect_row(story: &Story, run: usize, n: usize, effect: &Effect) -> Row {
    let blamed = match &story.trace.outcome {
        Outcome::Failed(info) => info.call,
        _ => None,
    };
    let is_blamed = effect.attempts.iter().any(|attempt| Some(attempt.call) == blamed);
    let last = effect.attempts.len().saturating_sub(1);
    let spans = |(at, attempt): (usize, &zerver_analysis::Attempt)| {
        let spent = if at < last { Spent::Retry } else { Spent::Effect };
        let end_ns = attempt.start_ns.saturating_add(attempt.duration_ns);
        let begun_ns = attempt.start_ns.saturating_add(attempt.queued_ns).min(end_ns);
        let held = (attempt.queued_ns > 0).then_some((Spent::Queue, attempt.start_ns, begun_ns));
        held.into_iter().chain([(spent, begun_ns, end_ns)])
    };
    Row {
        subject: Subject::Effect(run, n),
        at_ns: effect.start_ns,
        took_ns: effect.duration_ns,
        spans: effect.attempts.iter().enumerate().flat_map(spans).collect(),
        name: effect.label(),
        outcome: joined([effect.end.to_string(), effect.notes().join(", "), display::wrote(&effect.writes)]),
        is_bad: is_blamed || matches!(effect.end, EffectEnd::Err(_)),
        is_unknown: matches!(effect.end, EffectEnd::Unanswered),
    }
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// What there are bars of among rows, in the order of the legend.
pub(crate) fn spent(rows: &[Row]) -> Vec<Spent> {
    let mut all = vec![Spent::Cpu, Spent::Effect, Spent::Queue, Spent::Retry, Spent::Receive];
    let spans = || rows.iter().flat_map(|row| &row.spans);
    all.retain(|spent| spans().any(|(other, from, to)| other == spent && to > from));
    all
}

/// What is drawn of a request's rows.
pub(crate) struct Waterfall<'a> {
    pub(crate) rows: &'a [Row],
    /// What there are bars of.
    pub(crate) spent: &'a [Spent],
    pub(crate) story: &'a Story,
    /// The first row that is shown.
    pub(crate) first: usize,
    /// The chosen row, and whether the keys go here.
    pub(crate) cursor: Option<(usize, bool)>,
    /// The moment that is looked at.
    pub(crate) moment_ns: Option<u64>,
}

/// How the columns are laid out.
struct Columns {
    at: usize,
    took: usize,
    name: usize,
    words: usize,
    bars: usize,
}

impl Waterfall<'_> {
    /// Draws the names of the columns and as many rows as fit.
    pub(crate) fn draw(&self, area: Rect, theme: &Theme, buffer: &mut Buffer) {
        let total_ns = self.story.timeline.totals.total_ns;
        let unit = Unit::of(total_ns);
        let height = usize::from(area.height.saturating_sub(1));
        let shown = || self.rows.iter().enumerate().skip(self.first).take(height);
        let columns = self.columns(unit, usize::from(area.width), height);
        let unit_name = unit.name.replace('µ', theme.glyphs.micro);
        let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
        pen.skip(1).right(&format!("at {unit_name}"), columns.at, theme.faint);
        pen.skip(2).right("took", columns.took, theme.faint);
        pen.skip(2 + columns.words + 2);
        draw_legend(&mut pen, self.spent, theme);
        for (line, (at, row)) in (1..area.height).zip(shown()) {
            let chosen = self.cursor.filter(|(cursor, _)| *cursor == at);
            if let Some((_, has_keys)) = chosen {
                let line = Rect { y: area.y + line, height: 1, ..area }.intersection(buffer.area);
                buffer.set_style(line, if has_keys { theme.chosen } else { theme.chosen_elsewhere });
            }
            let mut pen = Pen::new(buffer, area, line, theme.glyphs.ellipsis);
            pen.skip(1).right(&unit.show(row.at_ns), columns.at, theme.faint).skip(2);
            let took = if row.subject == Subject::Response { String::new() } else { unit.show(row.took_ns) };
            pen.right(&took, columns.took, theme.text).skip(2);
            draw_words(&mut pen, row, &columns, theme);
            pen.skip(2);
            let x = area.right().saturating_sub(pen.room() as u16);
            let bars = Rect { x, y: area.y + line, width: columns.bars as u16, height: 1 };
            draw_bars(row, total_ns, self.moment_ns, bars, theme, buffer);
        }
    }

    fn columns(&self, unit: Unit, room: usize, height: usize) -> Columns {
        let shown = || self.rows.iter().skip(self.first).take(height);
        // Of all rows, so that columns do not jump while one scrolls.
        let total_ns = self.story.timeline.totals.total_ns;
        let number = unit.show(total_ns).len();
        let (at, took) = (number.max(5), number.max(4));
        let room = room.saturating_sub(1 + at + 2 + took + 2);
        let steps = shown().filter(|row| !matches!(row.subject, Subject::Effect(..)));
        let name = steps.map(|row| width(&row.name)).max().unwrap_or(0).min(24);
        let words = |row: &Row| {
            let name =
                if matches!(row.subject, Subject::Effect(..)) { 4 + width(&row.name) } else { 2 + name };
            name + if row.outcome.is_empty() { 0 } else { 2 + width(&row.outcome) }
        };
        let widest = shown().map(words).max().unwrap_or(0);
        let least_bars = (room / 3).max(8);
        let words = widest.min(MAX_WORDS.max(room / 2)).min(room.saturating_sub(least_bars + 2));
        Columns { at, took, name, words, bars: room.saturating_sub(words + 2) }
    }
}

/// What the signs of the bars mean, those that are there.
fn draw_legend(pen: &mut Pen<'_>, spent: &[Spent], theme: &Theme) {
    for spent in spent {
        let name = match spent {
            Spent::Cpu => "cpu",
            Spent::Effect => "effect",
            Spent::Queue => "queue",
            Spent::Retry => "retried",
            Spent::Receive => "body",
        };
        if pen.room() > name.len() + 3 {
            let (sign, style) = sign(*spent, theme);
            pen.put(sign, style).skip(1).put(name, theme.faint).skip(2);
        }
    }
}

const fn sign(spent: Spent, theme: &Theme) -> (&'static str, ratatui::style::Style) {
    let glyphs = theme.glyphs;
    match spent {
        Spent::Receive => (glyphs.receive, theme.faint),
        Spent::Queue => (glyphs.queue, theme.queue),
        Spent::Cpu => (glyphs.cpu, theme.cpu),
        Spent::Effect => (glyphs.effect, theme.effect),
        Spent::Retry => (glyphs.retry, theme.retry),
    }
}

/// Mark, name and outcome.
fn draw_words(pen: &mut Pen<'_>, row: &Row, columns: &Columns, theme: &Theme) {
    let glyphs = theme.glyphs;
    let before = pen.room();
    let is_effect = matches!(row.subject, Subject::Effect(..));
    let mark = match row.subject {
        Subject::Effect(..) => (glyphs.effect_of, if row.is_bad { Tone::Bad } else { Tone::Faint }),
        _ if row.is_bad => (glyphs.bad, Tone::Bad),
        _ if row.is_unknown => (glyphs.unknown, Tone::Warn),
        Subject::Run(_) => (glyphs.good, Tone::Good),
        Subject::Request | Subject::Response => (glyphs.dot, Tone::Faint),
    };
    if is_effect {
        pen.skip(2);
    }
    pen.put(mark.0, mark.1.style(theme)).skip(1);
    let name_style = match row.subject {
        Subject::Run(_) => theme.strong,
        Subject::Effect(..) => theme.text,
        Subject::Request | Subject::Response => theme.faint,
    };
    let room = columns.words.saturating_sub(before - pen.room());
    let wanted = if row.outcome.is_empty() { 0 } else { width(&row.outcome) + 2 };
    let name = if is_effect {
        // The outcome gives way first, down to half of the room.
        width(&row.name).min(room.saturating_sub(wanted.min(room / 2)))
    } else {
        columns.name.min(room)
    };
    pen.recorded_left(&row.name, name, name_style);
    let left = room.saturating_sub(name + 2);
    if !row.outcome.is_empty() && left > 0 {
        let style = if row.is_bad { theme.bad } else { theme.faint };
        pen.skip(2).recorded_left(&row.outcome, left, style);
    }
    let taken = before - pen.room();
    pen.skip(columns.words.saturating_sub(taken));
}

fn draw_bars(
    row: &Row,
    total_ns: u64,
    moment_ns: Option<u64>,
    area: Rect,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let area = area.intersection(buffer.area);
    if total_ns == 0 || area.is_empty() {
        return;
    }
    let columns = u128::from(area.width);
    let scale = |at: u64| u128::from(at.min(total_ns)) * columns * 8 / u128::from(total_ns);
    let column = |at: u64| ((scale(at) / 8) as u16).min(area.width - 1);
    if let Some(moment) = moment_ns {
        let cell = &mut buffer[(area.x + column(moment), area.y)];
        cell.set_symbol(theme.glyphs.vertical).set_style(theme.border);
    }
    for (spent, from, to) in &row.spans {
        if to <= from && *spent != Spent::Effect && *spent != Spent::Cpu {
            continue;
        }
        let (symbol, style) = sign(*spent, theme);
        let style = if row.is_bad && *spent != Spent::Queue { style.patch(theme.bad) } else { style };
        let (first, eighths) = (column(*from), scale(*to) - scale(*from));
        // What is shorter than a column keeps its length, what is longer its ends.
        let end = (scale(*to).div_ceil(8) as u16).clamp(first + 1, area.width);
        for x in first..end {
            buffer[(area.x + x, area.y)].set_symbol(symbol).set_style(style);
        }
        if *spent == Spent::Cpu {
            let last = if end - first == 1 { eighths.max(1) } else { (scale(*to) + 7) % 8 + 1 };
            let last = theme.glyphs.eighths[(last.clamp(1, 8) - 1) as usize];
            buffer[(area.x + end - 1, area.y)].set_symbol(last);
        }
    }
}
