//! Drawing of the replay screen: editable items, findings, and the two responses.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};
use zerver_analysis::display;
use zerver_replay::value::side_by_side::finding_sides;
use zerver_replay::{EditedOutcome, Finding, FindingClass, MissingInput, ReplayError, Report, Sameness};
use zerver_trace::duration;
use zerver_trace::text::clean;

use super::edit_targets::{EditItems, EditTarget};
use super::layout::Areas;
use super::open_prompt::OpenPrompt;
use super::state::{Pane, ReplayScreen, RunState};
use crate::draw::{
    Pen, StyledLine, Tone, scrollbar, side_by_side, titled_rule, vertical_line, width, wrapped,
};
use crate::state::SharedState;

/// Minimum width of the recorded value before an edit.
const MIN_OLD: usize = 8;
/// Width of the names of the groups.
const GROUP: usize = 9;

pub(super) fn draw(screen: &ReplayScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let areas = screen.areas(area);
    let Some(id) = screen.id else {
        let said = "Nothing to replay. Select a request in the list (1) and press r.";
        Pen::new(buffer, area, 1, theme.glyphs.ellipsis).skip(2).put(said, theme.secondary);
        return;
    };
    let mut pen = Pen::new(buffer, areas.head, 0, theme.glyphs.ellipsis);
    pen.skip(1);
    pen.put(&shared.index.short_id(id), theme.id).skip(2);
    match shared.traces.get(id) {
        None => drop(pen.put("loading", theme.secondary)),
        Some(Err(why)) => drop(pen.recorded(why, theme.bad)),
        Some(Ok(None)) => drop(pen.put("no longer in the store", theme.warn)),
        Some(Ok(Some(loaded))) => {
            let trace = &loaded.trace;
            pen.put(&display::request_line(trace), theme.text).skip(2);
            pen.put(&trace.status.to_string(), theme.status(trace.status)).skip(2);
            pen.recorded(&trace.flow.name, theme.secondary);
        }
    }
    let mut pen = Pen::new(buffer, areas.verdict, 0, theme.glyphs.ellipsis);
    verdict(screen, shared).draw(pen.skip(1), theme);
    if let Some(edited_outcome) = screen.report().and_then(|replayed| replayed.report.edited_outcome.as_ref())
    {
        let mut pen = Pen::new(buffer, areas.verdict, 1, theme.glyphs.ellipsis);
        of_ending(edited_outcome, shared).draw(pen.skip(1), theme);
    }
    if let Some(wall) = areas.wall {
        vertical_line(wall, theme.border, theme, buffer);
    }
    let style = |pane: Pane| if screen.pane == pane { theme.focus } else { theme.border };
    let at =
        screen.drafts.at().map(|step| format!("what can be edited; slots as seen from {} on", clean(step)));
    titled_rule(
        areas.items_title,
        at.as_deref().unwrap_or("what can be edited"),
        style(Pane::Items),
        theme,
        buffer,
    );
    titled_rule(areas.findings_title, "differences", style(Pane::Findings), theme, buffer);
    titled_rule(areas.response_title, "response", theme.border, theme, buffer);
    if let RunState::Refused(refusal) = &screen.run {
        draw_refusal(refusal, shared, &areas, buffer);
    } else if let Some(replayed) = screen.report() {
        draw_findings(screen, &replayed.report, shared, areas.findings, buffer);
        if let Some(finding) = replayed.report.findings.get(screen.finding_scroll.cursor) {
            draw_finding(finding, shared, areas.finding, buffer);
        }
        for (row, line) in (0..areas.response.height).zip(&screen.response) {
            line.draw(Pen::new(buffer, areas.response, row, theme.glyphs.ellipsis).skip(1), theme);
        }
    }
    draw_subjects(screen, shared, areas.items, buffer);
    if let Some(prompt) = &screen.prompt {
        let is_asked = match &prompt.target {
            EditTarget::Effect(effect) => {
                screen.unanswered_effect().is_some_and(|finding| finding.field == *effect)
            }
            EditTarget::Secret(name) => screen.missing_secret() == Some(name),
            _ => false,
        };
        draw_prompt(prompt, is_asked, shared, areas.prompt, buffer);
    }
}

