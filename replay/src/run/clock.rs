//! Time of a run.
//!
//! A run without edits uses the recorded times. A run with edits uses virtual time: recorded work takes its recorded
//! duration, whatever happened before it, and deadlines apply. No real time passes in either.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::StopReason;
use zerver_trace::Outcome;

use crate::observed::{Observed, ObservedCall};

/// Order in which calls end: the smaller ends first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    /// First criterion: the virtual time; 0 without virtual time.
    first_ns: u64,
    /// Second criterion: the position among the recorded answers.
    place: usize,
    pub(crate) at_ns: u64,
}

pub(crate) struct ReplayClock<'r> {
    recorded: &'r Observed<'r>,
    pub(crate) now_ns: u64,
    /// `None` if the run uses the recorded times.
    ends: Option<VirtualLimits>,
    /// Number of runs of each step.
    runs: BTreeMap<String, u32>,
    /// Steps that ran, but not in the recording.
    unknown: BTreeSet<String>,
}

/// Limits that end a request from outside, in virtual time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VirtualLimits {
    pub(crate) deadline_ns: u64,
    /// Time when the client left.
    pub(crate) client_left_ns: Option<u64>,
}

impl VirtualLimits {
    /// Returns the earliest limit.
    fn first(self) -> (u64, StopReason) {
        match self.client_left_ns {
            Some(client_left_ns) if client_left_ns < self.deadline_ns => {
                (client_left_ns, StopReason::ClientLeft)
            }
            _ => (self.deadline_ns, StopReason::DeadlinePassed),
        }
    }
}

impl<'r> ReplayClock<'r> {
    /// Creates a clock set to `received_ns`. With limits, it uses virtual time.
    pub(crate) fn new(recorded: &'r Observed<'r>, received_ns: u64, ends: Option<VirtualLimits>) -> Self {
        Self { recorded, now_ns: received_ns, ends, runs: BTreeMap::new(), unknown: BTreeSet::new() }
    }

    pub(crate) fn is_virtual(&self) -> bool {
        self.ends.is_some()
    }

    /// Advances to the end of a run of this step, and returns when the run begins.
    pub(crate) fn step(&mut self, name: &str) -> u64 {
        if !self.is_virtual() {
            // The recorded time of the run, or else now.
            let known = self.recorded.runs.iter().find(|run| run.name == name && run.at_ns >= self.now_ns);
            let (at_ns, cpu_ns) = known.map_or((self.now_ns, 0), |run| (run.at_ns, run.cpu_ns));
            self.now_ns = at_ns.saturating_add(cpu_ns);
            return at_ns;
        }
        let occurrence = self.runs.entry(name.to_owned()).or_default();
        let runs = || self.recorded.runs.iter().filter(|run| run.name == name);
        // Runs beyond the recorded ones take as long as the last recorded one.
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

    /// Returns when a call made now ends: like the recorded call, or at once.
    pub(crate) fn due(&self, known: Option<&ObservedCall<'_>>) -> Due {
        let (place, at_ns) = known.and_then(|call| call.answered).unwrap_or((0, self.now_ns));
        if self.is_virtual() {
            self.after(known, known.and_then(ObservedCall::took_ns).unwrap_or(0))
        } else {
            Due { first_ns: 0, place, at_ns }
        }
    }

    /// Returns when a call made now ends if it takes `ns` nanoseconds.
    pub(crate) fn after(&self, known: Option<&ObservedCall<'_>>, ns: u64) -> Due {
        let place = known.and_then(|call| call.answered).map_or(0, |(place, _)| place);
        let at_ns = self.now_ns.saturating_add(ns);
        Due { first_ns: at_ns, place, at_ns }
    }

    /// Delays the end of a call by a pause before its start.
    pub(crate) fn later(&self, due: Due, pause_ns: u64) -> Due {
        if !self.is_virtual() {
            return due;
        }
        let at_ns = due.at_ns.saturating_add(pause_ns);
        Due { first_ns: at_ns, at_ns, ..due }
    }

    /// Returns the limit that ends the request before `due`.
    pub(crate) fn stops_before(&self, due: Option<Due>) -> Option<(u64, StopReason)> {
        match (self.ends, due) {
            (Some(ends), due) => {
                Some(ends.first()).filter(|(at_ns, _)| due.is_none_or(|due| *at_ns < due.at_ns))
            }
            (None, None) => self.recorded_stop().map(|stop| (self.now_ns, stop)),
            (None, Some(_)) => None,
        }
    }

    /// Returns the time left until the deadline, in nanoseconds.
    pub(crate) fn left_ns(&self) -> u64 {
        self.ends.map_or(u64::MAX, |ends| ends.deadline_ns.saturating_sub(self.now_ns))
    }

    /// Returns the limit that has ended the request by now, after `runs` step runs.
    pub(crate) fn stopped(&self, runs: usize) -> Option<(u64, StopReason)> {
        match self.ends {
            Some(ends) => Some(ends.first())
                .filter(|(at_ns, _)| *at_ns <= self.now_ns)
                .map(|(_, stop)| (self.now_ns, stop)),
            None if runs == self.recorded.runs.len() => self.recorded_stop().map(|stop| (self.now_ns, stop)),
            None => None,
        }
    }

    /// Returns what ended the recorded request from outside.
    pub(crate) fn recorded_stop(&self) -> Option<StopReason> {
        match self.recorded.outcome {
            Some(Outcome::ClientLeft { .. }) => Some(StopReason::ClientLeft),
            Some(Outcome::TimedOut { .. }) => Some(StopReason::DeadlinePassed),
            _ => None,
        }
    }

    /// Returns a note on the steps whose duration is unknown.
    pub(crate) fn note(self) -> Option<String> {
        let names: Vec<String> = self.unknown.into_iter().collect();
        (!names.is_empty()).then(|| {
            format!("{} did not run in the recording and counts as taking no time", names.join(", "))
        })
    }
}
