//! `zerver config`: the settings of a service, and where each value comes from.

use serde::Serialize;
use zerver_replay::SettingDoc;

use crate::args::{Config, Global};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::service::query::{self, query};
use crate::view;

pub(super) fn run(
    args: &Config,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let settings: Vec<SettingDoc> = query(&args.app, &args.program, global, query::SETTINGS)?;
    if output.is_json {
        output.json(&Document { settings: &settings })?;
    } else {
        output.print(&view::config::settings(&settings, output.columns()))?;
        let note =
            "settings marked * can change while the service runs: it reads zerver.toml again on SIGHUP";
        let columns = output.columns().unwrap_or(usize::MAX);
        output.info(&view::fold(note, columns).join("\n"));
    }
    Ok(CommandOutcome::Success)
}

/// `{"settings": [...]}`, each as [`SettingDoc`] serializes.
#[derive(Serialize)]
struct Document<'a> {
    settings: &'a [SettingDoc],
}