fn verdict(screen: &ReplayScreen, shared: &SharedState) -> StyledLine {
    if matches!(screen.run, RunState::Running(_)) {
        let spinner = shared.theme.glyphs.spinner;
        let turn = (shared.now_unix_ns / 250_000_000) as usize % spinner.len();
        return StyledLine::new(format!("{} building and replaying", spinner[turn]), Tone::Info);
    }
    match &screen.run {
        RunState::Refused(_) => return StyledLine::new("not replayed", Tone::Bad),
        RunState::None => return StyledLine::new("not replayed yet", Tone::Secondary),
        RunState::Running(_) | RunState::Done(_) => {}
    }
    let Some(replayed) = screen.report() else { return StyledLine::default() };
    let (report, coverage) = (&replayed.report, replayed.report.coverage);
    if !report.missing_inputs.is_empty() {
        // The hint about command-line options does not apply here.
        let why = report.missing_inputs.iter().map(MissingInput::description);
        let why = why.collect::<Vec<_>>().join("; ");
        let how = if screen.missing_secret().is_some() { "; press a to type it" } else { "" };
        return StyledLine::new("cannot be replayed: ", Tone::Bad)
            .with(clean(&why).into_owned(), Tone::Text)
            .with(how, Tone::Info);
    }
    let tone = if report.is_same() { Tone::Good } else { Tone::Warn };
    let mut text = format!(
        ": {} of {} decisions reproduced, {} {} from the recording",
        coverage.decisions_reproduced,
        coverage.decisions_recorded,
        coverage.effects_replayed,
        if coverage.effects_replayed == 1 { "effect" } else { "effects" }
    );
    if coverage.effects_unanswered > 0 {
        text += &format!(", {} unanswered", coverage.effects_unanswered);
    }
    for note in &report.notes {
        text += &format!("; {}", clean(note));
    }
    StyledLine::new(report.verdict(), tone).with(text, Tone::Text)
}

/// Describes when and how the request would have ended, in virtual time.
fn of_ending(edited_outcome: &EditedOutcome, shared: &SharedState) -> StyledLine {
    let show = |ns: u64| shared.drawable(&duration::show(ns));
    let tone = if edited_outcome.outcome == "done" { Tone::Good } else { Tone::Bad };
    let mut line = StyledLine::new(format!("ends {}", clean(&edited_outcome.outcome)), tone)
        .with(format!(" after {}", show(edited_outcome.duration_ns)), Tone::Strong)
        .with(format!(", recorded {}", show(edited_outcome.recorded_duration_ns)), Tone::Secondary);
    if !edited_outcome.step.is_empty() {
        line = line.with(format!("  in {}", clean(&edited_outcome.step)), Tone::Text);
    }
    if !edited_outcome.failure.is_empty() {
        line = line.with(format!("  {}", clean(&edited_outcome.failure)), Tone::Bad);
    }
    line
}

fn draw_subjects(screen: &ReplayScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(EditItems { all: slots, columns }) = &screen.items else { return };
    let mut scroll = screen.item_scroll;
    scroll.fill(slots.len(), usize::from(area.height));
    for (row, slot) in (0..area.height).zip(slots.iter().skip(scroll.first)) {
        let draft = screen.drafts.draft_for(&slot.target);
        let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
        // The first row of a group, and the first visible row, name the group.
        let at = scroll.first + usize::from(row);
        let is_first =
            row == 0 || slots.get(at - 1).is_none_or(|before| before.target.group() != slot.target.group());
        let heading = if is_first { slot.target.group() } else { "" };
        pen.skip(1).left(heading, GROUP, theme.secondary);
        pen.put(if draft.is_some() { theme.glyphs.mark } else { " " }, theme.mark).skip(1);
        let style = match slot.target {
            EditTarget::Slot(_) => theme.info,
            EditTarget::Effect(_) => theme.effect,
            EditTarget::Header(_) | EditTarget::Secret(_) | EditTarget::Body => theme.secondary,
        };
        pen.left(&slot.name, (*columns).min(usize::from(area.width) / 3), style).skip(2);
        match draft {
            None => pen.put(&shared.drawable(&slot.value), theme.text),
            Some(draft) => {
                // The edit gets what it needs, and the old value the rest, if that is enough to recognize it.
                let half = pen.room().saturating_sub(width(draft) + 4);
                if half >= MIN_OLD {
                    let old = crate::draw::fit(&shared.drawable(&slot.value), half, theme.glyphs.ellipsis);
                    pen.put(&old, theme.secondary).skip(1);
                }
                pen.put(theme.glyphs.arrow, theme.secondary).skip(1);
                pen.recorded(&shared.drawable(draft), theme.good)
            }
        };
    }
    if screen.pane == Pane::Items {
        scroll.highlight_cursor(area, theme.selected, buffer);
    }
    scrollbar(area, scroll.first, slots.len(), theme, buffer);
}

