//! `zerver why-value`: the inputs that a value of a request came from.

use serde::Serialize;
use zerver_replay::{SliceRequest, StaticSlice, ValueSlice, static_slice};
use zerver_trace::text::clean;

use crate::args::{Global, WhyValue};
use crate::error::{CommandError, CommandOutcome};
use crate::locate::{self, LoadedTrace};
use crate::output::Output;
use crate::recording::open;
use crate::service::program::ServiceProgram;
use crate::service::slicer;
use crate::view::why_value::{sources, static_sources};

/// Number of trials between two reports of progress.
const PROGRESS_INTERVAL: u32 = 16;

pub(super) fn run(
    args: &WhyValue,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let loaded = locate::load_trace(global, &args.id)?;
    // Before the service is built: the recording must have the value.
    let narrowed = static_slice(&loaded.trace, &args.value)?;
    if args.is_static {
        return print_static(args, &loaded, &narrowed, output);
    }
    let program = match ServiceProgram::find(args.app.as_deref(), &args.program, loaded.reader.as_ref()) {
        Ok(program) => program,
        Err(error) if args.app.is_none() && args.program.exe.is_none() => {
            output.warn(&format!("the service was not run: {}", clean(&error.one_line())));
            return print_static(args, &loaded, &narrowed, output);
        }
        Err(error) => return Err(error),
    };
    let exe = program.build(args.program.release, global)?;
    let recording = open(loaded.trace.clone(), &loaded, output);
    let seen = match &loaded.reader {
        Some(reader) => {
            output.progress("reading other requests of the flow");
            slicer::seen_values(reader, &loaded.trace)
        }
        None => Vec::new(),
    };
    let request = SliceRequest { target: args.value.clone(), seen, skipped: Vec::new() };
    let hosted = slicer::slice(&exe, &recording, request, &mut |trial| {
        if trial % PROGRESS_INTERVAL == 0 {
            output.progress(&format!("changing one input at a time: run {trial}"));
        }
    });
    output.clear_progress();
    let slicer::HostedSlice { slice, build } = hosted?;
    let recorded_build = loaded.trace.build.as_str();
    if output.is_json {
        output.json(&Document::new(&loaded, &slice, recorded_build, &build))?;
    } else {
        if recorded_build != build && !recorded_build.is_empty() && !build.is_empty() {
            output.info(&format!(
                "recorded by build {}, run by build {}",
                clean(recorded_build),
                clean(&build)
            ));
        }
        output.print(&sources(&loaded.trace, &slice, output.layout(loaded.digits())))?;
    }
    Ok(if slice.undecided.is_empty() { CommandOutcome::Success } else { CommandOutcome::Finding })
}

fn print_static(
    args: &WhyValue,
    loaded: &LoadedTrace,
    narrowed: &StaticSlice,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if output.is_json {
        output.json(&StaticDocument::new(args, loaded, narrowed))?;
    } else {
        let layout = output.layout(loaded.digits());
        output.print(&static_sources(&loaded.trace, &args.value.to_string(), narrowed, layout))?;
    }
    Ok(CommandOutcome::Success)
}

/// Stable JSON form of a slice. Fields may be added.
#[derive(Serialize)]
struct Document<'a> {
    id: String,
    flow: &'a str,
    method: &'static str,
    #[serde(flatten)]
    slice: &'a ValueSlice,
    build: Builds<'a>,
}

#[derive(Serialize)]
struct Builds<'a> {
    recorded: &'a str,
    replayed: &'a str,
}

impl<'a> Document<'a> {
    fn new(loaded: &'a LoadedTrace, slice: &'a ValueSlice, recorded: &'a str, replayed: &'a str) -> Self {
        Self {
            id: loaded.trace.id.to_string(),
            flow: &loaded.trace.flow.name,
            method: "runs",
            slice,
            build: Builds { recorded, replayed },
        }
    }
}

/// Stable JSON form of a static slice. Fields may be added.
#[derive(Serialize)]
struct StaticDocument<'a> {
    id: String,
    flow: &'a str,
    method: &'static str,
    target: String,
    #[serde(flatten)]
    slice: &'a StaticSlice,
}

impl<'a> StaticDocument<'a> {
    fn new(args: &WhyValue, loaded: &'a LoadedTrace, slice: &'a StaticSlice) -> Self {
        Self {
            id: loaded.trace.id.to_string(),
            flow: &loaded.trace.flow.name,
            method: "declarations",
            target: args.value.to_string(),
            slice,
        }
    }
}
