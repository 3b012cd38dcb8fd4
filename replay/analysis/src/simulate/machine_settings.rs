//! Settings of a simulated machine, by name.

use zerver_engine::SimMachine;
use zerver_trace::Class;

/// Value of a setting.
#[derive(Debug, PartialEq, Eq)]
pub enum MachineSetting<'m> {
    /// Number of workers, cores or places in a queue.
    Count(&'m mut usize),
    /// Duration, in nanoseconds.
    Time(&'m mut u64),
    /// Share, in thousandths.
    Share(&'m mut u16),
    /// Number of times a step may exceed its quantum.
    Times(&'m mut u32),
    /// Number of requests over which these are counted.
    Of(&'m mut u64),
}

/// Names of all settings; `CLASS` stands for `interactive`, `default` or `batch`.
pub const MACHINE_SETTINGS: &[&str] = &[
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

/// Returns the setting with this name.
pub fn machine_setting<'m>(machine: &'m mut SimMachine, name: &str) -> Option<MachineSetting<'m>> {
    let settings = &mut machine.settings;
    Some(match name {
        "cores" => MachineSetting::Count(&mut machine.cores),
        "workers" => MachineSetting::Count(&mut machine.workers),
        "batch.workers" => MachineSetting::Count(&mut machine.batch_workers),
        "overruns.times" => MachineSetting::Times(&mut settings.overruns.times),
        "overruns.of" => MachineSetting::Of(&mut settings.overruns.of),
        "probation" => MachineSetting::Time(&mut settings.probation_ns),
        _ => {
            let (class, name) = name.split_once('.')?;
            let class = settings.class_mut(class.parse::<Class>().ok()?);
            match name {
                "queue" => MachineSetting::Count(&mut class.queue),
                "quantum" => MachineSetting::Time(&mut class.quantum_ns),
                "target" => MachineSetting::Time(&mut class.target_ns),
                "interval" => MachineSetting::Time(&mut class.interval_ns),
                "share" => MachineSetting::Share(&mut class.share),
                _ => return None,
            }
        }
    })
}
