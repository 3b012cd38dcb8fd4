//! What of a machine can be changed, by name.

use zerver_engine::SimMachine;
use zerver_trace::Class;

/// One value of a machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Setting<'m> {
    /// A number of workers, cores or places in a queue.
    Count(&'m mut usize),
    /// A time, in nanoseconds.
    Time(&'m mut u64),
    /// A share, in thousandths.
    Share(&'m mut u16),
    /// How often a step may overrun.
    Times(&'m mut u32),
    /// Among how many requests.
    Of(&'m mut u64),
}

/// The names there are; `CLASS` stands for one of `interactive`, `default` and `batch`.
pub const SETTINGS: &[&str] = &[
    "cores",
    "workers",
    "batch.workers",
    "CLASS.queue",
    "CLASS.quantum",
    "CLASS.target",
    "CLASS.interval",
    "CLASS.share",
    "overruns.times",
    "overruns.of",
    "probation",
];

/// The value with this name.
pub fn setting<'m>(machine: &'m mut SimMachine, name: &str) -> Option<Setting<'m>> {
    let settings = &mut machine.settings;
    Some(match name {
        "cores" => Setting::Count(&mut machine.cores),
        "workers" => Setting::Count(&mut machine.workers),
        "batch.workers" => Setting::Count(&mut machine.batch_workers),
        "overruns.times" => Setting::Times(&mut settings.overruns.times),
        "overruns.of" => Setting::Of(&mut settings.overruns.of),
        "probation" => Setting::Time(&mut settings.probation_ns),
        _ => {
            let (class, name) = name.split_once('.')?;
            let class = settings.class_mut(class.parse::<Class>().ok()?);
            match name {
                "queue" => Setting::Count(&mut class.queue),
                "quantum" => Setting::Time(&mut class.quantum_ns),
                "target" => Setting::Time(&mut class.target_ns),
                "interval" => Setting::Time(&mut class.interval_ns),
                "share" => Setting::Share(&mut class.share),
                _ => return None,
            }
        }
    })
}
