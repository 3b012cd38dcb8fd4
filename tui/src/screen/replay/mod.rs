//! One request, run again with today's code: what is to be different, and what comes out beside what was recorded.

mod asked;
mod drafts;
mod subjects;
mod view;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_replay::ReplayError;
use zerver_trace::RequestId;

use self::asked::{Sent, Typing};
use self::drafts::Drafts;
use self::subjects::{Subject, Subjects};
use crate::draw::{Pointed, Scroll};
use crate::keys::{self, Action, Key, key, named, row};
use crate::message::{Command, Message, Notice, Show};
use crate::prompt::Prompt;
use crate::screen::Screen;
use crate::services::Replayed;
use crate::shared::{Shared, Story};

const KEYS: &[Key] = &[
    row(
        &[named(KeyCode::Tab), named(KeyCode::BackTab)],
        Action::NextPane,
        "To the findings, or to what may be changed",
        Some("other part"),
    ),
    row(
        &[named(KeyCode::Enter)],
        Action::Open,
        "Change what is chosen; or open the finding's step",
        Some("change/open"),
    ),
    row(
        &[key('f')],
        Action::Fail,
        "Let the effect time out, fail, be slow, give nonsense; again for the next",
        Some("fail"),
    ),
    row(
        &[key('e')],
        Action::Change,
        "Change a slot (JSON, .field=JSON), an answer, a header, the body",
        None,
    ),
    row(&[key('E')], Action::ChangeElsewhere, "Change it in $EDITOR", None),
    row(&[key('s')], Action::ChooseStep, "Let another step be the first to see the change", Some("step")),
    row(&[key('x')], Action::Forget, "Take back what was changed there", Some("take back")),
    row(
        &[key('a')],
        Action::Answer,
        "Type what is missing: an effect's answer, a secret that is not in the file",
        Some("answer"),
    ),
    row(&[key('r')], Action::Again, "Run it again", Some("again")),
    row(&[key('d')], Action::Diff, "Compare the request with another", None),
    row(&[named(KeyCode::Esc), named(KeyCode::Backspace)], Action::Back, "Back", Some("back")),
];

/// A replay.
#[derive(Debug, Default)]
pub(crate) struct ReplayScreen {
    id: Option<RequestId>,
    drafts: Drafts,
    /// What may be changed; none until the trace has come.
    subjects: Option<Subjects>,
    /// The number of the last run that was asked for.
    number: u64,
    run: Run,
    typing: Option<Typing>,
    /// What was typed last, while the run with it goes on.
    sent: Option<Sent>,
    pane: Pane,
    slots: Scroll,
    findings: Scroll,
}

/// What came of it so far.
#[derive(Debug, Default)]
enum Run {
    #[default]
    None,
    /// With what came before, which is shown meanwhile.
    Running(Option<Arc<Replayed>>),
    Done(Arc<Replayed>),
    Refused(ReplayError),
}

/// What has the keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    Slots,
    Findings,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    /// A slot, by its name.
    Slot(String),
    /// An effect, as it is called in a finding, or the number of a call.
    Effect(String),
    /// A header of the request, by its name.
    Header(String),
    /// The same, where it is a secret: what is typed is not shown.
    Secret(String),
    /// The body of the request.
    Body,
}

