//! `zerver demo`: a recorded store that is part of the program, opened in the terminal UI or unpacked into a folder.
//!
//! The store holds requests to `examples/todos`, recorded once; see `tests/it/demo.rs`.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zerver_recorder::Reader;
use zerver_trace::Query;
use zerver_tui::StartScreen;

use crate::args::{Demo, Global, Program};
use crate::clock::now_unix_ns;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::requests::json::RequestsJson;
use crate::service::replayer::Replayer;
use crate::store_source::StoreSource;
use crate::terminal_ui::{can_open, look, services, show};
use crate::view::{count, request_list};
use crate::{locate, paths};

/// Files of the store, with their names.
const FILES: [(&str, &[u8]); 2] =
    [("traces.redb", include_bytes!("../../demo/traces.redb")), ("key", include_bytes!("../../demo/key"))];

pub(super) fn run(args: &Demo, global: &Global, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    match &args.dir {
        Some(dir) => unpack_into(dir, output),
        None => {
            let dir = tempfile::Builder::new().prefix("zerver-demo-").tempdir();
            let dir = dir.and_then(|dir| unpack(dir.path()).map(|()| dir)).map_err(|error| {
                CommandError::new("cannot unpack the demo into a temporary folder")
                    .caused_by(&error)
                    .with_hint("use --dir to unpack it into another folder")
            })?;
            open(dir.path(), args, global, output)
        }
    }
}

/// Unpacks the store into a folder of the user's, and prints what to do with it.
fn unpack_into(dir: &Path, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let failed = |error: &io::Error| {
        CommandError::new(format!("cannot unpack the demo into {}", dir.display())).caused_by(error)
    };
    let is_empty = paths::is_empty_or_absent(dir).map_err(|error| failed(&error))?;
    if !is_empty {
        return Err(CommandError::new(format!("{} is not empty", dir.display()))
            .with_hint("name a new folder for the demo"));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| failed(&error))?;
    unpack(dir).map_err(|error| failed(&error))?;
    let requests = list(&locate::open_reader(&dir.to_owned().into())?)?.len() as u64;
    if output.is_json {
        output.json(&serde_json::json!({ "store": dir, "requests": requests }))?;
        return Ok(CommandOutcome::Success);
    }
    let dir = paths::display(dir);
    output.info(&format!("unpacked {} into {dir}", count(requests, "request", "requests")));
    for command in ["ls", "trace @slowest", "why @slowest", "diff --slow report", "tui"] {
        output.info(&format!("try: zerver {command} --store {dir}"));
    }
    Ok(CommandOutcome::Success)
}

/// Opens the unpacked store in the terminal UI. Without a terminal, prints the requests.
fn open(
    dir: &Path,
    args: &Demo,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let reader = locate::open_reader(&dir.to_owned().into())?;
    if !args.no_tui && can_open(output) {
        let source = StoreSource::from_reader(dir.to_owned().into(), reader);
        let here = env::current_dir().unwrap_or_default();
        let replayer = Replayer::new(service_folder(&here), Program::default());
        let services = services(&Arc::new(source), replayer);
        show(StartScreen::Requests, &services, look(&args.theme, global), None)?;
        return Ok(CommandOutcome::Success);
    }
    let requests = list(&reader)?;
    if output.is_json {
        output.json(&RequestsJson::new(&requests))?;
        return Ok(CommandOutcome::Success);
    }
    output.info(
        "requests to a todo service, recorded by zerver; on a terminal, `zerver demo` opens the terminal UI",
    );
    let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
    let digits = locate::unique_digits(&reader, &ids);
    output.print(&request_list::table(&requests, digits, now_unix_ns(), output.columns()))?;
    output.info("to inspect them with other commands, unpack the store with `zerver demo --dir DIR`");
    Ok(CommandOutcome::Success)
}

/// Returns the folder of the service whose requests the store holds, if `here` is in a clone of zerver's repository. There,
/// the requests can be replayed.
fn service_folder(here: &Path) -> Option<PathBuf> {
    here.ancestors().map(|folder| folder.join("examples/todos")).find(|folder| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        manifest.contains("name = \"zerver-example-todos\"")
    })
}

fn list(reader: &Reader) -> Result<Vec<zerver_trace::Summary>, CommandError> {
    reader.list(&Query::default()).map_err(|error| locate::unreadable_store(&reader.place(), &error))
}

/// Writes the files of the store into a folder. They are private, as those of any store.
fn unpack(dir: &Path) -> io::Result<()> {
    for (name, bytes) in FILES {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join(name))?;
        file.write_all(bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_a_healthy_store_with_something_to_look_into() {
        let dir = tempfile::tempdir().unwrap();
        unpack(dir.path()).unwrap();
        let report = zerver_recorder::examine_with(dir.path(), &mut |_, _| ());
        assert!(report.damaged.is_empty() && report.problem.is_none(), "{:?}", report.damaged);
        let reader = Reader::open(dir.path()).unwrap();
        let requests = list(&reader).unwrap();
        assert!(requests.len() >= 200, "{}", requests.len());
        let has = |f: &dyn Fn(&zerver_trace::Summary) -> bool| requests.iter().any(f);
        assert!(has(&|request| request.duration_ns > 500_000_000), "a slow one");
        assert!(has(&|request| request.status >= 500) && has(&|request| request.status == 404));
        for request in &requests {
            reader.load(request.id).unwrap().unwrap();
        }
    }

    #[test]
    fn in_a_clone_the_requests_are_replayed_with_the_example() {
        let clone = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(service_folder(&clone.join("docs")), Some(clone.join("examples/todos")));
        assert_eq!(service_folder(tempfile::tempdir().unwrap().path()), None);
    }

    #[test]
    fn the_demo_is_small() {
        assert!(FILES.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < 1 << 20);
    }
}