fn draw_findings(
    screen: &ReplayScreen,
    report: &Report,
    shared: &SharedState,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = &shared.theme;
    let mut scroll = screen.finding_scroll;
    scroll.fill(report.findings.len(), usize::from(area.height));
    if report.findings.is_empty() {
        let (text, style) = match report.sameness() {
            _ if !report.missing_inputs.is_empty() => ("unknown", theme.secondary),
            Sameness::Incomplete => ("none in what could be compared; not compared:", theme.warn),
            _ => ("none: decisions, effects, slots and the response are as recorded", theme.good),
        };
        Pen::new(buffer, area, 0, theme.glyphs.ellipsis).skip(1).put(text, style);
        for (row, what) in (1..area.height).zip(&report.not_compared) {
            Pen::new(buffer, area, row, theme.glyphs.ellipsis).skip(3).recorded(what, theme.secondary);
        }
        return;
    }
    let widest = |f: fn(&Finding) -> &str, most: usize| {
        report.findings.iter().map(|finding| width(&clean(f(finding)))).max().unwrap_or(0).min(most)
    };
    let room = usize::from(area.width);
    let step = widest(|finding| &finding.step, (room / 5).min(28));
    let field = widest(|finding| &finding.field, (room / 3).min(48));
    for (row, finding) in (0..area.height).zip(report.findings.iter().skip(scroll.first)) {
        let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
        let (word, style) = class(finding.class, shared);
        pen.skip(1).left(word, 9, style).skip(1);
        pen.recorded_left(&finding.step, step, theme.strong).skip(2);
        pen.recorded_left(&finding.field, field, theme.info).skip(2);
        // The recorded value is beside the one of today.
        let half = pen.room().saturating_sub(width(theme.glyphs.arrow) + 2) / 2;
        let (then, now) = finding_sides(&finding.expected, &finding.got);
        let (then, now) = side_by_side(&then, &now, (half, half), theme.glyphs.ellipsis);
        pen.recorded_left(&then, half, theme.bad).skip(1);
        pen.put(theme.glyphs.arrow, theme.secondary).skip(1).recorded(&now, theme.good);
    }
    if screen.pane == Pane::Findings {
        scroll.highlight_cursor(area, theme.selected, buffer);
    }
    scrollbar(area, scroll.first, report.findings.len(), theme, buffer);
}

/// Draws a finding in full.
fn draw_finding(finding: &Finding, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut head = StyledLine::new(format!("   {}", finding.field), Tone::Info);
    if let Some(source) = &finding.source {
        head = head.with(format!("  {source}"), Tone::Secondary);
    }
    let (then, now) = finding_sides(&finding.expected, &finding.got);
    let room = usize::from(area.width).saturating_sub(5);
    let (then, now) = side_by_side(&then, &now, (room, room), theme.glyphs.ellipsis);
    let then = StyledLine::new(format!("   - {then}"), Tone::Bad);
    let now = StyledLine::new(format!("   + {now}"), Tone::Good);
    for (row, line) in (0..area.height).zip([head, then, now]) {
        line.draw(&mut Pen::new(buffer, area, row, theme.glyphs.ellipsis), theme);
    }
}

