//! Cargo: finds the package of a service and its sources, and builds it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde::Deserialize;

use super::process::Process;
use crate::args::{Color, Global};
use crate::error::CommandError;

/// Width of Cargo's progress line, in columns: enough for the names of many crates.
const PROGRESS_WIDTH: &str = "200";

/// A package, with the binary to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) folder: PathBuf,
    manifest: PathBuf,
    bin: String,
    /// True if the whole workspace is selected, and not the package alone.
    ///
    /// Cargo unifies the features of dependencies over the selected packages. With the workspace selected, the
    /// dependencies are those that `cargo build --workspace` and `cargo test --workspace` have built already.
    selects_workspace: bool,
    /// Root folder of the workspace.
    pub(crate) workspace: PathBuf,
    /// Folders of the package and of the packages it depends on by path.
    pub(crate) sources: Vec<SourceRoot>,
    /// Folder that Cargo builds into.
    pub(crate) target: PathBuf,
}

/// Folder of a package with sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceRoot {
    pub(crate) folder: PathBuf,
    /// True for a package with a build script, which may read any file.
    pub(crate) has_build_script: bool,
}

/// A binary that Cargo has built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) exe: PathBuf,
    /// True if there was nothing to build.
    pub(crate) is_fresh: bool,
}

/// Receiver of what Cargo prints to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CargoStderr {
    /// Our standard error.
    Inherited,
    /// A pipe, with progress lines that end in a carriage return.
    PipedWithProgress,
    /// A pipe, without progress.
    Piped,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetaPackage>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetaPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<MetaTarget>,
    dependencies: Vec<MetaDependency>,
    default_run: Option<String>,
}

#[derive(Deserialize)]
struct MetaTarget {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct MetaDependency {
    path: Option<PathBuf>,
    kind: Option<String>,
}

impl MetaPackage {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    fn has_build_script(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "custom-build"))
    }

    fn bins(&self) -> Vec<&str> {
        let is_bin = |target: &&MetaTarget| target.kind.iter().any(|kind| kind == "bin");
        self.targets.iter().filter(is_bin).map(|target| target.name.as_str()).collect()
    }
}

impl Package {
    /// Finds the package in the folder `app` or the nearest folder above it.
    pub(crate) fn find(app: &Path, bin: Option<&str>) -> Result<Self, CommandError> {
        let app = fs::canonicalize(app).map_err(|error| {
            CommandError::new(format!("cannot find {}", app.display()))
                .caused_by(&error)
                .with_hint("name the folder of a service, such as `.`")
        })?;
        let manifest = app.ancestors().map(|dir| dir.join("Cargo.toml")).find(|path| path.is_file());
        let manifest = manifest.ok_or_else(|| {
            CommandError::new(format!("no Cargo.toml in {} or any folder above it", app.display()))
                .with_hint("name the folder of the service's package, as in `zerver dev path/to/service` or `zerver replay <id> path/to/service`")
                .with_hint("or name a program that is already built with --exe PATH")
        })?;
        Self::choose(&metadata(&manifest)?, &manifest, bin)
    }

    fn choose(metadata: &Metadata, manifest: &Path, bin: Option<&str>) -> Result<Self, CommandError> {
        let Some(package) = metadata.packages.iter().find(|package| package.manifest_path == manifest) else {
            let error = CommandError::new(format!("{} is a workspace, not a package", manifest.display()));
            let root = &metadata.workspace_root;
            let folders: Vec<String> = metadata
                .packages
                .iter()
                .filter(|package| !package.bins().is_empty())
                .map(|package| package.folder().strip_prefix(root).unwrap_or(package.folder()))
                .map(|folder| folder.display().to_string())
                .collect();
            return Err(error
                .with_hint(format!("name the folder of a package with a binary: {}", folders.join(", "))));
        };
        let bin = choose_bin(package, bin)?;
        let with_bin = metadata.packages.iter().filter(|package| package.bins().contains(&bin.as_str()));
        // In the whole workspace, the name of the binary would select both.
        let is_unique = with_bin.count() == 1;
        Ok(Self {
            folder: package.folder().to_owned(),
            manifest: manifest.to_owned(),
            bin,
            selects_workspace: is_unique && metadata.packages.len() > 1,
            workspace: metadata.workspace_root.clone(),
            sources: sources(metadata, package),
            target: metadata.target_directory.clone(),
        })
    }

