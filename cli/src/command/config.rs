//! `zerver config`: what a service is set to, and who said so.

use serde::Serialize;
use zerver_replay::SettingDoc;

use super::ask;
use crate::args::{Config, Global};
use crate::output::Output;
use crate::trouble::{Done, Trouble};
use crate::view;

pub(super) fn run(args: &Config, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let asked = ("ZERVER_SETTINGS", "settings");
    let settings: Vec<SettingDoc> = ask::program(&args.app, &args.program, global, asked)?;
    if output.is_json {
        output.json(&Document { settings: &settings })?;
    } else {
        output.print(&view::config::settings(&settings, output.columns()))?;
        output
            .note("what is marked with * changes while a service runs: on SIGHUP it reads zerver.toml again");
    }
    Ok(Done::Fine)
}

/// `{"settings": [..]}`, each as [`SettingTold`] serialises.
#[derive(Serialize)]
struct Document<'a> {
    settings: &'a [SettingDoc],
}