impl ReplayScreen {
    /// Runs a request again.
    pub(crate) fn open(&mut self, shared: &Shared, id: RequestId) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.id != Some(id) {
            *self = Self { id: Some(id), number: self.number, ..Self::default() };
            if shared.traces.story(id).is_none() {
                commands.push(Command::Load(id));
            }
        }
        self.settle(shared);
        commands.extend(self.again());
        commands
    }

    /// Lists what may be changed, if the trace has come.
    fn settle(&mut self, shared: &Shared) {
        if self.subjects.is_none() {
            self.subjects = self.story(shared).map(|story| Subjects::of(story));
        }
    }

    fn subjects(&self) -> &[Subject] {
        self.subjects.as_ref().map_or(&[], |subjects| &subjects.all)
    }

    pub(crate) const fn is_running(&self) -> bool {
        matches!(self.run, Run::Running(_))
    }

    fn again(&mut self) -> Option<Command> {
        let id = self.id?;
        self.number += 1;
        self.run = Run::Running(self.report().cloned());
        Some(Command::Replay { number: self.number, id, edits: self.drafts.edits() })
    }

    /// What came of the last run that came to an end.
    fn report(&self) -> Option<&Arc<Replayed>> {
        match &self.run {
            Run::Running(report) => report.as_ref(),
            Run::Done(report) => Some(report),
            Run::None | Run::Refused(_) => None,
        }
    }

    fn story<'s>(&self, shared: &'s Shared) -> Option<&'s Arc<Story>> {
        shared.traces.story(self.id?)
    }

    /// What is chosen, and what would be edited: its draft, or what was recorded.
    fn chosen(&self) -> Option<(About, Option<String>)> {
        let subject = self.subjects().get(self.slots.cursor)?;
        let draft = match &subject.about {
            // What goes wrong is no answer.
            About::Effect(effect) => self.drafts.answer_to(effect),
            about => self.drafts.of(about),
        };
        Some((subject.about.clone(), draft.map(str::to_owned).or_else(|| subject.editable.clone())))
    }

    /// Lets the next thing go wrong with the chosen effect.
    fn fail(&mut self, shared: &mut Shared) -> Vec<Command> {
        let subject = self.subjects.as_ref().and_then(|subjects| subjects.all.get(self.slots.cursor));
        let Some(Subject { about: About::Effect(effect), faults, .. }) = subject else {
            shared.notice = Some(Notice::bad("only effects fail: choose one, below the slots"));
            return Vec::new();
        };
        self.drafts.fail(effect, faults);
        self.again().into_iter().collect()
    }

    fn change(&mut self, shared: &mut Shared) {
        let Some((about, text)) = self.chosen() else {
            shared.notice = Some(Notice::bad("there is nothing to change"));
            return;
        };
        let text = text.unwrap_or_default();
        if text.contains('\n') {
            shared.notice = Some(Notice::bad("it has several lines; E changes it in $EDITOR"));
            return;
        }
        self.typing = Some(Typing::of(about, &text));
    }

    fn next_step(&mut self, shared: &mut Shared) -> Vec<Command> {
        let Some(story) = self.story(shared) else { return Vec::new() };
        if self.drafts.is_unchanged() {
            shared.notice = Some(Notice::bad("change a slot first; then choose the step that sees it"));
            return Vec::new();
        }
        self.drafts.next_step(&story.trace.flow);
        self.again().into_iter().collect()
    }

    /// Of a finding, its step in the timeline.
    fn go(&self, shared: &Shared) -> Option<Command> {
        let finding = self.report()?.report.findings.get(self.findings.cursor)?;
        let steps = &self.story(shared)?.trace.flow.steps;
        let step = steps.iter().position(|step| step.name == finding.step)?;
        Some(Command::Show(Show::Step(self.id?, step as u16)))
    }

    /// The part that has the keys, with its length and height.
    fn scrolled(&mut self, area: Rect) -> (&mut Scroll, usize, usize) {
        let areas = view::areas(self, area);
        let slots = self.subjects().len();
        let findings = self.report().map_or(0, |replayed| replayed.report.findings.len());
        match self.pane {
            Pane::Slots => (&mut self.slots, slots, usize::from(areas.slots.height)),
            Pane::Findings => (&mut self.findings, findings, usize::from(areas.findings.height)),
        }
    }
}