    /// Returns the command that builds the binary.
    fn command(&self, release: bool, global: &Global) -> Command {
        let mut command = cargo();
        command.arg("build").arg("--message-format=json-render-diagnostics");
        command.arg("--manifest-path").arg(&self.manifest).args(["--bin", &self.bin]);
        if self.selects_workspace {
            command.arg("--workspace");
        }
        if release {
            command.arg("--release");
            // LTO would take longer than all else on each change. This is Cargo's default, so that dependencies built
            // without LTO are reused.
            command.env("CARGO_PROFILE_RELEASE_LTO", "false");
        }
        if global.quiet {
            command.arg("--quiet");
        }
        match global.color {
            Color::Auto => {}
            Color::Always => drop(command.args(["--color", "always"])),
            Color::Never => drop(command.args(["--color", "never"])),
        }
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// Starts the build.
    pub(crate) fn start_build(
        &self,
        release: bool,
        global: &Global,
        stderr: CargoStderr,
    ) -> Result<Process, CommandError> {
        let mut command = self.command(release, global);
        match stderr {
            CargoStderr::Inherited => drop(command.stderr(Stdio::inherit())),
            CargoStderr::Piped => drop(command.stderr(Stdio::piped())),
            CargoStderr::PipedWithProgress => {
                command.env("CARGO_TERM_PROGRESS_WHEN", "always");
                command.env("CARGO_TERM_PROGRESS_WIDTH", PROGRESS_WIDTH).stderr(Stdio::piped());
            }
        }
        Process::spawn(&mut command).map_err(|error| no_cargo(&error))
    }

    /// Reads the messages of a build to their end. Returns the binary if it was built.
    pub(crate) fn read_artifact(&self, stdout: impl Read) -> Option<Artifact> {
        let mut found = None;
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { break };
            if let Ok(message) = serde_json::from_str::<Message>(&line)
                && message.reason == "compiler-artifact"
                && message.target.is_some_and(|target| {
                    target.name == self.bin && target.kind.iter().any(|kind| kind == "bin")
                })
                && let Some(exe) = message.executable
            {
                found = Some(Artifact { exe, is_fresh: message.fresh });
            }
        }
        found
    }
}

/// A message of a build, in JSON.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<MetaTarget>,
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

/// Builds a package. Cargo prints progress and errors to standard error.
pub(crate) fn build(package: &Package, release: bool, global: &Global) -> Result<PathBuf, CommandError> {
    let mut process = package.start_build(release, global, CargoStderr::Inherited)?;
    finish(package, &mut process)?.ok_or_else(|| CommandError::new(format!("cannot build {}", package.bin)))
}

/// Builds a package without printing anything. If that fails, what Cargo printed is among the causes.
pub(crate) fn build_silently(package: &Package, release: bool) -> Result<PathBuf, CommandError> {
    let mut process = package.start_build(release, &Global::silent(), CargoStderr::Piped)?;
    let stderr = process.stderr().map(|stderr| thread::spawn(move || std::io::read_to_string(stderr)));
    finish(package, &mut process)?.ok_or_else(|| {
        let mut error = CommandError::new(format!("cannot build {}", package.bin));
        error.causes.extend(stderr.and_then(|stderr| stderr.join().ok()?.ok()));
        error.with_hint("fix the build, and replay the request again")
    })
}

/// Waits for the end of a build. Returns the binary if it was built.
fn finish(package: &Package, process: &mut Process) -> Result<Option<PathBuf>, CommandError> {
    let artifact = process.stdout().and_then(|stdout| package.read_artifact(stdout));
    let exit =
        process.reap().map_err(|error| CommandError::new("cannot wait for Cargo").caused_by(&error))?;
    Ok(artifact.filter(|_| exit.is_success).map(|artifact| artifact.exe))
}

