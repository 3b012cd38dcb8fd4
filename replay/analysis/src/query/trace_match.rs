//! Terms about fields that only a whole trace has.
//!
//! A term looks at as little as possible: single values, then the subjects of events, then the whole trace.

use std::borrow::Cow;
use std::cell::OnceCell;

use zerver_trace::{EventSubject, Node, PlacedValue, Recorded, SourceError, Tally, TraceView, ValuePlace};

use super::condition::Term;
use super::field::Field;
use super::lexer::Operator;
use super::summary_match::contains;
use super::value::Parsed;
use crate::request_parameters;
use crate::timeline::{Effect, StepRun, Timeline, slots_named, step_name};

/// The fields of a trace. The timeline is made when a term needs it.
pub(super) struct TraceFields<'t> {
    view: &'t dyn TraceView,
    timeline: OnceCell<Timeline>,
}

impl<'t> TraceFields<'t> {
    pub(super) const fn new(view: &'t dyn TraceView) -> Self {
        Self { view, timeline: OnceCell::new() }
    }

    fn timeline(&self) -> Result<&Timeline, SourceError> {
        if let Some(timeline) = self.timeline.get() {
            return Ok(timeline);
        }
        let timeline = Timeline::of(self.view.trace()?.as_ref());
        Ok(self.timeline.get_or_init(|| timeline))
    }

    /// Returns true if the term holds. A value that is secret or missing fits nothing.
    pub(super) fn matches(&self, term: &Term) -> Result<bool, SourceError> {
        let passes = |tally: Result<Tally, SourceError>| tally.map(|tally| tally.passed > 0);
        match &term.field {
            Field::Build => {
                passes(self.test(term, ValuePlace::Build, &|placed| {
                    Some(term.any_value(|value| {
                        text_of(placed).is_some_and(|build| build.starts_with(&value.text))
                    }))
                }))
            }
            Field::Client => passes(self.test_text(term, ValuePlace::Peer)),
            Field::Size => passes(self.test_len(term, ValuePlace::ResponseBody)),
            Field::RequestSize => passes(self.test_len(term, ValuePlace::RequestBody)),
            Field::Body => passes(self.test_text(term, ValuePlace::ResponseBody)),
            Field::RequestBody => passes(self.test_text(term, ValuePlace::RequestBody)),
            Field::Header(name) => self.fits_headers(term, name, ValuePlace::RequestHeaders),
            Field::ResponseHeader(name) => self.fits_headers(term, name, ValuePlace::ResponseHeaders),
            Field::Query(name) => passes(self.test(term, ValuePlace::Target, &|placed| {
                let pairs = request_parameters::query_of(&text_of(placed)?);
                Some(term.fits_one(named(&pairs, name)))
            })),
            Field::Param(name) => {
                let pattern = &self.view.flow()?.pattern;
                let pairs =
                    request_parameters::parameters(pattern, &self.view.summary().path).unwrap_or_default();
                Ok(term.fits_one(named(&pairs, name)))
            }
            Field::Slot { name, path } => {
                let flow = self.view.flow()?;
                for slot in slots_named(flow, name) {
                    if flow.slots.get(usize::from(slot)).is_some_and(|slot| slot.is_secret) {
                        continue;
                    }
                    let found = self.test(term, ValuePlace::Slot(slot), &|placed| {
                        let PlacedValue::Value(recorded) = placed else { return None };
                        Some(term.fits_within(&recorded.value()?.root(), path))
                    })?;
                    if found.passed > 0 {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Field::Step => Ok(term.fits_tally(self.test_steps(term, &|name| term.fits_value(name))?)),
            Field::Effect => Ok(term.fits_tally(self.test_effects(term, &|kind| term.fits_value(kind))?)),
            Field::StepTook(name) => {
                if self.test_steps(term, &|step| step == name)?.passed == 0 {
                    return Ok(false);
                }
                let runs = self.timeline()?.runs.iter().filter(|run| run.step.name == *name);
                let (count, cpu_ns) = runs.fold((0, 0_u64), |(count, sum), run: &StepRun| {
                    (count + 1, sum.saturating_add(run.cpu_ns))
                });
                Ok(count > 0 && term.fits_nanos(cpu_ns))
            }
            Field::EffectText(kind) | Field::EffectTook(kind) | Field::EffectCount(kind)
                if self.test_effects(term, &|requested| requested == kind)?.passed == 0 =>
            {
                Ok(matches!(term.field, Field::EffectCount(_)) && term.fits_number(0.0))
            }
            Field::Chaos if self.test_faults(term)?.passed == 0 => Ok(false),
            _ => Ok(self.matches_timeline(term, self.timeline()?)),
        }
    }

    /// Returns true if a term holds that needs the whole timeline.
    fn matches_timeline(&self, term: &Term, timeline: &Timeline) -> bool {
        match &term.field {
            Field::Queued => {
                let queued = timeline.runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.queue_ns));
                term.fits_nanos(queued)
            }
            Field::Chaos => {
                let faults = timeline
                    .runs
                    .iter()
                    .flat_map(|run| &run.effects)
                    .flat_map(|effect| &effect.injected_faults);
                term.fits_one(faults.map(|fault| fault.rule.as_str()))
            }
            Field::EffectText(kind) => {
                term.fits_one(effects(timeline, kind).map(|effect| effect.summary.as_str()))
            }
            Field::EffectTook(kind) => {
                effects(timeline, kind).any(|effect| term.fits_nanos(effect.duration_ns))
            }
            Field::EffectCount(kind) => term.fits_number(effects(timeline, kind).count() as f64),
            _ => false,
        }
    }

    /// Tests the values at a place. A term has one test only, so it is numbered by its address.
    fn test(
        &self,
        term: &Term,
        place: ValuePlace,
        test: &dyn Fn(PlacedValue<'_>) -> Option<bool>,
    ) -> Result<Tally, SourceError> {
        self.view.test_values(place, std::ptr::from_ref(term).addr(), test)
    }

    /// Tests the text at a place as it was recorded, with secrets masked.
    fn test_text(&self, term: &Term, place: ValuePlace) -> Result<Tally, SourceError> {
        self.test(term, place, &|placed| Some(term.fits_text(&text_of(placed)?)))
    }

    fn test_len(&self, term: &Term, place: ValuePlace) -> Result<Tally, SourceError> {
        self.test(term, place, &|placed| match placed {
            PlacedValue::Body(body) => Some(term.fits_nanos(body.full_len)),
            _ => None,
        })
    }

    fn fits_headers(&self, term: &Term, name: &str, place: ValuePlace) -> Result<bool, SourceError> {
        let tally = self.test(term, place, &|placed| match placed {
            PlacedValue::Header(header)
                if header.name.eq_ignore_ascii_case(name) && !header.value.is_secret() =>
            {
                Some(term.fits_value(&text_of(placed)?))
            }
            _ => None,
        })?;
        Ok(term.fits_tally(tally))
    }

    fn test_steps(&self, term: &Term, test: &dyn Fn(&str) -> bool) -> Result<Tally, SourceError> {
        let flow = self.view.flow()?;
        self.test_events(term, &|subject| match subject {
            EventSubject::Step(step) => Some(test(&step_name(flow, step))),
            _ => None,
        })
    }

    fn test_effects(&self, term: &Term, test: &dyn Fn(&str) -> bool) -> Result<Tally, SourceError> {
        self.test_events(term, &|subject| match subject {
            EventSubject::Effect(kind) => Some(test(kind)),
            _ => None,
        })
    }

    fn test_faults(&self, term: &Term) -> Result<Tally, SourceError> {
        self.test_events(term, &|subject| matches!(subject, EventSubject::Fault(_)).then_some(true))
    }

    fn test_events(
        &self,
        term: &Term,
        test: &dyn Fn(EventSubject<'_>) -> Option<bool>,
    ) -> Result<Tally, SourceError> {
        self.view.test_events(std::ptr::from_ref(term).addr(), test)
    }
}

fn effects<'t>(timeline: &'t Timeline, kind: &str) -> impl Iterator<Item = &'t Effect> {
    timeline.runs.iter().flat_map(|run| &run.effects).filter(move |effect| effect.kind == kind)
}

fn named<'p>(pairs: &'p [(String, String)], name: &str) -> impl Iterator<Item = &'p str> {
    pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
}