impl Screen for ReplayScreen {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn keys(&self) -> Vec<&'static [Key]> {
        vec![KEYS, keys::MOVING]
    }

    fn request(&self, _shared: &Shared) -> Option<RequestId> {
        self.id
    }

    fn type_key(&mut self, _shared: &mut Shared, key: &KeyEvent) -> Option<Vec<Command>> {
        let typing = self.typing.as_mut()?;
        match key.code {
            KeyCode::Enter => return Some(self.typed()),
            KeyCode::Esc => return Some(self.leave()),
            _ if typing.prompt.press(key) => typing.error = None,
            // Leaving is always possible.
            _ => return None,
        }
        Some(Vec::new())
    }

    fn typing(&self) -> Option<&'static [(&'static str, &'static str)]> {
        self.typing.as_ref().map(|_| &[("enter", "run with it"), ("esc", "leave it"), ("^u", "clear")][..])
    }

    fn paste(&mut self, _shared: &mut Shared, text: &str) -> Vec<Command> {
        if let Some(typing) = &mut self.typing {
            typing.prompt.paste(text);
        }
        Vec::new()
    }

    fn act(&mut self, shared: &mut Shared, action: Action) -> Vec<Command> {
        let (scroll, len, height) = self.scrolled(shared.body());
        if scroll.act(action, len, height) {
            return Vec::new();
        }
        match action {
            Action::Back => return vec![Command::Show(Show::Back)],
            Action::NextPane => {
                self.pane = if self.pane == Pane::Slots { Pane::Findings } else { Pane::Slots };
            }
            Action::Open if self.pane == Pane::Findings => return self.go(shared).into_iter().collect(),
            Action::Open | Action::Change => self.change(shared),
            Action::ChangeElsewhere => {
                let Some((about, text)) = self.chosen() else { return Vec::new() };
                if matches!(about, About::Secret(_)) {
                    shared.notice =
                        Some(Notice::bad("a secret is typed here, and not written into a file: press e"));
                    return Vec::new();
                }
                self.typing = Some(Typing::of(about, ""));
                return vec![Command::EditText(text.unwrap_or_default())];
            }
            Action::ChooseStep => return self.next_step(shared),
            Action::Forget => {
                let about = self.chosen().map(|(about, _)| about);
                if about.is_some_and(|about| self.drafts.forget(&about)) {
                    return self.again().into_iter().collect();
                }
            }
            Action::Fail => return self.fail(shared),
            Action::Answer => self.ask(shared),
            Action::Again => return self.again().into_iter().collect(),
            _ => {}
        }
        Vec::new()
    }

    fn take(&mut self, shared: &mut Shared, message: &Message) -> Vec<Command> {
        self.settle(shared);
        match message {
            // An answer to what was asked before the last question is not waited for any more.
            Message::Replayed(number, result) if *number == self.number => {
                self.findings = Scroll::default();
                match result {
                    Ok(replayed) => {
                        self.run = Run::Done(Arc::clone(replayed));
                        self.sent = None;
                        if self.typing.is_none() {
                            self.ask(shared);
                        }
                    }
                    Err(refusal) => {
                        self.run = Run::Refused(refusal.clone());
                        self.refused(refusal);
                    }
                }
            }
            Message::Edited(edited) => {
                let Some(mut typing) = self.typing.take() else { return Vec::new() };
                let text = match edited {
                    // Of a body every line counts, but editors end the last one.
                    Ok(text) if typing.about == About::Body => {
                        text.strip_suffix('\n').unwrap_or(text).to_owned()
                    }
                    Ok(text) => text.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned(),
                    Err(error) => {
                        typing.error = Some(error.clone());
                        self.typing = Some(typing);
                        return Vec::new();
                    }
                };
                typing.prompt = Prompt::new(&text);
                return self.put(typing, &text);
            }
            _ => {}
        }
        Vec::new()
    }

    fn mouse(&mut self, shared: &mut Shared, area: Rect, event: MouseEvent) -> Vec<Command> {
        let areas = view::areas(self, area);
        let at = (event.column, event.row).into();
        let (pane, part) = match (areas.slots.contains(at), areas.findings.contains(at)) {
            (true, _) => (Pane::Slots, areas.slots),
            (_, true) => (Pane::Findings, areas.findings),
            _ => return Vec::new(),
        };
        let before = std::mem::replace(&mut self.pane, pane);
        let (scroll, len, _) = self.scrolled(area);
        match scroll.mouse(event, part, len) {
            Pointed::Nowhere => self.pane = before,
            Pointed::Again if before == pane => return self.act(shared, Action::Open),
            _ => {}
        }
        Vec::new()
    }

    fn draw(&self, shared: &Shared, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}
