//! How a replay is drawn: the slots, what came out otherwise than it was recorded, and the two responses.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};
use zerver_analysis::display;
use zerver_replay::value::side_by_side::finding_sides;
use zerver_replay::{EditedOutcome, Finding, FindingClass, ReplayError, Report, Sameness};
use zerver_trace::duration;
use zerver_trace::text::clean;

use super::asked::Typing;
use super::{About, Pane, ReplayScreen, Run, Subjects};
use crate::draw::{Line, Pen, Stack, Tone, beside, rule, side_by_side, thumb, wall, width};
use crate::screen::diff::inline;
use crate::shared::{Shared, Story};

/// The responses take so many lines at least, where there are as many.
const MIN_RESPONSE: usize = 4;

/// Where things are.
pub(super) struct Areas {
    head: Rect,
    verdict: Rect,
    slots_title: Rect,
    pub(super) slots: Rect,
    findings_title: Rect,
    pub(super) findings: Rect,
    finding: Rect,
    response_title: Rect,
    response: Rect,
    prompt: Rect,
}

pub(super) fn areas(screen: &ReplayScreen, area: Rect) -> Areas {
    let slots = screen.subjects().len();
    let findings = screen.report().map_or(0, |replayed| replayed.report.findings.len());
    let typed = if screen.typing.is_some() { 2 } else { 0 };
    let mut stack = Stack::new(area);
    let has_ended = screen.report().is_some_and(|replayed| replayed.report.edited_outcome.is_some());
    let (head, verdict) = (stack.take(1), stack.take(if has_ended { 2 } else { 1 }));
    // Without the three titles.
    let left = stack.left().saturating_sub(typed + 3);
    let slots = slots.clamp(1, (left / 2).max(1));
    let findings = findings.clamp(1, left.saturating_sub(slots + MIN_RESPONSE).max(2));
    let (slots_title, slots) = (stack.take(1), stack.take(slots));
    let (findings_title, findings) = (stack.take(1), stack.take(findings));
    // The chosen one in full, while they have the keys.
    let finding = stack.take(if screen.pane == Pane::Findings { 3 } else { 0 });
    let response_title = stack.take(1);
    let response = stack.take(stack.left().saturating_sub(typed));
    let prompt = stack.take(typed);
    Areas {
        head,
        verdict,
        slots_title,
        slots,
        findings_title,
        findings,
        finding,
        response_title,
        response,
        prompt,
    }
}

pub(super) fn draw(screen: &ReplayScreen, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let areas = areas(screen, area);
    let Some(id) = screen.id else {
        let said = "No request is run again. 1 shows the list; r runs the chosen one.";
        Pen::new(buffer, area, 1, theme.glyphs.ellipsis).skip(2).put(said, theme.faint);
        return;
    };
    let mut pen = Pen::new(buffer, areas.head, 0, theme.glyphs.ellipsis);
    pen.skip(1);
    pen.put(&id.short(12), theme.id).skip(2);
    match shared.traces.get(id) {
        None => drop(pen.put("loading", theme.faint)),
        Some(Err(why)) => drop(pen.recorded(why, theme.bad)),
        Some(Ok(None)) => drop(pen.put("is not in the store any more", theme.warn)),
        Some(Ok(Some(story))) => {
            let trace = &story.trace;
            pen.recorded(&trace.method, theme.text).skip(1);
            pen.put(&display::wire(&trace.target).join("\\n"), theme.text).skip(2);
            pen.put(&trace.status.to_string(), theme.status(trace.status)).skip(2);
            pen.recorded(&trace.flow.name, theme.faint);
        }
    }
    let mut pen = Pen::new(buffer, areas.verdict, 0, theme.glyphs.ellipsis);
    verdict(screen, shared).draw(pen.skip(1), theme);
    if let Some(ending) = screen.report().and_then(|replayed| replayed.report.edited_outcome.as_ref()) {
        let mut pen = Pen::new(buffer, areas.verdict, 1, theme.glyphs.ellipsis);
        of_ending(ending, shared).draw(pen.skip(1), theme);
    }
    let style = |pane: Pane| if screen.pane == pane { theme.focus } else { theme.border };
    let at = screen
        .drafts
        .at()
        .map(|step| format!("slots, as seen by {} and after; effects, request", clean(step)));
    rule(
        areas.slots_title,
        at.as_deref().unwrap_or("slots, effects, request"),
        style(Pane::Slots),
        theme,
        buffer,
    );
    rule(areas.findings_title, "what is different", style(Pane::Findings), theme, buffer);
    rule(areas.response_title, "response", theme.border, theme, buffer);
    if let Run::Refused(refusal) = &screen.run {
        draw_refusal(refusal, shared, &areas, buffer);
    } else if let Some(replayed) = screen.report() {
        draw_findings(screen, &replayed.report, shared, areas.findings, buffer);
        if let Some(finding) = replayed.report.findings.get(screen.findings.cursor) {
            draw_finding(finding, shared, areas.finding, buffer);
        }
        if let Some(story) = screen.story(shared) {
            draw_response(story, &replayed.report, shared, areas.response, buffer);
        }
    }
    draw_subjects(screen, shared, areas.slots, buffer);
    if let Some(typing) = &screen.typing {
        let is_asked = match &typing.about {
            About::Effect(effect) => screen.unanswered().is_some_and(|finding| finding.field == *effect),
            About::Secret(name) => screen.unknown_secret() == Some(name),
            _ => false,
        };
        draw_prompt(typing, is_asked, shared, areas.prompt, buffer);
    }
}

