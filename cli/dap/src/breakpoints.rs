//! Breakpoints: at lines of step functions, at steps and effects by name, at accesses to slots, at failures, and at whatever
//! took long.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zerver_analysis::{RowState, RowSubject};
use zerver_replay::nearest_name;
use zerver_trace::duration::HumanDuration;
use zerver_trace::text::clean;

use crate::recordings::Recordings;
use crate::request::loaded::LoadedRequest;
use crate::source_files::SourceFiles;

/// Name of the filter for failures.
pub(crate) const FAILED: &str = "failed";
/// Name of the filter for responses of 4xx.
pub(crate) const CLIENT_ERROR: &str = "client_error";
/// Name of the filter for what took long.
pub(crate) const SLOW: &str = "slow";

/// All breakpoints. The client replaces those of one kind at a time, or of one file.
#[derive(Default)]
pub(crate) struct Breakpoints {
    /// Steps by file, each with the id of its breakpoint.
    lines: BTreeMap<PathBuf, Vec<(u64, u16)>>,
    functions: Vec<(u64, String)>,
    slots: Vec<(u64, String)>,
    stops_at_failures: bool,
    stops_at_client_errors: bool,
    slower_than_ns: Option<u64>,
    last_id: u64,
}

/// The answer to a breakpoint that the client has asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) id: u64,
    /// First line of the step, from 1, if it is a breakpoint at a line.
    pub(crate) line: Option<u32>,
    /// Reason why it is never hit; `None` if it can be.
    pub(crate) why_not: Option<String>,
}

/// Reason for a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Reason, as the protocol names it.
    pub(crate) reason: &'static str,
    pub(crate) ids: Vec<u64>,
    /// Reason in words.
    pub(crate) description: String,
}

impl Breakpoints {
    fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Replaces the breakpoints of a file.
    pub(crate) fn set_lines(
        &mut self,
        file: PathBuf,
        wanted: &[u32],
        request: &LoadedRequest,
        sources: &mut SourceFiles,
        recordings: &dyn Recordings,
    ) -> Vec<Placed> {
        let steps = step_lines(&file, request, sources, recordings);
        let (mut set, mut placed) = (Vec::new(), Vec::new());
        for wanted in wanted {
            let id = self.id();
            match steps.iter().find(|(_, lines)| lines.contains(wanted)) {
                Some((step, lines)) => {
                    set.push((id, *step));
                    placed.push(Placed { id, line: Some(*lines.start()), why_not: None });
                }
                None => {
                    let why = format!("this line is in no step of {}", clean(&request.trace.flow.name));
                    placed.push(Placed { id, line: None, why_not: Some(why) });
                }
            }
        }
        self.lines.insert(file, set);
        placed
    }

    /// Replaces the breakpoints at steps and effects.
    pub(crate) fn set_functions(&mut self, names: Vec<String>, request: &LoadedRequest) -> Vec<Placed> {
        self.functions.clear();
        let steps = || request.trace.flow.steps.iter().map(|step| step.name.as_str());
        let place = |name: String| {
            let id = self.id();
            let is_known = steps().any(|step| step == name)
                || (0..request.rows.len()).any(|row| is_function(request, row, &name));
            let why_not = (!is_known).then(|| {
                let what = format!("the request has no step or effect {}", clean(&name));
                match nearest_name(&name, steps()) {
                    Some(near) => format!("{what}; did you mean {}?", clean(near)),
                    None => what,
                }
            });
            self.functions.push((id, name));
            Placed { id, line: None, why_not }
        };
        names.into_iter().map(place).collect()
    }

    /// Replaces the breakpoints at slots.
    pub(crate) fn set_slots(&mut self, names: Vec<String>, request: &LoadedRequest) -> Vec<Placed> {
        self.slots.clear();
        let place = |name: String| {
            let id = self.id();
            let is_known = request.trace.flow.slots.iter().any(|slot| slot.name == name);
            let why_not = (!is_known).then(|| format!("the flow has no slot {}", clean(&name)));
            self.slots.push((id, name));
            Placed { id, line: None, why_not }
        };
        names.into_iter().map(place).collect()
    }

