//! `zerver config`: what a service is set to, and who said so.

use serde::Serialize;
use zerver_replay::SettingTold;

use crate::args::{Config, Global};
use crate::error::{Done, Trouble};
use crate::output::Output;
use crate::service::query;
use crate::view;

pub(super) fn run(args: &Config, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let settings: Vec<SettingTold> = query::program(&args.app, &args.program, global, query::SETTINGS)?;
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
    settings: &'a [SettingTold],
}