fn no_cargo(error: &std::io::Error) -> CommandError {
    CommandError::new("cannot run cargo").caused_by(error).with_hint(
        "install Rust from https://rustup.rs, or name a program that is already built with --exe PATH",
    )
}

/// Returns a command that runs Cargo.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run -- dev` describes the package of this program in these variables. Build scripts that read them, such as
    // that of ring, would run again, and everything after them would be built again, whenever the command is started
    // another way.
    for (name, _) in env::vars_os().filter(|(name, _)| describes_a_package(name)) {
        command.env_remove(name);
    }
    command
}

/// Returns true for the variables in which Cargo describes the package that it builds or runs.
fn describes_a_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name == "OUT_DIR" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn metadata(manifest: &Path) -> Result<Metadata, CommandError> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"])
        .arg(manifest)
        .output()
        .map_err(|error| no_cargo(&error))?;
    if !output.status.success() {
        let cause = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(CommandError::new(format!("Cargo cannot read {}", manifest.display())).with_cause(cause));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| CommandError::new("cannot parse the output of `cargo metadata`").caused_by(&error))
}

fn choose_bin(package: &MetaPackage, wanted: Option<&str>) -> Result<String, CommandError> {
    let bins = package.bins();
    let name = &package.name;
    match (wanted, bins.as_slice()) {
        (Some(wanted), bins) if bins.contains(&wanted) => Ok(wanted.to_owned()),
        (_, []) => Err(CommandError::new(format!("package {name} has no binary"))
            .with_hint("a service is a binary: add a src/main.rs that hands its app to zerver")),
        (Some(wanted), bins) => Err(CommandError::new(format!("package {name} has no binary {wanted}"))
            .with_hint(format!("its binaries: {}", bins.join(", ")))),
        (None, [bin]) => Ok((*bin).to_owned()),
        (None, bins) => match &package.default_run {
            Some(default) => Ok(default.clone()),
            None => Err(CommandError::new(format!("package {name} has several binaries"))
                .with_hint(format!("choose one with --bin NAME: {}", bins.join(", ")))),
        },
    }
}