impl Term {
    /// Returns true if the term holds for one of the texts; with `!=`, if there is a text and all differ.
    fn fits_one<'v>(&self, texts: impl Iterator<Item = &'v str>) -> bool {
        let mut texts = texts.peekable();
        match self.operator {
            Operator::NotEqual => texts.peek().is_some() && texts.all(|text| self.fits_value(text)),
            _ => texts.any(|text| self.fits_value(text)),
        }
    }

    /// Compares a text of which the type is not known: as a number if both sides are numbers and the operator orders,
    /// and as a text otherwise.
    fn fits_value(&self, text: &str) -> bool {
        self.any_value(|value| match (self.operator, value.parsed) {
            (Operator::Fits, _) => contains(text, &value.text),
            // Equal digits are equal, also of numbers that a float cannot hold.
            (Operator::Equal | Operator::NotEqual, _) if text == value.text => true,
            (_, Parsed::Number(given)) => text.parse().is_ok_and(|number: f64| self.compares(number, given)),
            (Operator::Equal | Operator::NotEqual, _) => false,
            // Dates and versions are ordered as texts.
            _ => self.compares(text, value.text.as_str()),
        })
    }

    /// Like [`Term::fits_one`], given how many texts fit.
    const fn fits_tally(&self, tally: Tally) -> bool {
        match self.operator {
            Operator::NotEqual => tally.passed > 0 && tally.failed == 0,
            _ => tally.passed > 0,
        }
    }

    /// Compares the part of a value at this path, or any leaf of the whole value if there is no path.
    fn fits_within(&self, root: &Node<'_>, path: &[String]) -> bool {
        let mut node = root;
        for part in path {
            let next = match (node, part.parse::<usize>()) {
                (Node::Seq(items), Ok(at)) => items.get(at),
                _ => node.field(part),
            };
            let Some(next) = next else { return false };
            node = next;
        }
        match node.as_str() {
            Some(text) => self.fits_value(text),
            None => self.fits_value(&node.to_string()),
        }
    }
}

/// Returns the text of a value that holds bytes or text.
fn text_of(placed: PlacedValue<'_>) -> Option<Cow<'_, str>> {
    let recorded: &Recorded = match placed {
        PlacedValue::Text(text) => return Some(Cow::Borrowed(text)),
        PlacedValue::Value(value) => value,
        PlacedValue::Header(header) => &header.value,
        PlacedValue::Body(body) => &body.bytes,
    };
    Some(match recorded.value()?.root().as_bytes()? {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    })
}
