//! The time of a run. A run without edits lives at the recorded times. One with edits lives in virtual time: what was
//! recorded takes as long as it took then, whatever is before it, and deadlines count. No time passes in either.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::StopReason;
use zerver_trace::Outcome;

use crate::observed::{Observed, ObservedCall};

/// When something ends: the earlier is the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    /// What decides first: the virtual time, or nothing.
    first_ns: u64,
    /// What decides then: the place among the recorded answers.
    place: usize,
    pub(crate) at_ns: u64,
}

pub(crate) struct ReplayClock<'r> {
    recorded: &'r Observed<'r>,
    pub(crate) now_ns: u64,
    /// None where the recorded times are told.
    ends: Option<VirtualLimits>,
    /// How often a step has run.
    runs: BTreeMap<String, u32>,
    /// Steps that ran and did not in the recording.
    unknown: BTreeSet<String>,
}

/// What ends a request from outside, in virtual time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VirtualLimits {
    pub(crate) deadline_ns: u64,
    /// When the client went away.
    pub(crate) gone_ns: Option<u64>,
}

impl VirtualLimits {
    /// What comes first, and when.
    fn first(self) -> (u64, StopReason) {
        match self.gone_ns {
            Some(gone_ns) if gone_ns < self.deadline_ns => (gone_ns, StopReason::ClientLeft),
            _ => (self.deadline_ns, StopReason::DeadlinePassed),
        }
    }
}

impl<'r> ReplayClock<'r> {
    /// A clock that stands at `received_ns`; virtual where there are such ends.
    pub(crate) fn new(recorded: &'r Observed<'r>, received_ns: u64, ends: Option<VirtualLimits>) -> Self {
        Self { recorded, now_ns: received_ns, ends, runs: BTreeMap::new(), unknown: BTreeSet::new() }
    }

    pub(crate) fn is_virtual(&self) -> bool {
        self.ends.is_some()
    }

    /// Goes on to the end of a run of this step, and says when that begins.
    pub(crate) fn step(&mut self, name: &str) -> u64 {
        if !self.is_virtual() {
            // When it ran, if it did; else now.
            let known = self.recorded.runs.iter().find(|run| run.name == name && run.at_ns >= self.now_ns);
            let (at_ns, cpu_ns) = known.map_or((self.now_ns, 0), |run| (run.at_ns, run.cpu_ns));
            self.now_ns = at_ns.saturating_add(cpu_ns);
            return at_ns;
        }
        let occurrence = self.runs.entry(name.to_owned()).or_default();
        let runs = || self.recorded.runs.iter().filter(|run| run.name == name);
        // Of a step that runs more often than it did, the last time.
        let known = runs().find(|run| run.occurrence == *occurrence).or_else(|| runs().next_back());
        *occurrence += 1;
        if known.is_none() {
            self.unknown.insert(name.to_owned());
        }
        let (waits_ns, cpu_ns) =
            known.map_or((0, 0), |run| (run.at_ns.saturating_sub(run.ready_ns), run.cpu_ns));
        let at_ns = self.now_ns.saturating_add(waits_ns);
        self.now_ns = at_ns.saturating_add(cpu_ns);
        at_ns
    }

    /// When a call ends that is asked for now, like a recorded one, or at once.
    pub(crate) fn due(&self, known: Option<&ObservedCall<'_>>) -> Due {
        let (place, at_ns) = known.and_then(|call| call.answered).unwrap_or((0, self.now_ns));
        if self.is_virtual() {
            self.after(known, known.and_then(ObservedCall::took_ns).unwrap_or(0))
        } else {
            Due { first_ns: 0, place, at_ns }
        }
    }

    /// When a call ends that takes so long from now on.
    pub(crate) fn after(&self, known: Option<&ObservedCall<'_>>, ns: u64) -> Due {
        let place = known.and_then(|call| call.answered).map_or(0, |(place, _)| place);
        let at_ns = self.now_ns.saturating_add(ns);
        Due { first_ns: at_ns, place, at_ns }
    }

    /// When a call ends that makes such a pause before it begins.
    pub(crate) fn later(&self, due: Due, pause_ns: u64) -> Due {
        if !self.is_virtual() {
            return due;
        }
        let at_ns = due.at_ns.saturating_add(pause_ns);
        Due { first_ns: at_ns, at_ns, ..due }
    }

    /// Whether something from outside ends the request before this.
    pub(crate) fn stops_before(&self, due: Option<Due>) -> Option<(u64, StopReason)> {
        match (self.ends, due) {
            (Some(ends), due) => {
                Some(ends.first()).filter(|(at_ns, _)| due.is_none_or(|due| *at_ns < due.at_ns))
            }
            (None, None) => self.recorded_stop().map(|stop| (self.now_ns, stop)),
            (None, Some(_)) => None,
        }
    }

    /// How much time the request has left.
    pub(crate) fn left_ns(&self) -> u64 {
        self.ends.map_or(u64::MAX, |ends| ends.deadline_ns.saturating_sub(self.now_ns))
    }

    /// Whether something from outside has ended the request by now, after so many runs of steps.
    pub(crate) fn stopped(&self, runs: usize) -> Option<(u64, StopReason)> {
        match self.ends {
            Some(ends) => Some(ends.first())
                .filter(|(at_ns, _)| *at_ns <= self.now_ns)
                .map(|(_, stop)| (self.now_ns, stop)),
            None if runs == self.recorded.runs.len() => self.recorded_stop().map(|stop| (self.now_ns, stop)),
            None => None,
        }
    }

    /// What ended the recorded request from outside, if something did.
    pub(crate) fn recorded_stop(&self) -> Option<StopReason> {
        match self.recorded.outcome {
            Some(Outcome::Gone { .. }) => Some(StopReason::ClientLeft),
            Some(Outcome::TimedOut { .. }) => Some(StopReason::DeadlinePassed),
            _ => None,
        }
    }

    /// Steps whose time is not known, as a note.
    pub(crate) fn note(self) -> Option<String> {
        let names: Vec<String> = self.unknown.into_iter().collect();
        (!names.is_empty())
            .then(|| format!("{} did not run in the recording: its time counts as nothing", names.join(", ")))
    }
}
