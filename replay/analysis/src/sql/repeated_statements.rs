//! Finds the statements that one step performs again and again, one after another: the "N+1" problem.

use std::collections::BTreeMap;

use serde::Serialize;
use zerver_trace::{Node, Value};

use super::KIND;
use super::statement_key::normalized;
use crate::Effect;
use crate::Timeline;

/// Number of runs from which a statement counts as repeated.
const MIN_RUNS: usize = 5;
/// Time from which the runs of a statement matter, in nanoseconds.
const MIN_TIME_NS: u64 = 50_000_000;

/// A statement that a step performed at least five times, one after another, and that together took at least 50 ms or a
/// third of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepeatedStatement {
    /// Name of the step.
    pub step: String,
    /// The statement on one line, or its name.
    pub statement: String,
    /// Number of runs.
    pub runs: usize,
    /// Time of all runs, in nanoseconds.
    pub time_ns: u64,
    /// Time that a single statement for all of them would have saved, in nanoseconds, if it took as long as the longest of
    /// them. An estimate: other effects may have been in flight at the same time. A replay with
    /// [`batched`](Self::batched) tries it.
    pub saving_ns: u64,
    /// Numbers of the runs among the calls of the request.
    pub calls: Vec<u32>,
}

impl RepeatedStatement {
    /// Returns how long each run takes if one statement answers all of them: the first as long as the longest, in
    /// nanoseconds, and the others no time.
    pub fn batched(&self) -> impl Iterator<Item = (u32, u64)> {
        let first_ns = self.time_ns.saturating_sub(self.saving_ns);
        self.calls
            .iter()
            .zip(std::iter::once(first_ns).chain(std::iter::repeat(0)))
            .map(|(call, ns)| (*call, ns))
    }
}

/// Runs of one statement in one step.
#[derive(Default)]
struct Runs {
    statement: String,
    calls: Vec<u32>,
    time_ns: u64,
    longest_ns: u64,
    /// End of the last run.
    end_ns: u64,
}

impl Timeline {
    /// Returns the statements that were repeated, the one that took the longest first.
    pub fn repeated_statements(&self) -> Vec<RepeatedStatement> {
        let mut groups: BTreeMap<(u16, String), Runs> = BTreeMap::new();
        for run in &self.runs {
            for effect in run.effects.iter().filter(|effect| effect.kind == KIND) {
                let Some(key) = effect.args.value().and_then(statement) else { continue };
                let runs = groups.entry((run.step.index, key)).or_default();
                // Statements that were performed at the same time did not wait for one another.
                if runs.calls.is_empty() || effect.start_ns >= runs.end_ns {
                    runs.add(effect);
                }
            }
        }
        let total_ns = self.totals.total_ns;
        let step = |index: u16| {
            self.runs.iter().find(|run| run.step.index == index).map(|run| run.step.name.clone())
        };
        let mut repeated: Vec<_> = groups
            .into_iter()
            .filter(|(_, runs)| {
                runs.calls.len() >= MIN_RUNS && (runs.time_ns >= MIN_TIME_NS || runs.time_ns >= total_ns / 3)
            })
            .map(|((index, _), runs)| RepeatedStatement {
                step: step(index).unwrap_or_default(),
                statement: runs.statement,
                runs: runs.calls.len(),
                time_ns: runs.time_ns,
                saving_ns: runs.time_ns.saturating_sub(runs.longest_ns),
                calls: runs.calls,
            })
            .collect();
        repeated.sort_by_key(|repeated| std::cmp::Reverse(repeated.time_ns));
        repeated
    }
}

impl Runs {
    fn add(&mut self, effect: &Effect) {
        if self.calls.is_empty() {
            self.statement.clone_from(&effect.summary);
        }
        self.calls.extend(effect.attempts.last().map(|attempt| attempt.call));
        self.time_ns = self.time_ns.saturating_add(effect.duration_ns);
        self.longest_ns = self.longest_ns.max(effect.duration_ns);
        self.end_ns = effect.start_ns.saturating_add(effect.duration_ns);
    }
}

/// Returns what identifies the statement of a call with one statement.
fn statement(args: &Value) -> Option<String> {
    let root = args.root();
    let Some(Node::Seq(statements)) = root.field("statements") else { return None };
    let [statement] = &statements[..] else { return None };
    let Some(Node::Str(text)) = statement.field("text") else { return None };
    Some(normalized(text))
}
