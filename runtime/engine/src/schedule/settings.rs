//! Settings of the scheduling policy, per class and for steps that overrun.

use std::borrow::Cow;
use std::fmt;

use zerver_trace::Class;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// Largest allowed [`OverrunLimit::times`]. The tracker remembers as many overruns for each step.
const MAX_OVERRUNS: u32 = 10_000;

/// Settings of the scheduling policy. The fields have the names of the configuration keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulingSettings {
    /// Requests with a user waiting for the response.
    pub interactive: ClassSettings,
    /// Requests of flows that name no class.
    pub default: ClassSettings,
    /// Requests without a user waiting for the response.
    pub batch: ClassSettings,
    /// Number of overruns after which a flow is reclassified as batch.
    pub overruns: OverrunLimit,
    /// Time for which a flow stays reclassified, in nanoseconds.
    pub probation_ns: u64,
}

/// Settings of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassSettings {
    /// Maximum number of queued requests per worker; further ones are shed at once.
    pub queue: usize,
    /// Quantum: run time after which a request lets others go first, in nanoseconds. The step that is running then
    /// still finishes.
    pub quantum_ns: u64,
    /// Maximum wait for the first step if the queue has not been empty for an interval, in nanoseconds. Once a request
    /// has waited for two thirds of it, the newest requests go first (except in batch).
    pub target_ns: u64,
    /// Maximum wait for the first step if the queue has been empty within this time, in nanoseconds: a burst is not an
    /// overload. An overload is over when nothing has been shed for this long.
    pub interval_ns: u64,
    /// Minimum share of a worker's time while requests of this class are queued, in thousandths, so that no class
    /// starves.
    pub share: u16,
}

/// `times` overruns of one step among the last `of` requests of its flow on one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverrunLimit {
    /// Number of overruns, from 1 to 10,000.
    pub times: u32,
    /// Number of requests.
    pub of: u64,
}

impl Default for SchedulingSettings {
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
            overruns: OverrunLimit { times: 8, of: 32 },
            probation_ns: 60 * S,
        }
    }
}

/// A setting with a value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// Configuration key, such as `batch.quantum`.
    pub key: String,
    /// Requirement that the value violates, such as `at least 1`.
    pub requirement: Cow<'static, str>,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {}: must be {}", self.key, self.requirement)
    }
}

impl std::error::Error for SettingError {}

impl SchedulingSettings {
    /// Returns the settings of a class.
    pub const fn class(&self, class: Class) -> &ClassSettings {
        match class {
            Class::Interactive => &self.interactive,
            Class::Default => &self.default,
            Class::Batch => &self.batch,
        }
    }

    /// Returns the settings of a class for modification.
    pub const fn class_mut(&mut self, class: Class) -> &mut ClassSettings {
        match class {
            Class::Interactive => &mut self.interactive,
            Class::Default => &mut self.default,
            Class::Batch => &mut self.batch,
        }
    }

    /// Checks that all values make sense.
    ///
    /// # Errors
    /// Names the first value that does not.
    pub fn check(&self) -> Result<(), SettingError> {
        let invalid = |key: String, requirement: &'static str| {
            Err(SettingError { key, requirement: Cow::Borrowed(requirement) })
        };
        for class in CLASSES {
            let set = self.class(class);
            if set.queue == 0 {
                return invalid(format!("{class}.queue"), "at least 1");
            }
            if set.quantum_ns == 0 {
                return invalid(format!("{class}.quantum"), "longer than 0");
            }
            if set.target_ns > set.interval_ns {
                let requirement = Cow::Owned(format!("no longer than {class}.interval"));
                return Err(SettingError { key: format!("{class}.target"), requirement });
            }
        }
        let shares: u32 = CLASSES.iter().map(|&class| u32::from(self.class(class).share)).sum();
        if shares > 1000 {
            return invalid(
                "share".to_owned(),
                "at most 1000 thousandths for interactive, default and batch together",
            );
        }
        let OverrunLimit { times, of } = self.overruns;
        if times == 0 || times > MAX_OVERRUNS || u64::from(times) > of {
            return invalid("overruns.times".to_owned(), "from 1 to 10000, and at most overruns.of");
        }
        Ok(())
    }
}

/// All classes, the most urgent first.
pub(crate) const CLASSES: [Class; 3] = [Class::Interactive, Class::Default, Class::Batch];
