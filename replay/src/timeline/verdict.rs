//! What took the most of the time.

use std::collections::BTreeMap;

use super::model::{Late, Timeline};

/// What a part of the time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// One effect.
    Effect,
    /// Many effects of one kind.
    Effects,
    /// A step's own work, over all its runs.
    Cpu,
    /// Waiting for a turn.
    Queue,
    /// Answers that lay ready while the thread of the request was busy.
    Late,
    /// Reading the body.
    Receive,
    /// Nothing that the trace tells.
    Unexplained,
}

impl Part {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Effect => "effect",
            Self::Effects => "effects",
            Self::Cpu => "cpu",
            Self::Queue => "queue",
            Self::Late => "late",
            Self::Receive => "receive",
            Self::Unexplained => "unexplained",
        }
    }
}

/// A part of the time with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributor {
    /// What it was spent on.
    pub part: Part,
    /// In words: `kv get todo:456`, `40 sql calls`, `CPU of render_todo`.
    pub label: String,
    /// How long.
    pub ns: u64,
    /// Its share of the whole, in percent, rounded.
    pub percent: u8,
}

/// What took the most of the time, and whether it was much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What took the most.
    pub largest: Contributor,
    /// What half of the flow's requests took at most, in nanoseconds; none without others to compare with.
    pub median_ns: Option<u64>,
}

impl Timeline {
    /// What the time was spent on, the most first. Parts of one kind may overlap where effects do.
    pub fn contributors(&self) -> Vec<Contributor> {
        let totals = &self.totals;
        let mut parts: Vec<(Part, String, u64)> = vec![
            (Part::Queue, "waiting for a turn".to_owned(), totals.queue_ns),
            (Part::Late, self.longest_late().map_or_else(String::new, Late::label), totals.late_ns),
            (Part::Receive, "receiving the request".to_owned(), totals.receive_ns),
            (Part::Unexplained, "unexplained".to_owned(), totals.unexplained_ns),
        ];
        let mut cpu: BTreeMap<u16, (&str, u64)> = BTreeMap::new();
        let mut longest: BTreeMap<&str, u64> = BTreeMap::new();
        for run in &self.runs {
            let (_, ns) = cpu.entry(run.step.index).or_insert((&run.step.name, 0));
            *ns = ns.saturating_add(run.cpu_ns);
            for effect in &run.effects {
                let end_ns = effect.start_ns.saturating_add(effect.duration_ns).min(totals.total_ns);
                let ns = end_ns.saturating_sub(effect.start_ns);
                let kind = longest.entry(&effect.kind).or_default();
                *kind = ns.max(*kind);
                parts.push((Part::Effect, effect.label(), ns));
            }
        }
        parts.extend(cpu.into_values().map(|(name, ns)| (Part::Cpu, format!("CPU of {name}"), ns)));
        // Many small calls are one large finding.
        for (kind, io) in &totals.io {
            let one = longest.get(kind.as_str()).copied().unwrap_or(0);
            if io.calls > 1 && io.ns / 2 >= one {
                parts.push((Part::Effects, format!("{} {kind} calls", io.calls), io.ns));
            }
        }
        let mut contributors: Vec<Contributor> = parts
            .into_iter()
            .filter(|(.., ns)| *ns > 0)
            .map(|(part, label, ns)| {
                let ns = ns.min(totals.total_ns);
                Contributor { part, label, ns, percent: percent(ns, totals.total_ns) }
            })
            .collect();
        contributors.sort_by_key(|contributor| std::cmp::Reverse(contributor.ns));
        contributors
    }

    /// What took the most; none where no time passed. `population` is how long requests of the same flow took, in
    /// nanoseconds and any order, with or without this one.
    pub fn verdict(&self, population: &[u64]) -> Option<Verdict> {
        let largest = self.contributors().into_iter().next()?;
        let median_ns = (population.len() > 1).then(|| median(population)).flatten();
        Some(Verdict { largest, median_ns })
    }
}

/// The middle one, or the lower of the two in the middle.
pub fn median(durations: &[u64]) -> Option<u64> {
    let mut sorted = durations.to_vec();
    let middle = sorted.len().checked_sub(1)? / 2;
    Some(*sorted.select_nth_unstable(middle).1)
}

fn percent(part: u64, whole: u64) -> u8 {
    let whole = u128::from(whole.max(1));
    ((u128::from(part) * 100 + whole / 2) / whole).min(100) as u8
}
