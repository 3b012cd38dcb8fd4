//! `zerver simulate`: recorded requests under another configuration.

use serde::Serialize;
use zerver_analysis::{
    Deviation, MACHINE_SETTINGS, Machine, MachineSetting, Reproduction, Scheduling, Simulation,
    machine_setting,
};
use zerver_replay::nearest_name;
use zerver_trace::Trace;

use super::ls;
use crate::args::{Global, Simulate};
use crate::output::Output;
use crate::place;
use crate::trouble::{Done, Trouble};
use crate::view;
use zerver_trace::duration::HumanDuration;

pub(super) fn run(args: &Simulate, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let mut recorded_on = here();
    assign(&mut recorded_on, &args.recorded)?;
    let mut other = recorded_on.clone();
    assign(&mut other, &args.set)?;
    let other = (!args.set.is_empty()).then_some(other);
    let dir = place::store(global)?;
    let reader = place::reader(&dir)?;
    let query = args.filter.query(ls::now_unix_ns(), args.limit.0);
    let requests = reader.list(&query).map_err(|error| place::unreadable(&dir, &error))?;
    if let Some(dropped) = place::dropped(&reader) {
        output.note(&dropped);
    }
    let mut traces: Vec<Trace> = Vec::with_capacity(requests.len());
    for (read, request) in requests.iter().enumerate() {
        if read % 256 == 255 {
            output.progress(&format!("reading {} of {} requests", read + 1, requests.len()));
        }
        traces.extend(reader.load(request.id).ok().flatten());
    }
    if traces.len() < requests.len() {
        output
            .warn(&format!("{} requests could not be read, and are left out", requests.len() - traces.len()));
    }
    let most = traces.iter().filter_map(|trace| trace.worker).max().map_or(0, usize::from);
    if most >= recorded_on.workers {
        output.warn(&format!(
            "connections were on worker {most}, so there were more workers than {}: say --recorded workers={}, unless one \
             took the place of another that hung",
            recorded_on.workers,
            most + 1
        ));
    }
    output.progress(&format!("simulating {} requests", traces.len()));
    let simulation = Simulation::of(&traces, &recorded_on, other.as_ref());
    output.no_progress();
    if output.is_json {
        let reproduced = simulation.reproduced();
        let (close, worst) = (reproduced == Reproduction::Well, simulation.worst());
        output.json(&Document {
            reproduced: close,
            reproduction: reproduced,
            worst,
            simulation: &simulation,
        })?;
    } else if simulation.requests == 0 {
        output.note(&format!("no such requests that ran a step in {}", place::shown(&dir)));
        return Ok(Done::Fine);
    } else {
        let columns = output.columns();
        output.print(&view::simulate::simulate(&simulation, &recorded_on, &args.set, columns))?;
    }
    Ok(if simulation.reproduced() == Reproduction::Well { Done::Fine } else { Done::Finding })
}

/// This machine, with a service as it is if nothing is said.
fn here() -> Machine {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Machine { cores, workers: cores, low_workers: cores, settings: Scheduling::default() }
}

fn assign(machine: &mut Machine, assignments: &[(String, String)]) -> Result<(), Trouble> {
    for (name, value) in assignments {
        let Some(setting) = machine_setting(machine, name) else {
            let names: Vec<String> = MACHINE_SETTINGS.iter().flat_map(|name| spelled(name)).collect();
            let trouble = Trouble::new(format!("there is no setting {name}"));
            let near =
                nearest_name(name, names.iter().map(String::as_str)).map(|name| format!("is it {name}?"));
            let all =
                format!("there are {}; CLASS is interactive, default or batch", MACHINE_SETTINGS.join(", "));
            return Err(near.into_iter().fold(trouble, Trouble::hint).hint(all));
        };
        let wrong = |allowed: &str| Trouble::new(format!("{name}={value} is wrong; it is {allowed}"));
        match setting {
            MachineSetting::Count(count) => *count = value.parse().map_err(|_| wrong("a number"))?,
            MachineSetting::Times(times) => *times = value.parse().map_err(|_| wrong("a number"))?,
            MachineSetting::Of(of) => *of = value.parse().map_err(|_| wrong("a number"))?,
            MachineSetting::Share(share) => {
                *share = value.parse().map_err(|_| wrong("a number of thousandths"))?
            }
            MachineSetting::Time(ns) => {
                *ns = value.parse::<HumanDuration>().map_err(|_| wrong("a duration such as 10ms"))?.ns;
            }
        }
    }
    if machine.workers == 0 || machine.cores == 0 {
        return Err(Trouble::new("there is at least one worker, on at least one core"));
    }
    // So many lanes are looked at for each event; no machine has more.
    if machine.workers.max(machine.low_workers).max(machine.cores) > 1024 {
        return Err(Trouble::new("there are at most 1024 workers of each sort, and cores"));
    }
    machine.settings.check().map_err(|error| Trouble::new(error.to_string()))
}

/// A name with each class in the place of `CLASS`.
fn spelled(name: &str) -> Vec<String> {
    if !name.contains("CLASS") {
        return vec![name.to_owned()];
    }
    ["interactive", "default", "batch"].map(|class| name.replace("CLASS", class)).to_vec()
}

/// What a simulation says, for other programs.
#[derive(Serialize)]
struct Document<'s> {
    /// Whether it is reproduced well.
    reproduced: bool,
    reproduction: Reproduction,
    worst: Option<Deviation>,
    #[serde(flatten)]
    simulation: &'s Simulation,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Machine, String> {
        let settings = Scheduling::default();
        let mut machine = Machine { cores: 2, workers: 2, low_workers: 2, settings };
        let result = assign(&mut machine, &[(name.to_owned(), value.to_owned())]);
        result.map(|()| machine).map_err(|trouble| [vec![trouble.what], trouble.hints].concat().join("; "))
    }

    #[test]
    fn settings_are_set_by_name() {
        assert_eq!(set("batch.workers", "1").unwrap().low_workers, 1);
        assert_eq!(set("interactive.quantum", "2.5ms").unwrap().settings.interactive.quantum_ns, 2_500_000);
    }

    #[test]
    fn a_wrong_one_is_named() {
        let check = |name, value, message: &str| assert_eq!(set(name, value).unwrap_err(), message);
        let wrong = set("worker", "1").unwrap_err();
        assert!(
            wrong.starts_with("there is no setting worker; is it workers?; there are cores, "),
            "{wrong}"
        );
        check("workers", "many", "workers=many is wrong; it is a number");
        check("workers", "0", "there is at least one worker, on at least one core");
        check("batch.target", "5", "batch.target=5 is wrong; it is a duration such as 10ms");
        check("batch.queue", "0", "batch.queue is wrong; it is at least 1");
        check("cores", "2000", "there are at most 1024 workers of each sort, and cores");
    }
}