/// Returns the class of a finding as a word.
fn class(class: FindingClass, shared: &SharedState) -> (&'static str, ratatui::style::Style) {
    let theme = &shared.theme;
    match class {
        FindingClass::CodeChanged => ("code", theme.bad),
        FindingClass::InputEdited => ("edit", theme.info),
        FindingClass::Nondeterminism => ("varies", theme.bad),
        FindingClass::MissingEffect => ("missing", theme.warn),
        FindingClass::ExtraEffect => ("extra", theme.warn),
        FindingClass::ReorderedEffect => ("reordered", theme.warn),
        FindingClass::Unanswered => ("no answer", theme.bad),
        FindingClass::Died => ("crashed", theme.bad),
        FindingClass::RewordedEffect => ("reworded", theme.warn),
        FindingClass::Unrecorded => ("unknown", theme.warn),
    }
}

fn draw_refusal(refusal: &ReplayError, shared: &SharedState, areas: &Areas, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let area = Rect { height: areas.response.bottom().saturating_sub(areas.findings.y), ..areas.findings };
    let columns = usize::from(area.width).saturating_sub(2);
    let message = wrapped(&clean(&refusal.message), columns);
    let mut lines: Vec<_> = message.into_iter().map(|line| StyledLine::new(line, Tone::Bad)).collect();
    // Compiler output has many lines, which are laid out.
    let causes = refusal.causes.iter().flat_map(|cause| cause.lines());
    lines.extend(causes.map(|cause| StyledLine::new(format!("  {}", clean(cause)), Tone::Text)));
    let hints = refusal.hints.iter().flat_map(|hint| {
        let label = "hint: ";
        let lines = wrapped(&clean(hint), columns.saturating_sub(label.len())).into_iter().enumerate();
        lines.map(move |(at, line)| {
            let before = if at == 0 { label } else { "      " };
            StyledLine::new(before, Tone::Info).with(line, Tone::Text)
        })
    });
    // The hints always stay visible.
    let hints: Vec<StyledLine> = hints.collect();
    lines.truncate(usize::from(area.height).saturating_sub(hints.len()).max(1));
    lines.extend(hints);
    Clear.render(area.intersection(buffer.area), buffer);
    for (row, line) in (0..area.height).zip(&lines) {
        line.draw(Pen::new(buffer, area, row, theme.glyphs.ellipsis).skip(1), theme);
    }
}

fn draw_prompt(prompt: &OpenPrompt, is_asked: bool, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let (what, hint) = match &prompt.target {
        EditTarget::Slot(slot) => {
            (clean(slot).into_owned(), "JSON, or .field=JSON for one field; enter replays, esc cancels")
        }
        EditTarget::Effect(effect) if is_asked => (
            clean(effect).into_owned(),
            match prompt.is_example {
                true => "no recorded answer; a similar effect got this one; enter accepts it, esc cancels",
                false => "no recorded answer; type one as JSON; enter replays, esc cancels",
            },
        ),
        EditTarget::Effect(effect) => {
            (clean(effect).into_owned(), "answer as JSON; enter replays, esc cancels")
        }
        EditTarget::Header(name) => (clean(name).into_owned(), "request header; enter replays, esc cancels"),
        EditTarget::Secret(name) if is_asked => (
            clean(name).into_owned(),
            "this secret was not exported; type it (hidden); enter replays, esc cancels",
        ),
        EditTarget::Secret(name) => {
            (clean(name).into_owned(), "secret, hidden while you type; enter replays, esc cancels")
        }
        EditTarget::Body => ("body".to_owned(), "request body; enter replays, esc cancels"),
    };
    let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
    let what = crate::draw::fit(&what, usize::from(area.width / 2), theme.glyphs.ellipsis);
    pen.skip(1).put(&what, theme.key).put(" = ", theme.secondary);
    prompt.input.draw(&mut pen, theme);
    let mut pen = Pen::new(buffer, area, 1, theme.glyphs.ellipsis);
    match &prompt.error {
        Some(error) => pen.skip(1).recorded(error, theme.bad),
        None => pen.skip(1).put(hint, theme.secondary),
    };
}
