//! Terms about fields that only a whole trace has.

use std::cell::OnceCell;

use zerver_trace::{Header, Node, Recorded, Trace};

use super::condition::Term;
use super::field::Field;
use super::lexer::Operator;
use super::summary_match::contains;
use super::value::Parsed;
use crate::request_parameters;
use crate::timeline::{Effect, StepRun, Timeline};

/// The fields of a trace. The timeline is made when a term needs it.
pub(super) struct TraceFields<'t> {
    trace: &'t Trace,
    timeline: OnceCell<Timeline>,
}

impl<'t> TraceFields<'t> {
    pub(super) const fn new(trace: &'t Trace) -> Self {
        Self { trace, timeline: OnceCell::new() }
    }

    fn timeline(&self) -> &Timeline {
        self.timeline.get_or_init(|| Timeline::of(self.trace))
    }

    /// Returns true if the term holds. A value that is secret or missing fits nothing.
    pub(super) fn matches(&self, term: &Term) -> bool {
        let trace = self.trace;
        match &term.field {
            Field::Build => term.any_value(|value| trace.build.starts_with(&value.text)),
            Field::Client => term.fits_text(&trace.peer),
            Field::Queued => {
                let queued =
                    self.timeline().runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.queue_ns));
                term.fits_nanos(queued)
            }
            Field::Size => term.fits_nanos(trace.response_body.full_len),
            Field::RequestSize => term.fits_nanos(trace.request_body.full_len),
            Field::Body => term.fits_bytes(&trace.response_body.bytes),
            Field::RequestBody => term.fits_bytes(&trace.request_body.bytes),
            Field::Header(name) => term.fits_headers(name, &trace.request_headers),
            Field::ResponseHeader(name) => term.fits_headers(name, &trace.response_headers),
            Field::Query(name) => {
                let pairs = request_parameters::query(trace);
                term.fits_one(
                    pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()),
                )
            }
            Field::Param(name) => {
                let pairs =
                    request_parameters::parameters(&trace.flow.pattern, &trace.path).unwrap_or_default();
                term.fits_one(
                    pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()),
                )
            }
            Field::Slot { name, path } => {
                let slots = self.timeline().slots.iter();
                let mut found = slots.filter(|slot| slot.name == *name && !slot.is_masked());
                found
                    .any(|slot| slot.value.value().is_some_and(|value| term.fits_within(&value.root(), path)))
            }
            Field::Step => term.fits_one(self.timeline().runs.iter().map(|run| run.step.name.as_str())),
            Field::StepTook(name) => {
                let runs = self.timeline().runs.iter().filter(|run| run.step.name == *name);
                let (count, cpu_ns) = runs.fold((0, 0_u64), |(count, sum), run: &StepRun| {
                    (count + 1, sum.saturating_add(run.cpu_ns))
                });
                count > 0 && term.fits_nanos(cpu_ns)
            }
            Field::Effect => term.fits_one(self.effects().map(|effect| effect.kind.as_str())),
            Field::Chaos => {
                let faults = self.effects().flat_map(|effect| &effect.injected_faults);
                term.fits_one(faults.map(|fault| fault.rule.as_str()))
            }
            Field::EffectText(kind) => term.fits_one(
                self.effects().filter(|effect| effect.kind == *kind).map(|effect| effect.summary.as_str()),
            ),
            Field::EffectTook(kind) => {
                self.effects().any(|effect| effect.kind == *kind && term.fits_nanos(effect.duration_ns))
            }
            Field::EffectCount(kind) => {
                term.fits_number(self.effects().filter(|effect| effect.kind == *kind).count() as f64)
            }
            _ => false,
        }
    }

    fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.timeline().runs.iter().flat_map(|run| &run.effects)
    }
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

    fn fits_headers(&self, name: &str, headers: &[Header<Recorded>]) -> bool {
        let named = headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name) && !header.value.is_secret());
        let values: Vec<String> = named.filter_map(|header| text_of(&header.value)).collect();
        self.fits_one(values.iter().map(String::as_str))
    }

    /// Looks for the values in a body as it was recorded, with secrets masked.
    fn fits_bytes(&self, body: &Recorded) -> bool {
        text_of(body).is_some_and(|text| self.fits_text(&text))
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
fn text_of(recorded: &Recorded) -> Option<String> {
    let root = recorded.value()?.root();
    root.as_bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