fn verdict(screen: &ReplayScreen, shared: &Shared) -> Line {
    if matches!(screen.run, Run::Running(_)) {
        let spinner = shared.theme.glyphs.spinner;
        let turn = (shared.now_unix_ns / 250_000_000) as usize % spinner.len();
        return Line::of(format!("{} building and running it again", spinner[turn]), Tone::Noted);
    }
    match &screen.run {
        Run::Refused(_) => return Line::of("nothing was run", Tone::Bad),
        Run::None => return Line::of("not run yet", Tone::Faint),
        Run::Running(_) | Run::Done(_) => {}
    }
    let Some(replayed) = screen.report() else { return Line::default() };
    let (report, coverage) = (&replayed.report, replayed.report.coverage);
    if !report.missing_inputs.is_empty() {
        // How to say it to the command is of no use here.
        let why = report.missing_inputs.iter().map(|why| why.split("; --request-").next().unwrap_or(why));
        let why = why.collect::<Vec<_>>().join("; ");
        let how = if screen.unknown_secret().is_some() { "; a: type it" } else { "" };
        return Line::of("cannot be run: ", Tone::Bad)
            .with(clean(&why).into_owned(), Tone::Text)
            .with(how, Tone::Noted);
    }
    let tone = if report.is_same() { Tone::Good } else { Tone::Warn };
    let mut text = format!(
        ": {} of {} decisions came out again, {} {} answered",
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
    Line::of(report.verdict(), tone).with(text, Tone::Text)
}

/// When and how it would have ended, in the time of the recorded request and not in ours.
fn of_ending(ending: &EditedOutcome, shared: &Shared) -> Line {
    let show = |ns: u64| shared.say(&duration::show(ns));
    let tone = if ending.outcome == "done" { Tone::Good } else { Tone::Bad };
    let mut line = Line::of(format!("ends {}", clean(&ending.outcome)), tone)
        .with(format!(" after {}", show(ending.duration_ns)), Tone::Strong)
        .with(format!(", recorded {}", show(ending.recorded_duration_ns)), Tone::Faint);
    if !ending.step.is_empty() {
        line = line.with(format!("  in {}", clean(&ending.step)), Tone::Text);
    }
    if !ending.failure.is_empty() {
        line = line.with(format!("  {}", clean(&ending.failure)), Tone::Bad);
    }
    line
}

fn draw_subjects(screen: &ReplayScreen, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(Subjects { all: slots, columns }) = &screen.subjects else { return };
    let mut scroll = screen.slots;
    scroll.fill(slots.len(), usize::from(area.height));
    for (row, slot) in (0..area.height).zip(slots.iter().skip(scroll.first)) {
        let draft = screen.drafts.of(&slot.about);
        let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
        pen.skip(1).put(if draft.is_some() { theme.glyphs.mark } else { " " }, theme.mark).skip(1);
        let style = match slot.about {
            About::Slot(_) => theme.noted,
            About::Effect(_) => theme.effect,
            About::Header(_) | About::Secret(_) | About::Body => theme.faint,
        };
        pen.left(&slot.name, (*columns).min(usize::from(area.width) / 3), style).skip(2);
        match draft {
            None => pen.put(&shared.say(&slot.value), theme.text),
            Some(draft) => {
                let half = pen.room().saturating_sub(width(draft) + 4).max(pen.room() / 2);
                let old = crate::draw::fit(&shared.say(&slot.value), half, theme.glyphs.ellipsis);
                pen.put(&old, theme.faint).skip(1).put(theme.glyphs.arrow, theme.faint).skip(1);
                pen.recorded(&shared.say(draft), theme.good)
            }
        };
    }
    if screen.pane == Pane::Slots {
        scroll.show(area, theme.chosen, buffer);
    }
    thumb(area, scroll.first, slots.len(), theme, buffer);
}

fn draw_findings(screen: &ReplayScreen, report: &Report, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut scroll = screen.findings;
    scroll.fill(report.findings.len(), usize::from(area.height));
    if report.findings.is_empty() {
        let (text, style) = match report.sameness() {
            _ if !report.missing_inputs.is_empty() => ("not known", theme.good),
            Sameness::Incomplete => ("nothing of what could be compared; these could not be:", theme.warn),
            _ => (
                "nothing: decisions, effects, slots and the response came out as they were recorded",
                theme.good,
            ),
        };
        Pen::new(buffer, area, 0, theme.glyphs.ellipsis).skip(1).put(text, style);
        for (row, what) in (1..area.height).zip(&report.not_compared) {
            Pen::new(buffer, area, row, theme.glyphs.ellipsis).skip(3).recorded(what, theme.faint);
        }
        return;
    }
    let widest = |f: fn(&Finding) -> &str, most: usize| {
        report.findings.iter().map(|finding| width(&clean(f(finding)))).max().unwrap_or(0).min(most)
    };
    let room = usize::from(area.width);
    let step = widest(|finding| &finding.step, (room / 5).min(28));
    let field = widest(|finding| &finding.field, (room / 4).min(48));
    for (row, finding) in (0..area.height).zip(report.findings.iter().skip(scroll.first)) {
        let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
        let (word, style) = class(finding.class, shared);
        pen.skip(1).left(word, 9, style).skip(1);
        pen.recorded_left(&finding.step, step, theme.strong).skip(2);
        pen.recorded_left(&finding.field, field, theme.noted).skip(2);
        // What was recorded stands beside what comes out today.
        let half = pen.room().saturating_sub(width(theme.glyphs.arrow) + 2) / 2;
        let (then, now) = finding_sides(&finding.expected, &finding.got);
        let (then, now) = side_by_side(&then, &now, (half, half), theme.glyphs.ellipsis);
        pen.recorded_left(&then, half, theme.bad).skip(1);
        pen.put(theme.glyphs.arrow, theme.faint).skip(1).recorded(&now, theme.good);
    }
    if screen.pane == Pane::Findings {
        scroll.show(area, theme.chosen, buffer);
    }
    thumb(area, scroll.first, report.findings.len(), theme, buffer);
}

/// One finding on lines of its own.
fn draw_finding(finding: &Finding, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut head = Line::of(format!("   {}", finding.field), Tone::Noted);
    if let Some(source) = &finding.source {
        head = head.with(format!("  {source}"), Tone::Faint);
    }
    let (then, now) = finding_sides(&finding.expected, &finding.got);
    let room = usize::from(area.width).saturating_sub(5);
    let (then, now) = side_by_side(&then, &now, (room, room), theme.glyphs.ellipsis);
    let then = Line::of(format!("   - {then}"), Tone::Bad);
    let now = Line::of(format!("   + {now}"), Tone::Good);
    for (row, line) in (0..area.height).zip([head, then, now]) {
        line.draw(&mut Pen::new(buffer, area, row, theme.glyphs.ellipsis), theme);
    }
}

/// What is to blame, in a word.
fn class(class: FindingClass, shared: &Shared) -> (&'static str, ratatui::style::Style) {
    let theme = &shared.theme;
    match class {
        FindingClass::CodeChanged => ("code", theme.bad),
        FindingClass::InputEdited => ("edit", theme.noted),
        FindingClass::Nondeterminism => ("not same", theme.bad),
        FindingClass::MissingEffect => ("missing", theme.warn),
        FindingClass::ExtraEffect => ("extra", theme.warn),
        FindingClass::ReorderedEffect => ("moved", theme.warn),
        FindingClass::Unanswered => ("no answer", theme.bad),
        FindingClass::Died => ("died", theme.bad),
        FindingClass::RewordedEffect => ("reworded", theme.warn),
        FindingClass::Unrecorded => ("unknown", theme.warn),
    }
}

/// The two responses: beside each other where they differ.
fn draw_response(story: &Story, report: &Report, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(replied) = &report.response else {
        Pen::new(buffer, area, 0, theme.glyphs.ellipsis)
            .skip(1)
            .put("none: it did not come to its end", theme.warn);
        return;
    };
    let then = display::wire(&story.trace.response_body.bytes);
    let now: Vec<String> = match &replied.body {
        Some(body) => body.split('\n').map(|line| clean(line).into_owned()).collect(),
        None => vec![format!("{} bytes, which are no text", replied.body_bytes)],
    };
    let (left, middle, right) = beside(area, area.width / 2);
    wall(middle, theme.border, theme, buffer);
    let side = |area: Rect, word: &str, status: u16, lines: &[String], buffer: &mut Buffer| {
        let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
        pen.skip(1).put(word, theme.faint).skip(1).put(&status.to_string(), theme.status(status));
        for (row, line) in (1..area.height).zip(lines) {
            Pen::new(buffer, area, row, theme.glyphs.ellipsis).skip(1).put(line, theme.text);
        }
    };
    side(left, "recorded", story.trace.status, &then, buffer);
    side(right, "today", replied.status, &now, buffer);
    // Below them, what differs between the two, where there is room.
    let taken = u16::try_from(then.len().max(now.len())).unwrap_or(u16::MAX).saturating_add(1);
    if then != now && taken < area.height {
        let rest = Rect { y: area.y + taken, height: area.height - taken, ..area };
        Clear.render(rest.intersection(buffer.area), buffer);
        let mut lines = Vec::new();
        inline(&then.join("\n"), &now.join("\n"), &mut lines);
        for (row, line) in (0..rest.height).zip(&lines) {
            line.draw(&mut Pen::new(buffer, rest, row, theme.glyphs.ellipsis), theme);
        }
    }
}

fn draw_refusal(refusal: &ReplayError, shared: &Shared, areas: &Areas, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let area = Rect { height: areas.response.bottom().saturating_sub(areas.findings.y), ..areas.findings };
    let mut lines = vec![Line::of(clean(&refusal.message).into_owned(), Tone::Bad)];
    // What a compiler says has many lines.
    let causes = refusal.causes.iter().flat_map(|cause| cause.lines());
    lines.extend(causes.map(|cause| Line::of(format!("  {}", clean(cause)), Tone::Text)));
    let hints = refusal
        .hints
        .iter()
        .map(|hint| Line::of("hint: ", Tone::Noted).with(clean(hint).into_owned(), Tone::Text));
    // The hints are always in sight.
    let hints: Vec<Line> = hints.collect();
    lines.truncate(usize::from(area.height).saturating_sub(hints.len()).max(1));
    lines.extend(hints);
    Clear.render(area.intersection(buffer.area), buffer);
    for (row, line) in (0..area.height).zip(&lines) {
        line.draw(Pen::new(buffer, area, row, theme.glyphs.ellipsis).skip(1), theme);
    }
}

fn draw_prompt(typing: &Typing, is_asked: bool, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let (what, hint) = match &typing.about {
        About::Slot(slot) => {
            (clean(slot).into_owned(), "JSON, or .field=JSON for a part; enter runs it, esc leaves")
        }
        About::Effect(effect) if is_asked => (
            clean(effect).into_owned(),
            match typing.is_like {
                true => "nothing was recorded for this effect; its like got this; enter takes it",
                false => "nothing was recorded for this effect: what is its answer, as JSON? esc leaves",
            },
        ),
        About::Effect(effect) => {
            (clean(effect).into_owned(), "its answer, as JSON; enter runs it, esc leaves")
        }
        About::Header(name) => {
            (clean(name).into_owned(), "the header of the request; enter runs it, esc leaves")
        }
        About::Secret(name) if is_asked => (
            clean(name).into_owned(),
            "it is a secret that is not here: type it; it is not shown; esc leaves",
        ),
        About::Secret(name) => {
            (clean(name).into_owned(), "a secret: what you type is not shown; enter runs it, esc leaves")
        }
        About::Body => ("body".to_owned(), "the body of the request; enter runs it, esc leaves"),
    };
    let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
    let what = crate::draw::fit(&what, usize::from(area.width / 2), theme.glyphs.ellipsis);
    pen.skip(1).put(&what, theme.key).put(" = ", theme.faint);
    typing.prompt.draw(&mut pen, theme);
    let mut pen = Pen::new(buffer, area, 1, theme.glyphs.ellipsis);
    match &typing.error {
        Some(error) => pen.skip(1).recorded(error, theme.bad),
        None => pen.skip(1).put(hint, theme.faint),
    };
}
