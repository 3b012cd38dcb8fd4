//! `zerver replay`: replays one recorded request with today's code, or many.

mod corpus_source;
mod debugged;
mod fault_trials;
mod many;
mod many_faults;
mod one;
mod replayable;
mod slot_editor;

use zerver_replay::Edits;

use crate::args::{Global, Replay, Selection};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;

pub(super) fn run(
    args: &Replay,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let edits = edits(args);
    match args.selection()? {
        (Selection::Many(_), _) if edits != Edits::default() || args.edit || args.batched => {
            Err(CommandError::new("edits need one request, and --all replays many")
                .with_hint("name one request instead of --all"))
        }
        (Selection::Many(many), app) if args.faults => many_faults::run(&many, app, args, global, output),
        (Selection::Many(many), app) => many::run(&many, app, args, global, output),
        (Selection::One(_), _) if args.filter != Default::default() || args.limit.0.is_some() => {
            Err(CommandError::new("filters and --limit select from many requests, and one is named")
                .with_hint("leave them out, or use --all instead of the id"))
        }
        (Selection::One(id), app) => one::run(id, app, edits, args, global, output),
    }
}

fn edits(args: &Replay) -> Edits {
    Edits {
        slots: args.set.clone(),
        at: args.at.clone(),
        headers: args.request_header.clone(),
        body: args.request_body.clone().map(String::into_bytes),
        answers: args.answer.clone(),
        faults: [args.fail.clone(), args.latency.clone()].concat(),
        live: args.live.clone(),
    }
}
