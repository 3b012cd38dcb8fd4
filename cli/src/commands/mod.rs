//! Commands, one file each.

mod catalog;
mod compare_sets;
mod completions;
mod config;
mod dap;
mod demo;
mod diff;
mod doctor;
mod explain;
mod export;
mod fleet;
mod fleet_health;
mod fleet_key;
mod flows;
mod import;
mod ls;
mod man;
#[cfg(feature = "mcp")]
mod mcp;
mod new;
mod openapi;
mod replay;
mod resend;
mod simulate;
mod slo;
mod top;
mod trace;
mod tui;
mod web;
mod why;
mod why_value;

use crate::args::{Cli, Command};
use crate::dev;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;

/// Runs the command that the arguments name.
pub(crate) fn run(cli: &Cli, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let global = &cli.global;
    match &cli.command {
        Command::New(args) => new::run(args, output),
        Command::Dev(args) => dev::run(args, global, output),
        Command::Demo(args) => demo::run(args, global, output),
        Command::Ls(args) => ls::run(args, global, output),
        Command::Flows(args) => flows::run(args, global, output),
        Command::Trace(args) => trace::run(args, global, output),
        Command::Tui(args) => tui::run(args, global, output),
        Command::Web(args) => web::run(args, global, output),
        Command::Replay(args) => replay::run(args, global, output),
        Command::Resend(args) => resend::run(args, global, output),
        Command::Diff(args) => diff::run(args, global, output),
        Command::Why(args) => why::run(args, global, output),
        Command::WhyValue(args) => why_value::run(args, global, output),
        Command::Explain(args) => explain::run(args, global, output),
        Command::Simulate(args) => simulate::run(args, global, output),
        Command::Top(args) => top::run(args, output),
        Command::Catalog(args) => catalog::run(args, global, output),
        Command::OpenApi(args) => openapi::run(args, global, output),
        Command::Slo(args) => slo::run(args, global, output),
        Command::Fleet(args) => fleet::run(args, global, output),
        Command::Config(args) => config::run(args, global, output),
        Command::Export(args) => export::run(args, global, output),
        Command::Import(args) => import::run(args, global, output),
        Command::Doctor(args) => doctor::run(args, global, output),
        Command::Dap(args) => dap::run(args, global),
        #[cfg(feature = "mcp")]
        Command::Mcp(args) => mcp::run(args, global),
        Command::Completions(args) => completions::run(args, output),
        Command::Man(args) => man::run(args, output),
    }
}
