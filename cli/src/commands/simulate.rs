//! `zerver simulate`: recorded requests with other workers or limits.

use serde::Serialize;
use zerver_analysis::{
    Deviation, MACHINE_SETTINGS, MachineSetting, Reproduction, SchedulingSettings, SimMachine, Simulation,
    machine_setting,
};
use zerver_replay::nearest_name;
use zerver_trace::Trace;

use crate::args::{Global, Simulate};
use crate::clock::now_unix_ns;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::requests::selection;
use crate::{locate, view};
use zerver_trace::duration::HumanDuration;

pub(super) fn run(
    args: &Simulate,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let mut recorded_on = this_machine();
    assign(&mut recorded_on, &args.recorded)?;
    let mut other = recorded_on.clone();
    assign(&mut other, &args.set)?;
    let other = (!args.set.is_empty()).then_some(other);
    let place = locate::store_place(global)?;
    let reader = locate::open_reader(&place)?;
    let query = args.requests.parse()?;
    let stored = args.requests.filter.query(now_unix_ns(), args.limit.0);
    let (mut traces, mut unreadable): (Vec<Trace>, _) = (Vec::new(), 0_u64);
    selection::visit(&reader, stored, &query, output, |request| match request.load() {
        Ok(trace) => traces.push(trace),
        Err(_) => unreadable += 1,
    })?;
    if let Some(notice) = locate::dropped_notice(&reader) {
        output.info(&notice);
    }
    if unreadable > 0 {
        output.warn(&format!("{unreadable} unreadable requests left out"));
    }
    let highest = traces.iter().filter_map(|trace| trace.worker).max().map_or(0, usize::from);
    if highest >= recorded_on.workers {
        output.warn(&format!(
            "requests ran on worker {highest}, so the service had more than {} workers: add --recorded workers={}, unless \
             one replaced another that was stuck",
            recorded_on.workers,
            highest + 1
        ));
    }
    output.progress(&format!("simulating {} requests", traces.len()));
    let simulation = Simulation::of(&traces, &recorded_on, other.as_ref());
    output.clear_progress();
    if output.is_json {
        let reproduced = simulation.reproduced();
        let (is_close, worst) = (reproduced == Reproduction::Well, simulation.worst());
        output.json(&Document {
            reproduced: is_close,
            reproduction: reproduced,
            worst,
            simulation: &simulation,
        })?;
    } else if simulation.requests == 0 {
        output.info(&format!("no matching requests that ran a step in {place}"));
        return Ok(CommandOutcome::Success);
    } else {
        let columns = output.columns();
        output.print(&view::simulate::simulate(&simulation, &recorded_on, &args.set, columns))?;
    }
    Ok(if simulation.reproduced() == Reproduction::Well {
        CommandOutcome::Success
    } else {
        CommandOutcome::Finding
    })
}

/// Returns this machine with the default settings of a service.
fn this_machine() -> SimMachine {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    SimMachine { cores, workers: cores, batch_workers: cores, settings: SchedulingSettings::default() }
}

fn assign(machine: &mut SimMachine, assignments: &[(String, String)]) -> Result<(), CommandError> {
    for (name, value) in assignments {
        let Some(setting) = machine_setting(machine, name) else {
            let names: Vec<String> = MACHINE_SETTINGS.iter().flat_map(|name| expanded(name)).collect();
            let unknown = CommandError::new(format!("unknown setting {name}"));
            let near = nearest_name(name, names.iter().map(String::as_str))
                .map(|name| format!("did you mean {name}?"));
            let all =
                format!("settings: {}; CLASS is interactive, default or batch", MACHINE_SETTINGS.join(", "));
            return Err(near.into_iter().fold(unknown, CommandError::with_hint).with_hint(all));
        };
        let wrong = |allowed: &str| CommandError::new(format!("invalid {name}={value}: must be {allowed}"));
        match setting {
            MachineSetting::Count(count) => *count = value.parse().map_err(|_| wrong("a number"))?,
            MachineSetting::Times(times) => *times = value.parse().map_err(|_| wrong("a number"))?,
            MachineSetting::Of(of) => *of = value.parse().map_err(|_| wrong("a number"))?,
            MachineSetting::Share(share) => {
                *share = value.parse().map_err(|_| wrong("a number of thousandths from 0 to 1000"))?
            }
            MachineSetting::Time(ns) => {
                *ns = value.parse::<HumanDuration>().map_err(|_| wrong("a duration such as 10ms"))?.ns;
            }
        }
    }
    if machine.workers == 0 || machine.cores == 0 {
        let name = if machine.workers == 0 { "workers" } else { "cores" };
        return Err(CommandError::new(format!("invalid {name}=0: must be at least 1")));
    }
    // Each event takes time for each of them; no machine has more.
    let counts =
        [("workers", machine.workers), ("batch.workers", machine.batch_workers), ("cores", machine.cores)];
    if let Some((name, count)) = counts.into_iter().find(|(_, count)| *count > 1024) {
        return Err(CommandError::new(format!("invalid {name}={count}: must be at most 1024")));
    }
    machine.settings.check().map_err(|error| CommandError::new(error.to_string()))
}

/// Returns a name with each class in place of `CLASS`.
fn expanded(name: &str) -> Vec<String> {
    if !name.contains("CLASS") {
        return vec![name.to_owned()];
    }
    ["interactive", "default", "batch"].map(|class| name.replace("CLASS", class)).to_vec()
}

/// Stable JSON form of a simulation. Fields may be added.
#[derive(Serialize)]
struct Document<'s> {
    /// True if the recorded run is reproduced well.
    reproduced: bool,
    reproduction: Reproduction,
    worst: Option<Deviation>,
    #[serde(flatten)]
    simulation: &'s Simulation,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<SimMachine, String> {
        let settings = SchedulingSettings::default();
        let mut machine = SimMachine { cores: 2, workers: 2, batch_workers: 2, settings };
        let result = assign(&mut machine, &[(name.to_owned(), value.to_owned())]);
        result.map(|()| machine).map_err(|error| [vec![error.message], error.hints].concat().join("; "))
    }

    #[test]
    fn settings_are_set_by_name() {
        assert_eq!(set("batch.workers", "1").unwrap().batch_workers, 1);
        assert_eq!(set("interactive.quantum", "2.5ms").unwrap().settings.interactive.quantum_ns, 2_500_000);
    }

    #[test]
    fn an_invalid_setting_is_named() {
        let check = |name, value, message: &str| assert_eq!(set(name, value).unwrap_err(), message);
        let wrong = set("worker", "1").unwrap_err();
        assert!(
            wrong.starts_with("unknown setting worker; did you mean workers?; settings: cores, "),
            "{wrong}"
        );
        check("workers", "many", "invalid workers=many: must be a number");
        check("workers", "0", "invalid workers=0: must be at least 1");
        check("batch.target", "5", "invalid batch.target=5: must be a duration such as 10ms");
        check("batch.queue", "0", "invalid batch.queue: must be at least 1");
        check("cores", "2000", "invalid cores=2000: must be at most 1024");
    }
}