/// Returns the folders of a package and of everything it depends on by path, except dev-dependencies.
fn sources(metadata: &Metadata, package: &MetaPackage) -> Vec<SourceRoot> {
    let mut found = BTreeMap::new();
    let mut next = vec![package.folder().to_owned()];
    while let Some(folder) = next.pop() {
        if found.contains_key(&folder) {
            continue;
        }
        let package = metadata.packages.iter().find(|package| package.folder() == folder);
        found.insert(folder, package.is_some_and(MetaPackage::has_build_script));
        let Some(package) = package else { continue };
        let needed = package.dependencies.iter().filter(|needed| needed.kind.as_deref() != Some("dev"));
        next.extend(needed.filter_map(|needed| needed.path.clone()));
    }
    found.into_iter().map(|(folder, has_build_script)| SourceRoot { folder, has_build_script }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(bins: &[&str], default_run: Option<&str>) -> Metadata {
        let target = |name: &str, kind: &str| serde_json::json!({"name": name, "kind": [kind]});
        let mut targets: Vec<_> = bins.iter().map(|bin| target(bin, "bin")).collect();
        targets.push(target("lib", "lib"));
        serde_json::from_value(serde_json::json!({
            "workspace_root": "/w", "target_directory": "/w/target",
            "packages": [
                {"name": "app", "manifest_path": "/w/app/Cargo.toml", "targets": targets, "default_run": default_run,
                 "dependencies": [{"path": "/w/model", "kind": null}, {"path": null, "kind": null},
                                  {"path": "/w/testing", "kind": "dev"}]},
                {"name": "model", "manifest_path": "/w/model/Cargo.toml", "targets": [target("model", "lib"), target("build-script-build", "custom-build")],
                 "dependencies": [{"path": "/outside", "kind": null}, {"path": "/w/app", "kind": null},
                                  {"path": "/w/gen", "kind": "build"}]},
            ],
        }))
        .unwrap()
    }

    fn choose(
        bins: &[&str],
        default_run: Option<&str>,
        wanted: Option<&str>,
    ) -> Result<Package, CommandError> {
        Package::choose(&metadata(bins, default_run), Path::new("/w/app/Cargo.toml"), wanted)
    }

    #[test]
    fn the_binary_is_the_only_one_the_default_or_the_named_one() {
        assert_eq!(choose(&["app"], None, None).unwrap().bin, "app");
        assert_eq!(choose(&["a", "b"], Some("b"), None).unwrap().bin, "b");
        assert_eq!(choose(&["a", "b"], Some("b"), Some("a")).unwrap().bin, "a");
        assert_eq!(choose(&["a", "b"], None, None).unwrap_err().hints, ["choose one with --bin NAME: a, b"]);
        assert_eq!(choose(&["a"], None, Some("b")).unwrap_err().hints, ["its binaries: a"]);
        assert!(choose(&[], None, None).unwrap_err().message.contains("no binary"));
    }

    #[test]
    fn a_workspace_is_not_a_package() {
        let error = Package::choose(&metadata(&["app"], None), Path::new("/w/Cargo.toml"), None).unwrap_err();
        assert_eq!(error.hints, ["name the folder of a package with a binary: app"]);
    }

    #[test]
    fn sources_are_all_path_dependencies_except_those_of_tests() {
        let sources = choose(&["app"], None, None).unwrap().sources;
        let root =
            |folder: &str| SourceRoot { folder: folder.into(), has_build_script: folder == "/w/model" };
        assert_eq!(sources, ["/outside", "/w/app", "/w/gen", "/w/model"].map(root));
    }

    #[test]
    fn dependencies_are_shared_with_builds_of_the_whole_workspace() {
        let arguments = |metadata: &Metadata| {
            let package = Package::choose(metadata, Path::new("/w/app/Cargo.toml"), Some("app")).unwrap();
            let command = package.command(true, &Global::silent());
            let lto = command.get_envs().find(|(name, _)| *name == "CARGO_PROFILE_RELEASE_LTO");
            assert_eq!(lto.unwrap().1, Some(OsStr::new("false")));
            command.get_args().any(|argument| argument == "--workspace")
        };
        let mut metadata = metadata(&["app"], None);
        assert!(arguments(&metadata));
        // Cargo would build both, and put them in the same place.
        metadata.packages[1].targets.push(MetaTarget { name: "app".into(), kind: vec!["bin".into()] });
        assert!(!arguments(&metadata));
        metadata.packages.pop();
        assert!(!arguments(&metadata), "the only package is the workspace");
    }

    #[test]
    fn a_build_does_not_depend_on_how_the_command_was_started() {
        // The tests are run by Cargo, which sets the variables.
        assert!(env::var_os("CARGO_PKG_NAME").is_some());
        let package = choose(&["app"], None, None).unwrap();
        let command = package.command(false, &Global::silent());
        let removed = |of: &str| command.get_envs().any(|(name, value)| name == of && value.is_none());
        assert!(removed("CARGO_PKG_NAME") && removed("CARGO_MANIFEST_DIR"));
        assert!(!removed("CARGO_HOME") && !removed("CARGO_TARGET_DIR"));
    }

    #[test]
    fn the_binary_is_read_from_the_messages_of_cargo() {
        let package = choose(&["app"], None, None).unwrap();
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"app","kind":["lib"]},"executable":null,"fresh":true}
not json
{"reason":"compiler-artifact","target":{"name":"app","kind":["custom-build"]},"executable":"/w/build","fresh":false}
{"reason":"compiler-artifact","target":{"name":"app","kind":["bin"]},"executable":"/w/target/debug/app","fresh":false}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(
            package.read_artifact(messages.as_bytes()),
            Some(Artifact { exe: "/w/target/debug/app".into(), is_fresh: false })
        );
        assert_eq!(package.read_artifact(&b"{\"reason\":\"build-finished\",\"success\":false}"[..]), None);
    }
}
