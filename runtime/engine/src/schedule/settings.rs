//! How the policy is to be: per class, and for steps that take too long.

use std::fmt;

use zerver_trace::Class;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// Each of them is remembered, for each step.
const MOST_OVERRUNS: u32 = 10_000;

/// All of the policy that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduling {
    /// Requests that somebody waits for.
    pub interactive: ClassSettings,
    /// Requests of which nothing was said.
    pub default: ClassSettings,
    /// Requests that nobody waits for.
    pub batch: ClassSettings,
    /// How often a step may overrun the quantum of its class before its flow is moved to where batch runs.
    pub overruns: Often,
    /// How long a flow that was moved stays there, in nanoseconds.
    pub probation_ns: u64,
}

/// How requests of one class wait and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassSettings {
    /// So many may wait on one worker; more are sent away at once.
    pub queue: usize,
    /// How long a request may run, in nanoseconds, until it lets others go first. It ends with the step that runs then.
    pub quantum_ns: u64,
    /// How long a request may wait for its first step where the queue has not been empty for an interval, in nanoseconds.
    /// Where one has waited for two thirds of it, the newest go first (not in batch).
    pub target_ns: u64,
    /// How long it may wait where the queue has been empty since, in nanoseconds: a burst is no overload. An overload is
    /// over when nobody had to be sent away for so long.
    pub interval_ns: u64,
    /// The least share of a worker's time, in thousandths, while it has something to run; so no class starves.
    pub share: u16,
}

/// So many times of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Often {
    /// Overruns of one step, at least 1 and at most 10,000.
    pub times: u32,
    /// Among so many requests of its flow on one worker.
    pub of: u64,
}

impl Default for Scheduling {
    fn default() -> Self {
        let class = |queue, quantum_ns, target_ns, interval_ns, share| ClassSettings {
            queue,
            quantum_ns,
            target_ns,
            interval_ns,
            share,
        };
        Self {
            interactive: class(10_000, 3 * MS, 6 * MS, 40 * MS, 0),
            default: class(50_000, 10 * MS, 50 * MS, 500 * MS, 100),
            batch: class(100_000, 20 * MS, 5 * S, 20 * S, 50),
            overruns: Often { times: 8, of: 32 },
            probation_ns: 60 * S,
        }
    }
}

/// A value that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// The key, such as `batch.quantum`.
    pub key: String,
    /// What it has to be.
    pub allowed: &'static str,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is wrong; it is {}", self.key, self.allowed)
    }
}

impl std::error::Error for SettingError {}

impl Scheduling {
    /// The settings of a class.
    pub const fn class(&self, class: Class) -> &ClassSettings {
        match class {
            Class::Interactive => &self.interactive,
            Class::Default => &self.default,
            Class::Batch => &self.batch,
        }
    }

    /// The same, to be changed.
    pub const fn class_mut(&mut self, class: Class) -> &mut ClassSettings {
        match class {
            Class::Interactive => &mut self.interactive,
            Class::Default => &mut self.default,
            Class::Batch => &mut self.batch,
        }
    }

    /// Checks them.
    ///
    /// # Errors
    /// Names the first value that cannot be meant.
    pub fn check(&self) -> Result<(), SettingError> {
        let wrong = |key: String, allowed| Err(SettingError { key, allowed });
        for class in CLASSES {
            let set = self.class(class);
            if set.queue == 0 {
                return wrong(format!("{class}.queue"), "at least 1");
            }
            if set.quantum_ns == 0 {
                return wrong(format!("{class}.quantum"), "longer than nothing");
            }
            if set.target_ns > set.interval_ns {
                return wrong(format!("{class}.target"), "no longer than the interval of its class");
            }
        }
        let shares: u32 = CLASSES.iter().map(|&class| u32::from(self.class(class).share)).sum();
        if shares > 1000 {
            return wrong("share".to_owned(), "at most 1000 thousandths for all classes together");
        }
        let Often { times, of } = self.overruns;
        if times == 0 || times > MOST_OVERRUNS || u64::from(times) > of {
            return wrong(
                "overruns.times".to_owned(),
                "at least 1, at most 10000, and no more than overruns.of",
            );
        }
        Ok(())
    }
}

/// All classes, the most urgent first.
pub(crate) const CLASSES: [Class; 3] = [Class::Interactive, Class::Default, Class::Batch];
