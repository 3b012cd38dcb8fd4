//! The pages in a real Chromium: accessibility, content policy, keyboard, hostile text. `tests/browser` has the script.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use zerver_testkit::sample;

use crate::client::Site;
use crate::files::all_files;
use crate::pages::all_pages;
use crate::sample_service::{SampleService, long};

/// Returns a command of npm or node in the folder of the script.
fn command(program: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/browser");
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// Runs a command to its end, and returns what it printed. Calls `on_line` with each line as it comes.
fn run(mut command: Command, mut on_line: impl FnMut(&str)) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| {
        panic!("cannot start {program}: {error}; tests/install-services.sh installs what the tests of the web UI need")
    });
    let mut errors = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
        on_line(&line);
        said += &format!("{line}\n");
    }
    let status = child.wait().unwrap();
    let errors = errors.join().unwrap().unwrap();
    assert!(status.success(), "{program} failed:\n{said}{errors}");
    said
}

#[test]
fn the_pages_work_in_chromium() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/browser/node_modules").is_dir() {
        let mut install = command("npm");
        install.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        run(install, |_| ());
    }
    let service = SampleService::default();
    service.record(long(10_000));
    let site = Site::with(service);
    let folder = tempfile::tempdir().unwrap();
    let files = all_files(&site.service).into_iter().map(|(name, text)| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        format!("file://{}", path.display())
    });
    let mut check = command("node");
    check.args(["check.mjs", &site.server.url()]).args(all_pages(&site.service)).args(files);
    let said = run(check, |line| {
        if line == "record" {
            site.service.record(sample::report(3));
        }
    });
    assert!(said.contains("all checks passed"), "{said}");
}