    /// Replaces the filters, given with their conditions. Returns for each why it does nothing.
    pub(crate) fn set_filters(&mut self, filters: &[(String, String)]) -> Vec<Option<String>> {
        (self.stops_at_failures, self.stops_at_client_errors, self.slower_than_ns) = (false, false, None);
        let set = |(filter, condition): &(String, String)| match filter.as_str() {
            FAILED => {
                self.stops_at_failures = true;
                None
            }
            CLIENT_ERROR => {
                self.stops_at_client_errors = true;
                None
            }
            SLOW => match condition.trim().parse::<HumanDuration>() {
                Ok(limit) if !condition.trim().is_empty() => {
                    self.slower_than_ns = Some(limit.ns);
                    None
                }
                Ok(_) => Some("give a duration as the condition, such as 10ms".to_owned()),
                Err(why) => Some(why),
            },
            other => Some(format!("there is no filter {}", clean(other))),
        };
        filters.iter().map(set).collect()
    }

    /// Returns why a row is a place to stop at, or `None` if it is not.
    pub(crate) fn hit(&self, request: &LoadedRequest, row: usize) -> Option<Hit> {
        let shown = request.rows.get(row)?;
        let hit = |reason, ids: Vec<u64>, description: String| {
            Some(Hit { reason, ids, description: clean(&description).into_owned() })
        };
        let ids = |all: &[(u64, String)], is_it: &dyn Fn(&str) -> bool| -> Vec<u64> {
            all.iter().filter(|(_, name)| is_it(name)).map(|(id, _)| *id).collect()
        };
        if let RowSubject::Run(run) = shown.subject {
            let step = request.timeline.runs.get(run).map(|run| run.step.index);
            let at_lines = self.lines.values().flatten();
            let at: Vec<u64> = at_lines.filter(|(_, at)| Some(*at) == step).map(|(id, _)| *id).collect();
            if !at.is_empty() {
                return hit("breakpoint", at, format!("breakpoint at step {}", shown.name));
            }
        }
        let named = ids(&self.functions, &|name| is_function(request, row, name));
        if !named.is_empty() {
            return hit("function breakpoint", named, format!("breakpoint at {}", shown.name));
        }
        let written = ids(&self.slots, &|name| request.writes(row).iter().any(|write| write.name == name));
        if !written.is_empty() {
            return hit("data breakpoint", written, format!("{} writes a slot", shown.name));
        }
        let is_wanted = match shown.state {
            RowState::Failed => self.stops_at_failures,
            RowState::ClientError => self.stops_at_client_errors,
            RowState::Good | RowState::Unknown => false,
        };
        // A failed request ends with a response that says so. Only one that failed outside of steps stops there.
        let is_elsewhere = || request.rows[..row].iter().any(|row| row.state == shown.state);
        if is_wanted && (shown.subject != RowSubject::Response || !is_elsewhere()) {
            return hit("exception", Vec::new(), format!("{} failed", shown.name));
        }
        match self.slower_than_ns {
            Some(limit) if shown.took_ns > limit => {
                let (took, limit) =
                    (zerver_trace::duration::show(shown.took_ns), HumanDuration { ns: limit });
                hit("exception", Vec::new(), format!("{} took {took}, longer than {limit}", shown.name))
            }
            _ => None,
        }
    }
}

/// Returns true if a row is a run of a step of this name, or an effect of this kind or label, or of a label that begins so.
fn is_function(request: &LoadedRequest, row: usize, name: &str) -> bool {
    match (request.effect(row), request.run(row)) {
        (Some(effect), _) => {
            let label = effect.label();
            effect.kind == name
                || label.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        }
        (None, Some(run)) => run.step.name == name,
        (None, None) => false,
    }
}

/// Returns the steps of the flow whose functions are in a file, with their lines.
pub(crate) fn step_lines(
    file: &std::path::Path,
    request: &LoadedRequest,
    sources: &mut SourceFiles,
    recordings: &dyn Recordings,
) -> Vec<(u16, std::ops::RangeInclusive<u32>)> {
    let mut lines = Vec::new();
    for (at, step) in (0..).zip(&request.trace.flow.steps) {
        let place = sources.function(recordings, &step.file, &step.name, step.line);
        lines.extend(place.filter(|place| place.resolved == file).map(|place| (at, place.lines)));
    }
    lines
}
