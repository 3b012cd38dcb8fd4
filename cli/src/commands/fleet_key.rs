//! The keys for which the services of a fleet seal secrets.

use std::io::{self, Read as _};

use serde::Serialize;
use zerver_fleet::{FleetKeyStatus, FleetUrl, NewKey, create_key, keys, unwrap_line};
use zerver_trace::duration::HumanDuration;
use zerver_trace::text::clean;

use crate::args::{FleetKey, FleetKeyCommand, Global, NewFleetKey, UnwrapKey};
use crate::commands::fleet::fleet_url;
use crate::error::{CommandError, CommandOutcome};
use crate::fleet_failure::failed;
use crate::output::Output;
use crate::paths;
use crate::view::count;

/// Maximum length of a wrapped key that is read, in bytes.
const MAX_LINE: u64 = 1024;

pub(super) fn run(
    args: &FleetKey,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    match &args.command {
        FleetKeyCommand::New(args) => run_new(&fleet_url(global)?, args, output),
        FleetKeyCommand::List => run_list(&fleet_url(global)?, output),
        FleetKeyCommand::Unwrap(args) => run_unwrap(args, output),
    }
}

fn run_new(url: &FleetUrl, args: &NewFleetKey, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let NewKey { id, is_new_hash_key, is_replaced_hash_key } =
        create_key(url, &args.file, &args.hash_key, args.new_hash_key)
            .map_err(|error| failed(url, "make a key for", &error))?;
    let (private, hash) = (paths::display(&args.file), paths::display(&args.hash_key));
    if output.is_json {
        output.json(&serde_json::json!({
            "id": id.to_string(),
            "private_key": private,
            "hash_key": hash,
            "new_hash_key": is_new_hash_key,
            "replaced_hash_key": is_replaced_hash_key,
        }))?;
        return Ok(CommandOutcome::Success);
    }
    output.info(&format!(
        "processes that start from now on seal for the key {id}; its private half is in {private}: keep it apart from the fleet, and \
         a copy in a safe place"
    ));
    if is_replaced_hash_key {
        output.info(&format!(
            "the fleet has another hash key now: a service that starts with the old one ships nothing until it has {hash}"
        ));
    } else if is_new_hash_key {
        output.info(&format!("services need {hash}, and name it with ZERVER_FLEET_HASH_KEY"));
    }
    output.info(&format!("readers name the private half with ZERVER_FLEET_KEY={private}"));
    Ok(CommandOutcome::Success)
}

fn run_list(url: &FleetUrl, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let keys = keys(url).map_err(|error| failed(url, "list the keys of", &error))?;
    if output.is_json {
        output.json(&serde_json::json!({ "keys": keys.iter().map(KeyJson::from).collect::<Vec<_>>() }))?;
        return Ok(CommandOutcome::Success);
    }
    if keys.is_empty() {
        output.info("the fleet has no key: secrets are sealed under keys that stay on the nodes");
    }
    for key in &keys {
        output.print(&format!("{}\n", describe(key)))?;
    }
    Ok(CommandOutcome::Success)
}

fn run_unwrap(args: &UnwrapKey, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let failed = || CommandError::new("cannot unwrap the key");
    let mut line = String::new();
    io::stdin().take(MAX_LINE).read_to_string(&mut line).map_err(|error| failed().caused_by(&error))?;
    let key = unwrap_line(&line, &args.file).map_err(|error| failed().with_cause(clean(&error.reason)))?;
    output.print(&key)?;
    Ok(CommandOutcome::Success)
}

/// Returns a line about a key.
pub(super) fn describe(key: &FleetKeyStatus) -> String {
    let FleetKeyStatus { id, age, data_keys, nodes, is_current } = key;
    let age = HumanDuration { ns: age.as_secs().saturating_mul(1_000_000_000) };
    let state = if *is_current { "current" } else { "replaced" };
    let uses = match data_keys {
        0 => "nothing is sealed for it yet".to_owned(),
        _ => format!(
            "{} on {} sealed for it",
            count(*data_keys, "process", "processes"),
            count(*nodes, "node", "nodes")
        ),
    };
    format!("key {id}, {state}, added {age} ago: {uses}")
}

/// A key of a fleet.
#[derive(Serialize)]
pub(super) struct KeyJson {
    id: String,
    current: bool,
    age_s: u64,
    processes: u64,
    nodes: u64,
}

impl From<&FleetKeyStatus> for KeyJson {
    fn from(key: &FleetKeyStatus) -> Self {
        Self {
            id: key.id.to_string(),
            current: key.is_current,
            age_s: key.age.as_secs(),
            processes: key.data_keys,
            nodes: key.nodes,
        }
    }
}
